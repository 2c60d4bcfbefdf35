// A client made of the stubs that gRPC's C++ library generates from our protos: each command is one thing that a test
// wants done and seen. It prints what it saw and exits 0 only if all of it was as expected.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <random>
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

/// Draws requests that reach the corners of the KV API: few keys, revisions around the present and the compacted past,
/// nested transactions, all options, wrong ones too.
class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  void saw_revision(std::int64_t revision) { revision_ = std::max(revision_, revision); }

  etcdserverpb::RangeRequest range() {
    etcdserverpb::RangeRequest request;
    set_range(request);
    if (chance(30)) request.set_limit(static_cast<std::int64_t>(below(6)) - 1);
    if (chance(40)) request.set_revision(some_revision());
    if (chance(40)) request.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(below(3)));
    if (chance(40)) request.set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(below(5)));
    request.set_serializable(chance(20));
    request.set_keys_only(chance(20));
    request.set_count_only(chance(10));
    if (chance(10)) request.set_min_mod_revision(some_revision());
    if (chance(10)) request.set_max_mod_revision(some_revision());
    if (chance(10)) request.set_min_create_revision(some_revision());
    if (chance(10)) request.set_max_create_revision(some_revision());
    return request;
  }

  etcdserverpb::PutRequest put() {
    etcdserverpb::PutRequest request;
    request.set_key(key());
    request.set_value(value());
    request.set_prev_kv(chance(30));
    if (chance(8)) request.set_lease(static_cast<std::int64_t>(below(3)));
    if (chance(10)) request.set_ignore_value(true);
    if (chance(10)) request.set_ignore_lease(true);
    if (request.ignore_value() && chance(80)) request.clear_value();
    return request;
  }

  etcdserverpb::DeleteRangeRequest delete_range() {
    etcdserverpb::DeleteRangeRequest request;
    set_range(request);
    request.set_prev_kv(chance(40));
    return request;
  }

  etcdserverpb::Compare compare() {
    etcdserverpb::Compare compare;
    compare.set_key(key());
    if (chance(20)) compare.set_range_end(chance(30) ? std::string(1, '\0') : key());
    compare.set_result(static_cast<etcdserverpb::Compare::CompareResult>(below(4)));
    compare.set_target(static_cast<etcdserverpb::Compare::CompareTarget>(below(5)));
    switch (chance(90) ? static_cast<std::uint64_t>(compare.target()) : below(6)) {
      case 0:
        compare.set_version(static_cast<std::int64_t>(below(4)));
        break;
      case 1:
        compare.set_create_revision(some_revision());
        break;
      case 2:
        compare.set_mod_revision(some_revision());
        break;
      case 3:
        compare.set_value(value());
        break;
      case 4:
        compare.set_lease(static_cast<std::int64_t>(below(2)));
        break;
      default:
        break;
    }
    return compare;
  }

  etcdserverpb::TxnRequest txn(int depth) {
    etcdserverpb::TxnRequest request;
    for (std::uint64_t i = below(3); i > 0; --i) *request.add_compare() = compare();
    for (std::uint64_t i = below(4); i > 0; --i) *request.add_success() = operation(depth);
    for (std::uint64_t i = below(4); i > 0; --i) *request.add_failure() = operation(depth);
    return request;
  }

  etcdserverpb::CompactionRequest compaction() {
    etcdserverpb::CompactionRequest request;
    request.set_revision(chance(50) ? some_revision() : revision_ - static_cast<std::int64_t>(below(20)));
    request.set_physical(chance(50));
    return request;
  }

 private:
  etcdserverpb::RequestOp operation(int depth) {
    etcdserverpb::RequestOp operation;
    const std::uint64_t kind = below(100);
    if (kind < 35) {
      *operation.mutable_request_range() = range();
    } else if (kind < 70) {
      *operation.mutable_request_put() = put();
    } else if (kind < 85) {
      *operation.mutable_request_delete_range() = delete_range();
      // etcd does not see that a delete without end covers a put of the same transaction, and dies of some such puts.
      if (operation.request_delete_range().range_end() == std::string(1, '\0')) {
        operation.mutable_request_delete_range()->clear_range_end();
      }
    } else if (kind < 98 && depth > 0) {
      *operation.mutable_request_txn() = txn(depth - 1);
    }
    return operation;
  }

  template <typename Request>
  void set_range(Request& request) {
    request.set_key(chance(10) ? std::string(1, '\0') : key());
    const std::uint64_t kind = below(10);
    if (kind < 3) request.set_range_end(key());
    if (kind == 3) request.set_range_end(std::string(1, '\0'));
    if (kind == 4) request.set_range_end(request.key() + "z");
  }

  std::string key() { return chance(2) ? std::string() : std::string(1, static_cast<char>('a' + below(8))); }
  std::string value() { return std::string(below(3), static_cast<char>('0' + below(4))); }
  std::int64_t some_revision() {
    if (chance(5)) return -1;
    if (chance(10)) return static_cast<std::int64_t>(below(4));
    return revision_ + 3 - static_cast<std::int64_t>(below(25));
  }

  std::mt19937_64 random_;
  std::int64_t revision_ = 1;
};

/// Headers differ in who answers, and nothing else.
void forget_who(google::protobuf::Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    for (int i = 0; i < (field->is_repeated() ? reflection->FieldSize(message, field) : 1); ++i) {
      auto* inner = field->is_repeated() ? reflection->MutableRepeatedMessage(&message, field, i)
                                         : reflection->MutableMessage(&message, field);
      if (auto* header = dynamic_cast<etcdserverpb::ResponseHeader*>(inner)) {
        header->clear_cluster_id();
        header->clear_member_id();
        header->clear_raft_term();
      } else {
        forget_who(*inner);
      }
    }
  }
}

template <typename Request, typename Response, typename Call>
std::string answer(KV::Stub& stub, const Request& request, Response& response, Call call) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const grpc::Status status = (stub.*call)(&context, request, &response);
  forget_who(response);
  if (!status.ok()) return std::to_string(status.error_code()) + " " + status.error_message();
  return response.DebugString();
}

/// etcd 3.4 looks at all puts of a transaction before its ranges, etcd from 3.6 on and we take them in their order:
/// where several are wrong, each names another one.
bool is_known_difference(const std::string& expected, const std::string& got) {
  const std::vector<std::string> refusals = {"3 etcdserver: key not found", "5 etcdserver: requested lease not found",
                                             "11 etcdserver: mvcc: required revision has been compacted",
                                             "11 etcdserver: mvcc: required revision is a future revision"};
  const auto is_refusal = [&](const std::string& text) {
    return std::find(refusals.begin(), refusals.end(), text) != refusals.end();
  };
  return is_refusal(expected) && is_refusal(got);
}

template <typename Response, typename Request, typename Call>
void ask_both(Client& ours, Client& theirs, Drawer& drawer, const Request& request, Call call) {
  Response our_response;
  Response their_response;
  const std::string expected = answer(*theirs.kv, request, their_response, call);
  const std::string got = answer(*ours.kv, request, our_response, call);
  drawer.saw_revision(their_response.header().revision());
  if (std::is_same_v<Request, etcdserverpb::TxnRequest> && is_known_difference(expected, got)) return;
  expect_equal(request.GetDescriptor()->name() + " {" + request.ShortDebugString() + "}", expected, got);
}

/// differential SEED COUNT OTHER: the same drawn requests to both servers get the same answers, codes and revisions.
void differential(Client& ours, Client& theirs, std::uint64_t seed, int count) {
  Drawer drawer(seed);
  for (int i = 0; i < count && failures == 0; ++i) {
    const std::uint64_t kind = drawer.below(100);
    if (kind < 30) {
      ask_both<etcdserverpb::PutResponse>(ours, theirs, drawer, drawer.put(), &KV::Stub::Put);
    } else if (kind < 60) {
      ask_both<etcdserverpb::RangeResponse>(ours, theirs, drawer, drawer.range(), &KV::Stub::Range);
    } else if (kind < 70) {
      ask_both<etcdserverpb::DeleteRangeResponse>(ours, theirs, drawer, drawer.delete_range(), &KV::Stub::DeleteRange);
    } else if (kind < 98) {
      ask_both<etcdserverpb::TxnResponse>(ours, theirs, drawer, drawer.txn(2), &KV::Stub::Txn);
    } else {
      ask_both<etcdserverpb::CompactionResponse>(ours, theirs, drawer, drawer.compaction(), &KV::Stub::Compact);
    }
    if (failures != 0) std::cerr << "request " << i << " of seed " << seed << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: grpc_client ENDPOINT puts|values|sizes|concurrent|progress N\n"
                 "       grpc_client ENDPOINT rpcs SERVICE... -- PATH...\n"
                 "       grpc_client ENDPOINT differential SEED COUNT OTHER_ENDPOINT\n";
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
  if (command == "differential" && rest.size() == 3) {
    Client theirs(rest[2]);
    differential(client, theirs, std::stoull(rest[0]), std::stoi(rest[1]));
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
