#include "api/gateway.h"

#include <doctest/doctest.h>

#include <array>

#include "api/http2_client.h"
#include "api/testing/door.h"
#include "api/testing/frames.h"
#include "api/testing/ports.h"

namespace metastore::api {
namespace {

using testing::Caller;
using testing::Line;
using testing::Member;
using testing::unlimited;

constexpr std::string_view put = "/etcdserverpb.KV/Put";
constexpr std::string_view range = "/etcdserverpb.KV/Range";

TEST_CASE("a call becomes a request and its reply becomes the answer") {
  Member member;
  Caller caller(member);
  caller.client.call(put, Bytes::copy_of("question"), Duration::seconds(2));
  caller.exchange();
  REQUIRE(member.inbox.requests.size() == 1);
  const ClientRequest& request = member.inbox.requests[0];
  CHECK(request == ClientRequest{RequestId(1), kv::Method::put, Bytes::copy_of("question"),
                                 member.loop.now() + Duration::seconds(2)});
  CHECK(!member.gateway.idle());
  member.answer(request.id, Bytes::copy_of("answer"));
  CHECK(!member.gateway.idle());
  caller.exchange();
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].message.view() == "answer");
  CHECK(member.gateway.idle());
}

TEST_CASE("an error code becomes etcd's status and text") {
  Member member;
  Caller caller(member);
  caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  member.answer(RequestId(1), ErrorCode::too_many_requests);
  caller.exchange();
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].code == StatusCode::unknown);
  CHECK(caller.results[0].text == "etcdserver: too many requests");
}

TEST_CASE("replies find their sessions in any order, and all of a turn leave in one write a connection") {
  Member member;
  Caller first(member);
  Caller second(member);
  for (int i = 0; i < 3; ++i) {
    first.client.call(put, Bytes::copy_of("first " + std::to_string(i)), std::nullopt);
    second.client.call(put, Bytes::copy_of("second " + std::to_string(i)), std::nullopt);
  }
  first.exchange();
  second.exchange();
  REQUIRE(member.inbox.requests.size() == 6);
  const int first_writes = first.line.writes;
  const int second_writes = second.line.writes;
  std::vector<Reply> replies;
  for (const std::size_t index : {4, 0, 5, 2, 3, 1}) {
    replies.push_back({member.inbox.requests[index].id, member.inbox.requests[index].message});
  }
  member.gateway.reply(std::move(replies));
  first.exchange();
  second.exchange();
  CHECK(first.line.writes == first_writes + 1);
  CHECK(second.line.writes == second_writes + 1);
  REQUIRE(first.results.size() == 3);
  REQUIRE(second.results.size() == 3);
  for (const CallResult& result : first.results) CHECK(result.message.view().starts_with("first "));
  for (const CallResult& result : second.results) CHECK(result.message.view().starts_with("second "));
}

TEST_CASE("the reply to a canceled call, or to one of a closed connection, is dropped") {
  Member member;
  Caller caller(member);
  Caller leaver(member);
  const StreamId stream = caller.client.call(put, Bytes(), std::nullopt);
  leaver.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  leaver.exchange();
  caller.client.cancel(stream, caller.results);
  caller.exchange();
  member.close(leaver.line);
  CHECK(leaver.line.destroyed);
  CHECK(member.gateway.connections() == 1);
  CHECK(member.gateway.idle());
  member.answer(RequestId(1), Bytes());
  member.answer(RequestId(2), Bytes());
  caller.exchange();
  CHECK(caller.results.size() == 1);
}

TEST_CASE("a call that asks for a leader is refused at once without one") {
  Member member;
  member.facts.leader = false;
  Caller caller(member);
  caller.client.call(put, Bytes(), std::nullopt, {{"hasleader", "true"}});
  caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  CHECK(member.inbox.requests.size() == 1);
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].code == StatusCode::unavailable);
  CHECK(caller.results[0].text == "etcdserver: no leader");

  // The same in one piece with its own cancellation.
  const StreamId stream = caller.client.call(put, Bytes(), std::nullopt, {{"hasleader", "true"}});
  std::string bytes;
  caller.client.write_to(bytes, unlimited, caller.results);
  caller.client.cancel(stream, caller.results);
  caller.client.write_to(bytes, unlimited, caller.results);
  member.exchange(caller.line, bytes);
  member.answer(RequestId(2), Bytes());
  CHECK(member.gateway.idle() == false);
  caller.exchange();
  CHECK(member.gateway.idle());
}

constexpr std::string_view get_health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_CASE("/health reads a key and tells how that went") {
  Member member;
  Line& line = member.connect();
  CHECK(member.exchange(line, get_health).empty());
  REQUIRE(member.inbox.requests.size() == 1);
  CHECK(member.inbox.requests[0] ==
        ClientRequest{RequestId(1), kv::Method::range, Bytes::copy_of("\x0a\x06health"), Instant::never()});
  CHECK(!member.gateway.idle());
  member.answer(RequestId(1), Bytes());
  CHECK(member.exchange(line) ==
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n"
        "{\"health\":\"true\",\"reason\":\"\"}");
  member.exchange(line, get_health);
  member.answer(RequestId(2), ErrorCode::timeout);
  CHECK(member.exchange(line).ends_with(R"({"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"})"));
  member.facts.leader = false;
  CHECK(member.exchange(line, get_health).ends_with(R"({"health":"false","reason":"RAFT NO LEADER"})"));
  member.exchange(line, "GET /health?serializable=true HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(member.inbox.requests.size() == 3);
  CHECK(member.inbox.requests[2].message.view() == "\x0a\x06health\x38\x01");
  member.close(line);
  member.answer(RequestId(3), Bytes());
  CHECK(member.gateway.idle());
}

TEST_CASE("other paths and methods of HTTP/1.1") {
  Member member;
  Line& line = member.connect();
  const auto answer = [&](std::string_view request) {
    return member.exchange(line, std::string(request) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  };
  CHECK(answer("GET /version").ends_with(R"({"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"})"));
  CHECK(answer("GET /").starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(answer("GET /healthy").starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(answer("POST /health").starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(answer("DELETE /version").find("Allow: GET\r\n") != std::string::npos);
  CHECK(member.inbox.requests.empty());
}

TEST_CASE("requests sent ahead on one HTTP/1.1 connection are answered in order") {
  Member member;
  Line& line = member.connect();
  const std::string version = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
  member.exchange(line, version + std::string(get_health) + version);
  member.answer(RequestId(1), Bytes());
  const std::string rest = member.exchange(line);
  CHECK(rest.find("\"health\"") < rest.find("etcdserver"));
  CHECK(rest.find("etcdserver") != std::string::npos);
}

TEST_CASE("the protocol is found out by the first bytes, however few come at a time") {
  Member member;
  Line& line = member.connect();
  std::string out;
  for (const char c : get_health) out += member.exchange(line, std::string(1, c));
  CHECK(member.inbox.requests.size() == 1);
  Line& post = member.connect();
  CHECK(member.exchange(post, "P").empty());
  CHECK(member.exchange(post, "RI /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
  Caller caller(member);
  caller.client.call(put, Bytes::copy_of("question"), std::nullopt);
  std::string bytes;
  caller.client.write_to(bytes, unlimited, caller.results);
  for (const char c : bytes) member.exchange(caller.line, std::string(1, c));
  REQUIRE(member.inbox.requests.size() == 2);
  CHECK(member.inbox.requests[1].message.view() == "question");
}

TEST_CASE("reading pauses behind a write that the socket does not take, and goes on when it does") {
  SessionOptions options;
  options.limits.connection_send_bytes_max = 10'000;
  Member member(options);
  Caller caller(member);
  for (int i = 0; i < 10; ++i) caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  for (std::uint64_t id = 1; id <= 10; ++id) member.answer(RequestId(id), Bytes::copy_of(std::string(5'000, 'r')));
  member.loop.settle();
  CHECK(caller.line.paused);
  CHECK(caller.line.written.size() < 30'000);
  const int writes = caller.line.writes;
  caller.line.user->on_bytes(testing::FrameWriter::ping());
  member.loop.settle();
  CHECK(caller.line.writes == writes);
  caller.exchange();
  CHECK(!caller.line.paused);
  CHECK(caller.results.size() == 10);
}

TEST_CASE("replies that wait for the client's flow control do not stop the reading of its grants") {
  SessionOptions options;
  options.limits.connection_send_bytes_max = 1'000;
  Member member(options);
  Caller caller(member);
  caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  member.answer(RequestId(1), Bytes::copy_of(std::string(20'000'000, 'r')));
  member.settle();
  CHECK(!caller.line.paused);
  caller.exchange();
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].message.size() == 20'000'000);
}

TEST_CASE("the calls of a client that does not take its replies wait, and are forgotten with it") {
  SessionOptions options;
  options.limits.connection_reply_bytes_max = 100'000;
  Member member(options);
  Caller caller(member);
  caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  member.answer(RequestId(1), Bytes::copy_of(std::string(5'000'000, 'r')));
  member.settle();
  std::string grants;
  caller.client.receive(caller.line.take(), caller.results);
  caller.client.write_to(grants, unlimited, caller.results);

  // Two calls arrive while the first reply waits for these grants; one of them is given up.
  caller.client.call(put, Bytes::copy_of("held"), std::nullopt);
  const StreamId given_up = caller.client.call(put, Bytes::copy_of("given up"), std::nullopt);
  std::string calls;
  caller.client.write_to(calls, unlimited, caller.results);
  member.exchange(caller.line, calls);
  CHECK(member.inbox.requests.size() == 1);
  CHECK(!member.gateway.idle());
  caller.client.cancel(given_up, caller.results);
  caller.exchange();
  CHECK(member.inbox.requests.size() == 1);
  caller.client.receive(member.exchange(caller.line, grants), caller.results);
  caller.exchange();
  REQUIRE(member.inbox.requests.size() == 2);
  CHECK(member.inbox.requests[1].message.view() == "held");

  member.answer(member.inbox.requests[1].id, Bytes::copy_of(std::string(5'000'000, 'r')));
  member.settle();
  caller.line.take();
  std::string late;
  caller.client.call(put, Bytes::copy_of("late"), std::nullopt);
  caller.client.write_to(late, unlimited, caller.results);
  member.exchange(caller.line, late);
  CHECK(member.inbox.requests.size() == 2);
  member.close(caller.line);
  CHECK(member.inbox.requests.size() == 2);
  CHECK(member.gateway.idle());

  // The forgotten call left no gap in the names.
  Caller next(member);
  next.client.call(put, Bytes(), std::nullopt);
  next.exchange();
  REQUIRE(member.inbox.requests.size() == 3);
  CHECK(member.inbox.requests[2].id == RequestId(5));
  member.answer(RequestId(5), Bytes());
}

TEST_CASE("where pages alone are served there are metrics and health and nothing else") {
  Member member;
  const auto connect = [&]() -> testing::Line& {
    member.lines.push_back(std::make_unique<testing::Line>());
    member.gateway.pages().on_accepted(std::make_unique<testing::LineConnection>(*member.lines.back()));
    return *member.lines.back();
  };
  testing::Line& line = connect();
  const auto get = [&](std::string_view path) {
    return member.exchange(line, "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  };
  CHECK(get("/metrics").ends_with("\r\n\r\ncounted 1\n"));
  CHECK(get("/version").starts_with("HTTP/1.1 404 "));
  CHECK(member.gateway.counts().scrapes == 1);
  testing::Line& grpc = connect();
  std::string bytes;
  std::vector<CallResult> results;
  Http2Client client{Http2ClientOptions{}};
  client.call(put, Bytes::copy_of("question"), std::nullopt);
  client.write_to(bytes, unlimited, results);
  client.receive(member.exchange(grpc, bytes), results);
  CHECK(!client.usable());
  CHECK(member.inbox.requests.empty());
  CHECK(grpc.shut_down);
}

TEST_CASE("too many connections are told so, then closed without a word, and room is found again") {
  SessionOptions options;
  options.limits.connections_max = 2;
  options.limits.connections_refused_max = 2;
  Member member(options);
  Line& first = member.connect();
  member.connect();
  Caller refused(member);
  refused.client.call(put, Bytes(), std::nullopt);
  refused.exchange();
  CHECK(!refused.client.usable());
  CHECK(refused.client.goaway_reason() == "too many connections");
  CHECK(member.inbox.requests.empty());
  CHECK(refused.line.shut_down);
  Line& plain = member.connect();
  CHECK(member.exchange(plain, get_health).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(plain.shut_down);
  CHECK(member.connect().destroyed);
  member.loop.advance(Duration::seconds(10));
  CHECK(refused.line.destroyed);
  CHECK(plain.destroyed);
  CHECK(member.gateway.connections() == 2);
  member.close(first);
  Caller served(member);
  served.client.call(put, Bytes(), std::nullopt);
  served.exchange();
  CHECK(member.inbox.requests.size() == 1);
}

TEST_CASE("a shutdown says GOAWAY everywhere, takes nothing new and ends when all answers are out") {
  Member member;
  Caller busy(member);
  Caller quiet(member);
  Line& plain = member.connect();
  Line& silent = member.connect();
  busy.client.call(put, Bytes(), std::nullopt);
  busy.exchange();
  quiet.exchange();
  member.exchange(plain, get_health);
  member.gateway.begin_shutdown();
  busy.exchange();
  quiet.exchange();
  CHECK(!busy.client.usable());
  CHECK(!quiet.client.usable());
  CHECK(quiet.line.shut_down);
  CHECK(silent.destroyed);
  CHECK(member.connect().destroyed);
  CHECK(!member.gateway.idle());
  member.answer(RequestId(1), Bytes());
  busy.exchange();
  CHECK(busy.results.size() == 1);
  CHECK(busy.line.shut_down);
  CHECK(!member.gateway.idle());
  member.answer(RequestId(2), Bytes());
  CHECK(member.exchange(plain).find("Connection: close\r\n") != std::string::npos);
  CHECK(plain.shut_down);
  CHECK(member.gateway.idle());
  member.loop.advance(Duration::seconds(10));
  CHECK(member.gateway.connections() == 0);
}

TEST_CASE("a connection that never says what it speaks is closed") {
  Member member;
  Line& line = member.connect();
  member.exchange(line, "PRI");
  member.loop.advance(Duration::seconds(59));
  CHECK(!line.destroyed);
  member.loop.advance(Duration::seconds(2));
  CHECK(line.destroyed);
}

TEST_CASE("a silent client is pinged, and dropped if it does not answer") {
  Member member;
  Caller alive(member);
  Caller dead(member);
  alive.exchange();
  dead.exchange();
  member.loop.advance(Duration::seconds(7'201));
  alive.exchange();
  member.loop.advance(Duration::seconds(20));
  CHECK(!alive.line.destroyed);
  CHECK(dead.line.destroyed);
  member.loop.advance(Duration::seconds(7'100));
  CHECK(!alive.line.destroyed);
  member.loop.advance(Duration::seconds(300));
  CHECK(alive.line.destroyed);
}

TEST_CASE("a connection that breaks the rules is closed and its calls are forgotten") {
  Member member;
  Caller caller(member);
  caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  member.exchange(caller.line, std::string(9, '\xff'));
  CHECK(caller.line.shut_down);
  member.answer(RequestId(1), Bytes());
  CHECK(member.gateway.idle());
  member.close(caller.line);
  CHECK(caller.line.destroyed);
}

TEST_CASE("a stream's events reach the replica, and its chunks the client, until either ends it") {
  Member member;
  Caller caller(member);
  const auto watch = [&] { return caller.client.open("/etcdserverpb.Watch/Watch", std::nullopt); };
  const auto taken = [&] { return std::exchange(member.inbox.stream_events, {}); };
  const StreamId first = watch();
  const StreamId second = watch();
  caller.client.send(first, Bytes::copy_of("create"));
  caller.exchange();
  CHECK(taken() == std::vector<Event>{StreamOpened{RequestId(1), kv::Method::watch},
                                      StreamOpened{RequestId(2), kv::Method::watch},
                                      StreamRequest{RequestId(1), Bytes::copy_of("create")}});
  member.gateway.stream({{RequestId(1), 7, {Bytes::copy_of("cre"), Bytes::copy_of("ated")}}}, {});
  caller.exchange();
  CHECK(caller.client.take_received() == std::vector<StreamMessage>{{first, Bytes::copy_of("created")}});
  CHECK(taken() == std::vector<Event>{StreamDrained{RequestId(1), 7}});

  caller.client.cancel(second, caller.results);
  caller.exchange();
  CHECK(taken() == std::vector<Event>{StreamClosed{RequestId(2)}});
  // What was on its way to it reaches nobody.
  member.gateway.stream({{RequestId(2), 1, {Bytes::copy_of("x")}}, {RequestId(1), 1, {Bytes::copy_of("y")}}},
                        {{RequestId(2), std::nullopt}, {RequestId(1), ErrorCode::stopped}});
  caller.exchange();
  CHECK(caller.client.take_received().size() == 1);
  REQUIRE(caller.results.size() == 2);
  CHECK(caller.results[1].text == "etcdserver: server stopped");
  CHECK(member.gateway.idle());
}

TEST_CASE("a unary call may be answered in chunks, whose sender is told what has left") {
  Member member;
  Caller caller(member);
  const auto taken = [&] { return std::exchange(member.inbox.stream_events, {}); };
  caller.client.call(range, Bytes(), std::nullopt);
  const StreamId given_up = caller.client.call(range, Bytes(), std::nullopt);
  const StreamId canceled = caller.client.call(range, Bytes(), std::nullopt);
  caller.exchange();
  CHECK(member.inbox.requests.size() == 3);
  member.gateway.stream({{RequestId(1), 7, {Bytes::copy_of("ans")}}, {RequestId(2), 7, {Bytes::copy_of("an")}}}, {});
  caller.exchange();
  CHECK(taken() == std::vector<Event>{StreamDrained{RequestId(1), 3}, StreamDrained{RequestId(2), 2}});
  CHECK(caller.results.empty());
  CHECK(!member.gateway.idle());
  caller.client.cancel(given_up, caller.results);
  caller.client.cancel(canceled, caller.results);
  caller.results.clear();
  caller.exchange();
  CHECK(taken() == std::vector<Event>{StreamClosed{RequestId(2)}});
  // Of the third nothing had come: its sender learns that nobody listens when it begins.
  member.gateway.stream({{RequestId(3), 7, {Bytes::copy_of("ans")}}, {RequestId(1), 0, {Bytes::copy_of("wer!")}}},
                        {{RequestId(1), std::nullopt}, {RequestId(3), std::nullopt}});
  caller.exchange();
  CHECK(taken() == std::vector<Event>{StreamClosed{RequestId(3)}});
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].message.view() == "answer!");
  CHECK(member.gateway.idle());
}

TEST_CASE("an answer that breaks off in the middle ends as the error that it met") {
  Member member;
  Caller caller(member);
  caller.client.call(range, Bytes(), std::nullopt);
  caller.exchange();
  member.gateway.stream({{RequestId(1), 7, {Bytes::copy_of("ans")}}}, {{RequestId(1), ErrorCode::compacted}});
  caller.exchange();
  REQUIRE(caller.results.size() == 1);
  CHECK(caller.results[0].text == "etcdserver: mvcc: required revision has been compacted");
}

}  // namespace
}  // namespace metastore::api
