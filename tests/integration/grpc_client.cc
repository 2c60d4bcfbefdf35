// A client made of the stubs that gRPC's C++ library generates from our protos: each command is one thing that a test
// wants done and seen. It prints what it saw and exits 0 only if all of it was as expected.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/proto/rpc.grpc.pb.h"

namespace {

using etcdserverpb::KV;

struct Client {
  explicit Client(const std::string& endpoint) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    channel = grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
    kv = KV::NewStub(channel);
  }
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<KV::Stub> kv;
};

int failures = 0;

template <typename A, typename B>
void expect_equal(const std::string& what, const A& expected, const B& got) {
  if (expected == got) return;
  ++failures;
  std::cerr << what << ": expected " << expected << ", got " << got << "\n";
}

grpc::Status put(Client& client, const std::string& key, const std::string& value, std::int64_t* revision = nullptr) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  etcdserverpb::PutResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const grpc::Status status = client.kv->Put(&context, request, &response);
  if (revision != nullptr) *revision = response.header().revision();
  return status;
}

grpc::Status get(Client& client, const std::string& key, etcdserverpb::RangeResponse& response) {
  etcdserverpb::RangeRequest request;
  request.set_key(key);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  return client.kv->Range(&context, request, &response);
}

/// puts N: puts k0..k(N-1) one at a time and prints each key once it is acknowledged; stops at the first failure.
void puts(Client& client, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string key = "k" + std::to_string(i);
    const grpc::Status status = put(client, key, "value of " + key);
    if (!status.ok()) return;
    std::cout << key << std::endl;
  }
}

/// values N: all of k0..k(N-1) hold what `puts` wrote.
void values(Client& client, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string key = "k" + std::to_string(i);
    etcdserverpb::RangeResponse response;
    const grpc::Status status = get(client, key, response);
    expect_equal("status of " + key, 0, static_cast<int>(status.error_code()));
    expect_equal("count of " + key, 1, response.kvs_size());
    if (response.kvs_size() == 1) expect_equal("value of " + key, "value of " + key, response.kvs(0).value());
  }
}

/// sizes MAX: the largest request passes, one byte more does not, and a message past the gRPC limit is refused by the
/// transport's own code. The entry around a put is: tag, length, and the header with a proposal id of ten bytes.
void sizes(Client& client, std::size_t request_bytes_max) {
  const auto entry_size = [](std::size_t value_size) {
    etcdserverpb::PutRequest request;
    request.set_key("size");
    request.set_value(std::string(value_size, 'v'));
    const std::size_t size = request.ByteSizeLong();
    std::size_t length_size = 1;
    for (std::size_t rest = size; rest >= 0x80; rest >>= 7) ++length_size;
    const std::size_t header_size = 2 + 1 + 1 + 10;
    return 1 + length_size + size + header_size;
  };
  std::size_t largest = request_bytes_max;
  while (entry_size(largest) > request_bytes_max) --largest;
  expect_equal("the size of the largest entry", request_bytes_max, entry_size(largest));

  expect_equal("the largest request", "", put(client, "size", std::string(largest, 'v')).error_message());
  const grpc::Status larger = put(client, "size", std::string(largest + 1, 'v'));
  expect_equal("one byte more", "etcdserver: request is too large", larger.error_message());
  expect_equal("its code", static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT), static_cast<int>(larger.error_code()));
  const grpc::Status huge = put(client, "size", std::string(request_bytes_max + (1 << 20), 'v'));
  expect_equal("a huge message's code", static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED),
               static_cast<int>(huge.error_code()));
  etcdserverpb::RangeResponse response;
  get(client, "size", response);
  expect_equal("what is stored", largest, response.kvs_size() == 1 ? response.kvs(0).value().size() : 0);
}

/// Calls `path` with an empty message (streams are half-closed after it) and gives the status.
grpc::Status call(Client& client, const std::string& path, std::chrono::milliseconds patience) {
  grpc::GenericStub stub(client.channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + patience);
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  auto stream = stub.PrepareCall(&context, path, &queue);
  stream->StartCall(nullptr);
  queue.Next(&tag, &ok);
  stream->WriteLast(grpc::ByteBuffer(nullptr, 0), grpc::WriteOptions(), nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer answer;
  do {
    stream->Read(&answer, nullptr);
    queue.Next(&tag, &ok);
  } while (ok);
  grpc::Status status;
  stream->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  return status;
}

/// rpcs BUILT...: every RPC of our protos answers at once: the built ones by their own rules, the others UNIMPLEMENTED.
void rpcs(Client& client, const std::vector<std::string>& services, const std::vector<std::string>& built) {
  int called = 0;
  for (const std::string& name : services) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) {
      ++failures;
      std::cerr << "no service " << name << " in our protos\n";
      continue;
    }
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string path = "/" + name + "/" + service->method(i)->name();
      const bool is_built = std::find(built.begin(), built.end(), path) != built.end();
      // A watch goes on when its client has asked for all it wants.
      const bool goes_on = path == "/etcdserverpb.Watch/Watch";
      const grpc::Status status = call(client, path, std::chrono::milliseconds(goes_on ? 200 : 5000));
      expect_equal(path + " is unimplemented", !is_built, status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
      expect_equal(path + " answers in time", !goes_on, status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED);
      ++called;
    }
  }
  std::cout << called << " RPCs called\n";
}

/// concurrent N: N puts in flight on one connection; revisions are all different and as many as the puts.
void concurrent(Client& client, int count) {
  std::int64_t before = 0;
  put(client, "before", "", &before);
  std::vector<std::int64_t> revisions(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < count; i += 64) {
        const grpc::Status status = put(client, "c" + std::to_string(i), "v", &revisions[static_cast<std::size_t>(i)]);
        if (!status.ok()) revisions[static_cast<std::size_t>(i)] = -1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(revisions.begin(), revisions.end());
  for (int i = 0; i < count; ++i) expect_equal("revision", before + 1 + i, revisions[static_cast<std::size_t>(i)]);
}

/// progress N: a watcher that asks for it is told the revision N times, though nothing happens.
void progress(Client& client, int count) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const auto stream = etcdserverpb::Watch::NewStub(client.channel)->Watch(&context);
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("silent");
  request.mutable_create_request()->set_progress_notify(true);
  stream->Write(request);
  etcdserverpb::WatchResponse response;
  expect_equal("being created", true, stream->Read(&response) && response.created());
  for (int i = 0; i < count; ++i) {
    expect_equal("progress that comes", true, stream->Read(&response));
    expect_equal("its events", 0, response.events_size());
    expect_equal("its revision", 1, response.header().revision());
  }
  context.TryCancel();
  stream->Finish();
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: grpc_client ENDPOINT puts|values|sizes|concurrent|progress N\n"
                 "       grpc_client ENDPOINT rpcs SERVICE... -- PATH...\n";
    return 2;
  }
  Client client(argv[1]);
  const std::string command = argv[2];
  const std::vector<std::string> rest(argv + 3, argv + argc);
  if (command == "rpcs") {
    const auto split = std::find(rest.begin(), rest.end(), "--");
    rpcs(client, {rest.begin(), split}, {split == rest.end() ? split : split + 1, rest.end()});
    return failures == 0 ? 0 : 1;
  }
  const std::map<std::string, std::function<void(int)>> commands = {
      {"puts", [&](int n) { puts(client, n); }},
      {"values", [&](int n) { values(client, n); }},
      {"sizes", [&](int n) { sizes(client, static_cast<std::size_t>(n)); }},
      {"concurrent", [&](int n) { concurrent(client, n); }},
      {"progress", [&](int n) { progress(client, n); }},
  };
  const auto found = commands.find(command);
  if (found == commands.end() || rest.size() != 1) return 2;
  found->second(std::stoi(rest[0]));
  return failures == 0 ? 0 : 1;
}
