#include <doctest/doctest.h>

#include "api/testing/door.h"

namespace metastore::api {
namespace {

using testing::Caller;
using testing::Member;
using testing::unlimited;

constexpr std::string_view put = "/etcdserverpb.KV/Put";

TEST_CASE("past the budget of all clients the connection that holds most is closed, and others are served") {
  SessionOptions options;
  options.limits.connection_send_bytes_max = 10'000;
  options.limits.clients_bytes_max = 130'000;
  Member member(options);
  Caller healthy(member);
  Caller sick(member);
  Caller sicker(member);
  for (Caller* caller : {&healthy, &sick, &sicker}) {
    caller->client.call(put, Bytes(), std::nullopt);
    caller->exchange();
  }
  member.answer(RequestId(2), Bytes::copy_of(std::string(60'000, 'a')));
  member.answer(RequestId(3), Bytes::copy_of(std::string(50'000, 'b')));
  member.loop.settle();
  CHECK(!sick.line.destroyed);
  CHECK(!sicker.line.destroyed);
  sick.line.drain();
  member.loop.settle();
  CHECK(!sick.line.destroyed);
  sicker.client.call(put, Bytes(), std::nullopt);
  std::string bytes;
  sicker.client.write_to(bytes, unlimited, sicker.results);
  sicker.line.user->on_bytes(bytes);
  member.loop.settle();
  REQUIRE(member.inbox.requests.size() == 4);
  member.answer(RequestId(4), Bytes::copy_of(std::string(50'000, 'b')));
  member.loop.settle();
  CHECK(!sick.line.destroyed);
  CHECK(sicker.line.destroyed);
  member.answer(RequestId(1), Bytes::copy_of("answer"));
  healthy.exchange();
  REQUIRE(healthy.results.size() == 1);
  CHECK(healthy.results[0].code == StatusCode::ok);
}

TEST_CASE("messages past the budget of all clients are refused while the replica owes answers") {
  SessionOptions options;
  options.limits.clients_bytes_max = 10'000;
  Member member(options);
  Caller caller(member);
  caller.client.call(put, Bytes::copy_of(std::string(6'000, 'a')), std::nullopt);
  caller.exchange();
  caller.client.call(put, Bytes::copy_of(std::string(6'000, 'b')), std::nullopt);
  caller.exchange();
  CHECK(member.inbox.requests.size() == 1);
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].text == "etcdserver: too many requests");
  member.answer(RequestId(1), Bytes());
  caller.client.call(put, Bytes::copy_of(std::string(6'000, 'c')), std::nullopt);
  caller.exchange();
  CHECK(member.inbox.requests.size() == 2);
}

}  // namespace
}  // namespace metastore::api
