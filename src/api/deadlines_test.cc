#include <doctest/doctest.h>

#include "api/testing/door.h"
#include "api/testing/frames.h"

namespace metastore::api {
namespace {

using testing::FrameWriter;
using testing::Line;
using testing::Member;

constexpr std::string_view put = "/etcdserverpb.KV/Put";
constexpr std::string_view watch = "/etcdserverpb.Watch/Watch";
constexpr Duration deadline = Duration::seconds(60);
constexpr Duration moment = Duration::milliseconds(1);
constexpr int end_headers = 4;

/// Frames by hand on a line whose socket takes everything, unless a test says otherwise.
struct Slow {
  explicit Slow(SessionOptions options = {}) : member(options), line(member.connect()) {}

  void say(std::string_view bytes) { member.exchange(line, bytes); }
  /// True if the connection is there until the deadline, and not behind it.
  bool ends_at(Duration later) {
    member.loop.advance(later - moment);
    member.loop.settle();
    if (line.destroyed) return false;
    member.loop.advance(moment);
    member.loop.settle();
    return line.destroyed;
  }
  bool stays_for(Duration later) {
    member.loop.advance(later);
    member.loop.settle();
    return !line.destroyed;
  }

  Member member;
  Line& line;
  FrameWriter write;
};

TEST_CASE("a preface that is not whole ends at the deadline, wherever it stopped") {
  const std::string whole = FrameWriter::preface() + FrameWriter::settings();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    Slow slow;
    if (size > 0) slow.say(whole.substr(0, size));
    CHECK(slow.ends_at(deadline));
  }
  Slow greeted;
  greeted.say(whole);
  CHECK(greeted.stays_for(deadline * 3));
}

TEST_CASE("a head that comes in drops ends at the deadline from its beginning") {
  Slow slow;
  slow.say(FrameWriter::opening());
  CHECK(slow.stays_for(deadline));
  const std::string head = slow.write.headers(1, testing::grpc_headers(put), false).substr(9);
  slow.say(FrameWriter::frame(1, 0, 1, head));
  for (int i = 0; i < 5; ++i) {
    CHECK(slow.stays_for(deadline / 6));
    slow.say(FrameWriter::frame(9, 0, 1, {}));
  }
  CHECK(slow.ends_at(deadline / 6));
}

TEST_CASE("a whole head ends its deadline, and the message has its own, from its last piece") {
  Slow slow;
  const std::string head = slow.write.headers(1, testing::grpc_headers(put), false).substr(9);
  const std::string message = testing::prefixed("question");
  slow.say(FrameWriter::opening() + FrameWriter::frame(1, 0, 1, head));
  CHECK(slow.stays_for(deadline - moment));
  slow.say(FrameWriter::frame(9, end_headers, 1, {}));
  for (const char byte : message) {
    slow.say(FrameWriter::data(1, std::string(1, byte), false));
    CHECK(slow.stays_for(deadline - moment));
  }
  slow.say(FrameWriter::data(1, {}, true));
  CHECK(slow.member.inbox.requests.size() == 1);
  CHECK(slow.stays_for(deadline * 3));
  slow.say(slow.write.headers(3, testing::grpc_headers(put), false) +
           FrameWriter::data(3, std::string(1, '\0'), false));
  CHECK(slow.ends_at(deadline));
}

TEST_CASE("the oldest of many silent messages counts, though others go on, end or are given up") {
  Slow slow;
  slow.say(FrameWriter::opening());
  for (const std::int32_t stream : {1, 3, 5, 7}) {
    slow.say(slow.write.headers(stream, testing::grpc_headers(put), false));
    slow.stays_for(Duration::seconds(1));
  }
  slow.say(FrameWriter::reset(1, 8));
  slow.say(FrameWriter::data(3, testing::prefixed("whole"), true));
  slow.say(FrameWriter::data(7, std::string(1, '\0'), false));
  CHECK(slow.ends_at(deadline - Duration::seconds(2)));
}

TEST_CASE("a stream may be silent between its messages, not within one") {
  Slow slow;
  slow.say(FrameWriter::opening() + slow.write.headers(1, testing::grpc_headers(watch), false));
  slow.say(FrameWriter::data(1, testing::prefixed("request"), false));
  CHECK(slow.stays_for(deadline * 3));
  const std::string message = testing::prefixed("another");
  slow.say(FrameWriter::data(1, message.substr(0, 7), false));
  CHECK(slow.stays_for(deadline - moment));
  slow.say(FrameWriter::data(1, message.substr(7), false));
  CHECK(slow.stays_for(deadline * 3));
  slow.say(FrameWriter::data(1, std::string(1, '\0'), false));
  CHECK(slow.ends_at(deadline));
}

TEST_CASE("an HTTP/1 request that comes in drops ends at the deadline from its beginning") {
  Slow slow;
  const std::string version = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
  slow.say(version);
  CHECK(slow.stays_for(deadline * 3));
  slow.say(version + version.substr(0, 5));
  for (int i = 0; i < 5; ++i) {
    CHECK(slow.stays_for(deadline / 6));
    slow.say("x");
  }
  CHECK(slow.ends_at(deadline / 6));
}

TEST_CASE("a client whose socket takes nothing is closed at the deadline, one that takes something in time is not") {
  Slow slow;
  slow.say(FrameWriter::opening() + slow.write.call(1, put, "a"));
  slow.say(slow.write.call(3, put, "b"));
  slow.member.answer(RequestId(1), Bytes::copy_of("answer"));
  slow.member.loop.settle();
  CHECK(slow.line.writing);
  CHECK(slow.stays_for(deadline - moment));
  slow.line.drain();
  CHECK(slow.stays_for(deadline * 3));
  slow.member.answer(RequestId(2), Bytes::copy_of("answer"));
  slow.member.loop.settle();
  CHECK(slow.ends_at(deadline));
}

TEST_CASE("a client that gives no room for its reply is closed at the deadline, though it pings and talks") {
  Slow slow;
  slow.say(FrameWriter::preface() + FrameWriter::settings({{4, 0}}) + slow.write.call(1, put, "a"));
  slow.say(slow.write.call(3, "/no.Service/Method", "b"));
  slow.member.answer(RequestId(1), Bytes::copy_of("the answer"));
  slow.say({});
  for (int i = 0; i < 3; ++i) {
    CHECK(slow.stays_for(deadline - moment));
    slow.say(FrameWriter::window_update(1, 2));
  }
  CHECK(slow.stays_for(deadline / 2));
  slow.say(FrameWriter::ping());
  slow.say(slow.write.call(5, "/no.Service/Method", "b"));
  CHECK(slow.ends_at(deadline / 2));
}

TEST_CASE("a client that is never without answers to take, and takes them, stays") {
  Slow slow;
  slow.say(FrameWriter::opening());
  std::int32_t stream = 1;
  for (int i = 0; i < 100; ++i) {
    slow.line.user->on_bytes(slow.write.call(stream, "/no.Service/Method", "a"));
    slow.member.loop.settle();
    REQUIRE(slow.line.writing);
    slow.line.user->on_bytes(slow.write.call(stream + 2, "/no.Service/Method", "a"));
    REQUIRE(slow.stays_for(deadline / 5));
    slow.line.drain();
    slow.member.loop.settle();
    stream += 4;
  }
  CHECK(!slow.line.destroyed);
}

}  // namespace
}  // namespace metastore::api
