#include <doctest/doctest.h>

#include <algorithm>

#include "api/testing/door.h"
#include "api/testing/frames.h"

namespace metastore::api {
namespace {

using testing::Caller;
using testing::FrameWriter;
using testing::Line;
using testing::Member;

constexpr std::string_view put = "/etcdserverpb.KV/Put";
constexpr std::string_view range = "/etcdserverpb.KV/Range";
constexpr std::string_view watch = "/etcdserverpb.Watch/Watch";

SessionOptions with(std::uint64_t turn_requests) {
  SessionOptions options;
  options.limits.turn_requests = turn_requests;
  return options;
}

/// What the client wants to say.
std::string said(Caller& caller) {
  std::string bytes;
  caller.client.write_to(bytes, testing::unlimited, caller.results);
  return bytes;
}

TEST_CASE("a connection that asks much at once gets a share of each turn, and does not delay another") {
  Member member(with(10));
  Caller flood(member);
  Caller healthy(member);
  const auto ask = [&] {
    healthy.client.call(put, Bytes::copy_of("healthy"), std::nullopt);
    healthy.line.user->on_bytes(said(healthy));
  };
  ask();
  member.loop.advance(Duration::seconds(1));
  for (int i = 0; i < 25; ++i) flood.client.call(range, Bytes::copy_of("flood"), std::nullopt);
  flood.line.user->on_bytes(said(flood));
  CHECK(member.inbox.requests.size() == 11);
  ask();
  REQUIRE(member.inbox.requests.size() == 12);
  CHECK(member.inbox.requests[11].message.view() == "healthy");
  member.loop.turn();
  CHECK(flood.line.paused);
  CHECK(!healthy.line.paused);
  CHECK(member.inbox.requests.size() == 22);
  member.loop.turn();
  CHECK(member.inbox.requests.size() == 27);
  CHECK(!flood.line.paused);
  for (std::uint64_t id = 1; id <= 27; ++id) member.answer(RequestId(id), Bytes::copy_of("answer"));
  flood.exchange();
  healthy.exchange();
  CHECK(flood.results.size() == 25);
  CHECK(healthy.results.size() == 2);
  CHECK(member.gateway.idle());
}

/// Clients that say much, each for the first time or not, while one that says little goes on talking.
struct Crowd {
  explicit Crowd(bool are_known, int count = 8) {
    talk();
    talk();
    for (int i = 0; i < count; ++i) {
      floods.push_back(std::make_unique<Caller>(member));
      if (are_known) {
        floods.back()->client.call(range, Bytes(), std::nullopt);
        floods.back()->exchange();
      }
    }
    talk();
    for (const auto& flood : floods) {
      for (int j = 0; j < 100; ++j) flood->client.call(range, Bytes::copy_of(std::string(1'000, 'f')), std::nullopt);
      flood->line.user->on_bytes(said(*flood));
    }
  }

  /// It is asked at once.
  void talk() {
    const std::size_t before = messages();
    healthy.client.call(put, Bytes::copy_of("light"), std::nullopt);
    healthy.line.user->on_bytes(said(healthy));
    member.loop.turn();
    CHECK(messages() > before);
    member.loop.settle();
  }
  void talk_for(int milliseconds) {
    for (int ms = 0; ms < milliseconds; ++ms) {
      member.loop.advance(Duration::milliseconds(1));
      talk();
    }
  }
  std::size_t messages() const { return member.inbox.requests.size(); }

  Member member;
  Caller healthy{member};
  std::vector<std::unique_ptr<Caller>> floods;
};

TEST_CASE("while one client says little, all that say much have a share by the clock, however long a turn lasts") {
  const std::uint64_t bytes_a_ms = Limits().others_read_bytes;
  for (const bool are_known : {true, false}) {
    for (const std::int64_t turn_ms : {1, 4}) {
      Crowd crowd(are_known);
      const std::size_t before = crowd.messages();
      for (std::int64_t ms = 0; ms < 40; ms += turn_ms) {
        crowd.member.loop.advance(Duration::milliseconds(turn_ms));
        crowd.talk();
      }
      const std::uint64_t bytes = (crowd.messages() - before) * 1'000;
      CHECK(bytes > bytes_a_ms * 40 * 3 / 4);
      CHECK(bytes < bytes_a_ms * 40 * 3 / 2);
    }
  }
}

TEST_CASE("what many said comes in whole once nobody else speaks, and is forgotten when they end") {
  Crowd crowd(true);
  SUBCASE("they stay") {
    crowd.member.loop.advance(Duration::seconds(1));
    CHECK(crowd.messages() == 3 + 8 + 8 * 100);
  }
  SUBCASE("they end") {
    const std::size_t before = crowd.messages();
    for (const auto& flood : crowd.floods) flood->line.user->on_closed();
    crowd.member.loop.advance(Duration::seconds(1));
    CHECK(crowd.messages() == before);
  }
}

TEST_CASE("who comes behind a crowd that has much left to say is served soon") {
  Crowd crowd(false, 64);
  crowd.talk_for(20);
  Caller newcomer(crowd.member);
  newcomer.client.call(range, Bytes::copy_of("new"), std::nullopt);
  newcomer.line.user->on_bytes(said(newcomer));
  const auto is_new = [](const ClientRequest& request) { return request.message.view() == "new"; };
  const auto& requests = crowd.member.inbox.requests;
  crowd.talk_for(1);
  CHECK(std::any_of(requests.begin(), requests.end(), is_new));
}

TEST_CASE("of a client that is refused before all its words were looked at the end is still heard") {
  Member member;
  Caller healthy(member);
  for (int i = 0; i < 2; ++i) {
    healthy.client.call(put, Bytes(), std::nullopt);
    healthy.line.user->on_bytes(said(healthy));
  }
  Line& stranger = member.connect();
  stranger.user->on_bytes("nonsense\r\n\r\n" + std::string(20'000, 'x'));
  member.loop.turn();
  stranger.drain();
  member.loop.turn();
  CHECK(stranger.shut_down);
  CHECK(!stranger.paused);
}

TEST_CASE("a client's own small words do not hold back its large ones") {
  Member member;
  Caller caller(member);
  caller.client.call(put, Bytes(), std::nullopt);
  caller.exchange();
  caller.client.call(put, Bytes(), std::nullopt);
  caller.line.user->on_bytes(said(caller));
  caller.client.call(put, Bytes::copy_of(std::string(30'000, 'a')), std::nullopt);
  caller.line.user->on_bytes(said(caller));
  CHECK(member.inbox.requests.size() == 3);
}

TEST_CASE("what is given up while it waits for its turn is never asked") {
  Member member(with(2));
  Line& line = member.connect();
  FrameWriter write;
  std::string asked = FrameWriter::opening();
  asked += write.call(1, range, "1");
  asked += write.headers(3, testing::grpc_headers(watch), false);
  asked += write.call(5, range, "3");
  asked += write.headers(7, testing::grpc_headers(watch), false);
  asked += FrameWriter::data(7, testing::prefixed("create"), false);
  asked += write.call(9, range, "5");
  asked += FrameWriter::reset(5, 8) + FrameWriter::reset(7, 8);
  line.user->on_bytes(asked);
  member.settle();
  REQUIRE(member.inbox.requests.size() == 2);
  CHECK(member.inbox.requests[1].message.view() == "5");
  CHECK(member.inbox.stream_events == std::vector<Event>{StreamOpened{RequestId(2), kv::Method::watch}});
  line.user->on_bytes(FrameWriter::reset(3, 8));
  CHECK(member.inbox.stream_events.back() == Event{StreamClosed{RequestId(2)}});
}

TEST_CASE("a connection that ends with requests waiting leaves nothing behind") {
  Member member(with(1));
  Line& line = member.connect();
  FrameWriter write;
  std::string asked = FrameWriter::opening();
  for (const std::int32_t stream : {1, 3, 5, 7}) asked += write.call(stream, range, "list");
  asked += write.headers(9, testing::grpc_headers(watch), false);
  asked += FrameWriter::data(9, testing::prefixed("create"), true);
  line.user->on_bytes(asked);
  member.close(line);
  CHECK(member.inbox.requests.size() == 1);
  CHECK(member.inbox.stream_events.empty());
  member.answer(RequestId(1), Bytes());
  Caller other(member);
  other.client.call(range, Bytes(), std::nullopt);
  other.exchange();
  CHECK(member.inbox.requests.size() == 2);
  member.answer(RequestId(6), Bytes());
  other.exchange();
  CHECK(other.results.size() == 1);
  CHECK(member.gateway.idle());
}

TEST_CASE("of those that take much a turn serves as many as it bears, behind those that take little") {
  SessionOptions options;
  options.limits.connection_write_bytes = 100'000;
  options.limits.turn_write_bytes = 200'000;
  Member member(options);
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 4; ++i) {
    callers.push_back(std::make_unique<Caller>(member));
    callers.back()->exchange();
    callers.back()->client.call(range, Bytes(), std::nullopt);
    callers.back()->exchange();
  }
  const auto writing = [&] {
    std::string which;
    for (const auto& caller : callers) which += caller->line.writing ? 'w' : '-';
    return which;
  };
  for (std::uint64_t id = 1; id <= 3; ++id) member.answer(RequestId(id), Bytes::copy_of(std::string(300'000, 'a')));
  member.answer(RequestId(4), Bytes::copy_of("small"));
  member.loop.turn();
  CHECK(writing() == "ww-w");
  callers[0]->line.drain();
  callers[1]->line.drain();
  member.loop.turn();
  CHECK(writing() == "w-ww");
  member.loop.turn();
  CHECK(writing() == "wwww");
  for (const auto& caller : callers) {
    caller->exchange();
    CHECK(caller->results.size() == 1);
  }
}

TEST_CASE("on one connection what a watch is told goes before the rest of a large answer") {
  SessionOptions options;
  options.limits.connection_write_bytes = 50'000;
  Member member(options);
  Line& line = member.connect();
  FrameWriter write;
  std::string asked =
      FrameWriter::preface() + FrameWriter::settings({{4, 10'000'000}}) + FrameWriter::window_update(0, 10'000'000);
  asked += write.call(1, range, "list");
  asked += write.headers(3, testing::grpc_headers(watch), false);
  member.exchange(line, asked);
  member.answer(RequestId(1), Bytes::copy_of(std::string(400'000, 'a')));
  member.loop.turn();
  member.gateway.stream({{RequestId(2), 100'000, {Bytes::copy_of(std::string(100'000, 'b'))}}}, {});
  member.settle();
  testing::FrameReader read;
  std::string order;
  for (const std::string& frame : read.read(line.take())) {
    if (frame.starts_with("DATA 1")) order += 'l';
    if (frame.starts_with("DATA 3")) order += 'w';
  }
  CHECK(read.body(1).size() == 400'005);
  CHECK(read.body(3).size() == 100'005);
  const std::size_t first = order.find('w');
  CHECK(first < 6);
  CHECK(std::count(order.begin() + static_cast<std::ptrdiff_t>(first),
                   order.begin() + static_cast<std::ptrdiff_t>(order.rfind('w')), 'l') <= 1);
}

}  // namespace
}  // namespace metastore::api
