// Large lists, as gRPC's C++ library gets them from ours and from another server: the same, in whatever order they are
// asked for; and ours once more as a range stream.
//
// Usage: list_client OURS THEIRS COUNT
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "core/proto/rpc.grpc.pb.h"

namespace {

using etcdserverpb::KV;

int failures = 0;

template <typename A, typename B>
void expect_equal(const std::string& what, const A& expected, const B& got) {
  if (expected == got) return;
  ++failures;
  std::cerr << what << ": expected " << expected << ", got " << got << "\n";
}

std::unique_ptr<KV::Stub> connect(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return KV::NewStub(grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments));
}

void put(KV::Stub& server, const std::string& key, const std::string& value) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  etcdserverpb::PutResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  expect_equal("a put", "", server.Put(&context, request, &response).error_message());
}

/// The answer as one stream gives it in messages: all but the last have records alone.
etcdserverpb::RangeResponse range_stream(KV::Stub& server, const etcdserverpb::RangeRequest& request, int& messages) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto reader = server.RangeStream(&context, request);
  etcdserverpb::RangeStreamResponse sum;
  etcdserverpb::RangeStreamResponse message;
  for (messages = 0; reader->Read(&message); ++messages) {
    expect_equal("a header before the last message", false, sum.range_response().has_header());
    sum.MergeFrom(message);
  }
  expect_equal("the end of a range stream", "", reader->Finish().error_message());
  return sum.range_response();
}

/// Lists of COUNT keys of 2 kB, sorted, limited and filtered, are the same from both servers; a
/// range stream of ours is the list in several messages.
void lists(KV::Stub& ours, KV::Stub& theirs, int count) {
  const std::string padding(2'000, 'v');
  const auto key = [](int i) { return "lists/" + std::to_string(100'000 + i); };
  for (int i = 0; i < count; ++i) {
    // Neither the values nor the revisions stand in the order of the keys.
    const std::string value = std::to_string(i * 7'919 % count) + padding;
    for (KV::Stub* server : {&ours, &theirs}) put(*server, key(i * 5'003 % count), value);
  }
  etcdserverpb::RangeRequest all;
  all.set_key("lists/");
  all.set_range_end("lists0");
  const auto range = [](KV::Stub& server, const etcdserverpb::RangeRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    etcdserverpb::RangeResponse response;
    expect_equal("a list", "", server.Range(&context, request, &response).error_message());
    return response;
  };
  const auto first = [&](const etcdserverpb::RangeRequest& request) {
    const auto expected = range(theirs, request);
    const auto got = range(ours, request);
    const std::string what = "{" + request.ShortDebugString() + "}: ";
    expect_equal(what + "count", expected.count(), got.count());
    expect_equal(what + "more", expected.more(), got.more());
    expect_equal(what + "records", expected.kvs_size(), got.kvs_size());
    for (int i = 0; i < expected.kvs_size() && i < got.kvs_size(); ++i) {
      expect_equal(what + "record " + std::to_string(i), expected.kvs(i).ShortDebugString(),
                   got.kvs(i).ShortDebugString());
      if (failures > 0) return got;
    }
    return got;
  };
  const auto whole = first(all);
  expect_equal("all keys", count, whole.kvs_size());
  for (const auto target : {etcdserverpb::RangeRequest::KEY, etcdserverpb::RangeRequest::CREATE,
                            etcdserverpb::RangeRequest::MOD, etcdserverpb::RangeRequest::VALUE}) {
    for (const auto order : {etcdserverpb::RangeRequest::ASCEND, etcdserverpb::RangeRequest::DESCEND}) {
      etcdserverpb::RangeRequest sorted = all;
      sorted.set_sort_target(target);
      sorted.set_sort_order(order);
      if (order == etcdserverpb::RangeRequest::ASCEND) sorted.set_limit(count * 3 / 4);
      if (target == etcdserverpb::RangeRequest::VALUE) sorted.set_max_mod_revision(whole.header().revision() - 100);
      first(sorted);
    }
  }
  int messages = 0;
  const auto streamed = range_stream(ours, all, messages);
  expect_equal("a large stream has several messages", true, messages > 10);
  expect_equal("a range stream is the list", true, streamed.SerializeAsString() == whole.SerializeAsString());
  all.set_limit(1);
  const auto one = range_stream(ours, all, messages);
  expect_equal("messages of a small stream", 1, messages);
  expect_equal("its count", count, one.count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  lists(*connect(argv[1]), *connect(argv[2]), std::stoi(argv[3]));
  return failures == 0 ? 0 : 1;
}
