#include "api/http2_client.h"

#include <doctest/doctest.h>

#include "api/http2_session.h"
#include "core/base/prng.h"

namespace metastore::api {
namespace {

constexpr std::string_view put = "/etcdserverpb.KV/Put";
constexpr std::string_view watch = "/etcdserverpb.Watch/Watch";
constexpr std::size_t unlimited = 1u << 30;

/// A client and a session that hand each other their bytes, in pieces of `piece`.
struct Wire {
  explicit Wire(std::size_t piece_bytes = unlimited, Http2ClientOptions client_options = {})
      : piece(piece_bytes), client(client_options), session(SessionOptions{}, ids) {}

  /// Until neither has anything to say. Returns the bytes that went over.
  std::size_t exchange() {
    std::size_t total = 0;
    for (;;) {
      std::string to_server;
      client.write_to(to_server, piece, results);
      session.receive(to_server, now, events);
      std::string to_client;
      session.write_to(to_client, piece, events);
      for (std::size_t at = 0; at < to_client.size(); at += piece) {
        client.receive(BytesView(to_client).substr(at, piece), results);
      }
      if (to_server.empty() && to_client.empty()) return total;
      total += to_server.size() + to_client.size();
    }
  }
  CallReceived call(std::size_t index) { return std::get<CallReceived>(events.at(index)); }

  std::size_t piece;
  Instant now;
  RequestIds ids;
  Http2Client client;
  Http2Session session;
  std::vector<CallEvent> events;
  std::vector<CallResult> results;
};

TEST_CASE("a client's call reaches the session and its answer comes back") {
  Wire wire;
  const StreamId stream = wire.client.call(put, Bytes::copy_of("question"), Duration::seconds(3));
  wire.exchange();
  REQUIRE(wire.events.size() == 1);
  CHECK(wire.call(0).message.view() == "question");
  CHECK(wire.call(0).method == kv::Method::put);
  CHECK(wire.call(0).deadline == wire.now + Duration::seconds(3));
  CHECK(wire.client.calls_open() == 1);
  wire.session.reply(wire.call(0).stream, Bytes::copy_of("answer"));
  wire.exchange();
  REQUIRE(wire.results.size() == 1);
  CHECK(wire.results[0] == CallResult{stream, StatusCode::ok, "", Bytes::copy_of("answer"), Outcome::unknown});
  CHECK(wire.client.calls_open() == 0);
}

TEST_CASE("a status comes back with its text") {
  Wire wire;
  wire.client.call(put, Bytes(), std::nullopt);
  wire.exchange();
  wire.session.fail(wire.call(0).stream, {StatusCode::out_of_range, "100% \xc3\xa4"});
  wire.client.call("/etcdserverpb.KV/Nope", Bytes::copy_of(std::string(500'000, 'x')), std::nullopt);
  wire.exchange();
  REQUIRE(wire.results.size() == 2);
  CHECK(wire.results[0].code == StatusCode::out_of_range);
  CHECK(wire.results[0].text == "100% \xc3\xa4");
  CHECK(wire.results[1].code == StatusCode::unimplemented);
  CHECK(wire.results[1].text == "unknown method Nope for service etcdserverpb.KV");
}

TEST_CASE("a canceled call is reported once, and the session hears of it, at whatever point it was") {
  for (const std::size_t portion : {std::size_t{1}, std::size_t{200}, unlimited}) {
    Wire wire;
    wire.exchange();
    const StreamId stream = wire.client.call(put, Bytes::copy_of(std::string(100'000, 'x')), std::nullopt);
    std::string bytes;
    wire.client.write_to(bytes, portion, wire.results);
    wire.session.receive(bytes, wire.now, wire.events);
    wire.client.cancel(stream, wire.results);
    wire.exchange();
    REQUIRE(wire.results.size() == 1);
    CHECK(wire.results[0].code == StatusCode::canceled);
    CHECK(wire.session.calls_open() == 0);
    wire.client.call(put, Bytes::copy_of("next"), std::nullopt);
    wire.events.clear();
    wire.exchange();
    REQUIRE(wire.events.size() == 1);
    wire.session.reply(wire.call(0).stream, Bytes::copy_of("answer"));
    wire.exchange();
    REQUIRE(wire.results.size() == 2);
    CHECK(wire.results[1].message.view() == "answer");
  }
  Wire unsent;
  unsent.client.cancel(unsent.client.call(put, Bytes(), std::nullopt), unsent.results);
  unsent.exchange();
  CHECK(unsent.results.size() == 1);
  CHECK(unsent.events.empty());
}

TEST_CASE("GOAWAY makes the client unusable, and calls it never looked at are known to be refused") {
  Wire wire;
  wire.client.call(put, Bytes::copy_of("first"), std::nullopt);
  wire.exchange();
  wire.session.begin_shutdown();
  const StreamId late = wire.client.call(put, Bytes::copy_of("late"), std::nullopt);
  wire.exchange();
  CHECK(!wire.client.usable());
  REQUIRE(wire.results.size() == 1);
  CHECK(wire.results[0].stream == late);
  CHECK(wire.results[0].outcome == Outcome::refused);
  wire.session.reply(wire.call(0).stream, Bytes::copy_of("answer"));
  wire.exchange();
  CHECK(wire.results.size() == 2);
  CHECK(wire.session.finished());
}

TEST_CASE("a lost connection ends every call with an unknown outcome") {
  Wire wire;
  wire.client.call(put, Bytes::copy_of("a"), std::nullopt);
  wire.exchange();
  wire.client.call(put, Bytes::copy_of("b"), std::nullopt);
  wire.client.close(wire.results);
  REQUIRE(wire.results.size() == 2);
  for (const CallResult& result : wire.results) {
    CHECK(result.code == StatusCode::unavailable);
    CHECK(result.outcome == Outcome::unknown);
  }
  CHECK(wire.exchange() == 0);
  CHECK(wire.client.calls_open() == 0);
}

TEST_CASE("many calls of random sizes at once come through small windows and small pieces") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Prng prng(seed, "wire");
    Http2ClientOptions options;
    options.stream_window_bytes = static_cast<std::uint32_t>(prng.between(1, 100'000));
    Wire wire(static_cast<std::size_t>(prng.between(1, 30'000)), options);
    std::map<StreamId, std::string> expected;
    for (int round = 0; round < 20; ++round) {
      for (std::uint64_t calls = prng.below(10); calls > 0; --calls) {
        const std::string message(prng.below(prng.chance(1, 10) ? 200'000 : 300), static_cast<char>(prng.next()));
        expected[wire.client.call(put, Bytes::copy_of(message), std::nullopt)] = "echo " + message;
      }
      wire.exchange();
      for (const CallEvent& event : std::exchange(wire.events, {})) {
        const auto& call = std::get<CallReceived>(event);
        wire.session.reply(call.stream, Bytes::copy_of("echo " + std::string(call.message.view())));
      }
    }
    wire.exchange();
    CHECK(wire.results.size() == expected.size());
    for (const CallResult& result : wire.results) {
      CHECK(result.code == StatusCode::ok);
      CHECK(result.message.view() == expected.at(result.stream));
    }
  }
}

TEST_CASE("messages travel both ways on a stream, in pieces of any size, until both have said their last") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, unlimited}) {
    Wire wire(piece);
    const StreamId stream = wire.client.open(watch, Duration::seconds(3), {{"hasleader", "true"}});
    wire.exchange();
    REQUIRE(wire.events.size() == 1);
    const auto opened = std::get<CallOpened>(wire.events[0]);
    CHECK(opened == CallOpened{RequestId(1), opened.stream, kv::Method::watch, wire.now + Duration::seconds(3), true});
    wire.events.clear();

    wire.client.send(stream, Bytes::copy_of("one"));
    wire.client.send(stream, Bytes());
    wire.exchange();
    wire.client.end(stream);
    wire.exchange();
    CHECK(wire.events == std::vector<CallEvent>{StreamRequest{opened.id, Bytes::copy_of("one")},
                                                StreamRequest{opened.id, Bytes()}, StreamRequestsEnded{opened.id}});
    wire.events.clear();

    wire.session.send(opened.stream, 6, {Bytes::copy_of("ans")});
    wire.exchange();
    CHECK(wire.client.take_received().empty());
    wire.session.send(opened.stream, 0, {Bytes::copy_of("w"), Bytes::copy_of("er")});
    wire.session.send(opened.stream, 4, {Bytes::copy_of("more")});
    wire.exchange();
    CHECK(wire.client.take_received() ==
          std::vector<StreamMessage>{{stream, Bytes::copy_of("answer")}, {stream, Bytes::copy_of("more")}});
    std::uint64_t drained = 0;
    for (const CallEvent& event : wire.events) drained += std::get<StreamDrained>(event).bytes;
    CHECK(drained == 10);
    CHECK(wire.session.waiting_bytes() == 0);
    CHECK(wire.results.empty());

    wire.session.finish(opened.stream);
    wire.exchange();
    CHECK(wire.results == std::vector<CallResult>{{stream, StatusCode::ok, "", Bytes(), Outcome::unknown}});
    CHECK(wire.session.calls_open() == 0);
  }
}

TEST_CASE("a stream ends with a status, before its first message or behind it") {
  for (const bool answered : {false, true}) {
    Wire wire;
    const StreamId stream = wire.client.open(watch, std::nullopt);
    wire.exchange();
    const auto opened = std::get<CallOpened>(wire.events.at(0));
    if (answered) wire.session.send(opened.stream, 1, {Bytes::copy_of("x")});
    wire.session.fail(opened.stream, {StatusCode::unavailable, "etcdserver: no leader"});
    wire.exchange();
    CHECK(wire.client.take_received().size() == (answered ? 1 : 0));
    CHECK(wire.results == std::vector<CallResult>{
                              {stream, StatusCode::unavailable, "etcdserver: no leader", Bytes(), Outcome::unknown}});
  }
}

TEST_CASE("a stream's client that breaks a rule gets a failure, and one that goes away is told of once") {
  Wire wire;
  const StreamId broken = wire.client.open(watch, std::nullopt);
  const StreamId left = wire.client.open(watch, std::nullopt);
  wire.client.send(broken, Bytes::copy_of(std::string(3'000'000, 'x')));
  wire.exchange();
  wire.client.cancel(left, wire.results);
  wire.exchange();
  std::vector<RequestId> canceled;
  for (const CallEvent& event : wire.events) {
    if (const auto* cancel = std::get_if<CallCanceled>(&event)) canceled.push_back(cancel->id);
  }
  CHECK(canceled == std::vector<RequestId>{RequestId(1), RequestId(2)});
  REQUIRE(wire.results.size() == 2);
  CHECK(wire.results[0].code == StatusCode::resource_exhausted);
  CHECK(wire.session.calls_open() == 0);
}

}  // namespace
}  // namespace metastore::api
