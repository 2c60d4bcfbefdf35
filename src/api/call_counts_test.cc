#include "api/call_counts.h"

#include <doctest/doctest.h>

#include <string>

#include "api/rpc.h"
#include "api/testing/door.h"

namespace metastore::api {
namespace {

using testing::Caller;
using testing::Member;

constexpr std::string_view put = "/etcdserverpb.KV/Put";

TEST_CASE("calls are counted from their beginning to their end, whatever that is") {
  Member member;
  Caller caller(member);
  caller.client.call(put, Bytes::copy_of("12345"), std::nullopt, {{"client-api-version", "3.5"}});
  caller.client.call(put, Bytes::copy_of("1"), std::nullopt, {{"client-api-version", std::string(24, '9')}});
  const StreamId canceled = caller.client.call(put, Bytes(), std::nullopt);
  caller.client.call(put, Bytes(), std::nullopt, {{"client-api-version", "\xff"}});
  caller.exchange();
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].code == StatusCode::invalid_argument);
  CHECK(caller.results[0].text == "etcdserver: invalid client api version");
  member.loop.advance(Duration::milliseconds(7));
  member.answer(RequestId(1), Bytes::copy_of("abc"));
  member.answer(RequestId(2), ErrorCode::empty_key);
  caller.client.cancel(canceled, caller.results);
  caller.exchange();
  member.answer(RequestId(3), Bytes());
  const CallCounts& counts = member.gateway.counts().calls;
  const MethodCounts& puts = counts.of(kv::Method::put);
  CHECK(puts.started == 3);
  CHECK(puts.messages_received == 3);
  CHECK(puts.messages_sent == 1);
  CHECK(puts.handled[static_cast<std::size_t>(StatusCode::ok)] == 1);
  CHECK(puts.handled[static_cast<std::size_t>(StatusCode::invalid_argument)] == 1);
  CHECK(puts.handled[static_cast<std::size_t>(StatusCode::canceled)] == 1);
  CHECK(puts.handling_nanoseconds.view().sum == 3 * 7'000'000);
  CHECK(counts.received_bytes() == 6);
  CHECK(counts.sent_bytes() == 3);
  REQUIRE(counts.versions().size() == 3);
  CHECK(counts.versions()[0].version.text() == "3.5");
  CHECK(counts.versions()[1].version.text() == "other");
  CHECK(counts.versions()[2].version.text() == "unknown");
  CHECK(counts.versions()[2].unary == 1);
}

TEST_CASE("a stream of ranges is a stream, though it has one request") {
  CHECK(grpc_type(kv::Method::range) == "unary");
  CHECK(grpc_type(kv::Method::range_stream) == "server_stream");
  CHECK(grpc_type(kv::Method::watch) == "bidi_stream");
  CallCounts counts;
  counts.started(kv::Method::range_stream, ClientVersion());
  CHECK(counts.versions()[0].streams == 1);
  CHECK(counts.versions()[0].unary == 0);
}

TEST_CASE("however many versions clients make up, few are kept") {
  CallCounts counts;
  for (int i = 0; i < 1'000; ++i) counts.started(kv::Method::range, ClientVersion(std::to_string(i)));
  CHECK(counts.versions().size() == 33);
  CHECK(counts.versions().back().version.text() == "other");
  CHECK(counts.versions().back().unary == 1'000 - 32);
}

}  // namespace
}  // namespace metastore::api
