// Clients that lie: arbitrary bytes and valid conversations with damage, in pieces of any size, while the replica
// answers when it likes. Whatever comes, the door must not crash, must answer or cancel every call exactly once (the
// gateway asserts that) and must owe nothing in the end.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/testing/frames.h"
#include "api/testing/ports.h"
#include "core/base/prng.h"

namespace metastore::api {
namespace {

using testing::FrameWriter;
using testing::Headers;

std::string random_bytes(Prng& prng, std::uint64_t size_max) {
  std::string bytes(prng.below(size_max + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(prng.next());
  return bytes;
}

/// A tame client makes calls, pings and resets only; a wild one says anything.
std::string random_frame(Prng& prng, bool wild, FrameWriter& write, std::int32_t& stream) {
  const auto some_stream = static_cast<std::int32_t>(prng.below(static_cast<std::uint64_t>(stream) + 3));
  Headers headers = testing::grpc_headers(prng.chance(3, 4) ? "/etcdserverpb.KV/Put" : "/etcdserverpb.Watch/Watch");
  switch (wild ? prng.below(13) : 9 + prng.below(7)) {
    case 0:
      return FrameWriter::ping(prng.chance(1, 4));
    case 1:
      return FrameWriter::reset(some_stream, static_cast<std::uint32_t>(prng.below(14)));
    case 2:
      return FrameWriter::window_update(some_stream, static_cast<std::uint32_t>(prng.below(1u << prng.below(32))));
    case 3:
      return FrameWriter::settings(
          {{static_cast<int>(prng.below(8)), static_cast<std::uint32_t>(prng.below(1u << prng.below(32)))}});
    case 4:
      return FrameWriter::data(some_stream, testing::prefixed(random_bytes(prng, 50)), prng.chance(1, 2));
    case 5:
      return FrameWriter::data(some_stream, random_bytes(prng, 50), prng.chance(1, 2));
    case 6:
      return FrameWriter::frame(static_cast<int>(prng.below(12)), static_cast<int>(prng.below(256)), some_stream,
                                random_bytes(prng, 30));
    case 7:
      headers.emplace_back(prng.chance(1, 2) ? "grpc-timeout" : "hasleader", prng.chance(1, 2) ? "1m" : "true");
      return write.headers(stream += 2, headers, prng.chance(1, 4));
    case 8:
      headers.erase(headers.begin() + static_cast<std::ptrdiff_t>(prng.below(headers.size())));
      return write.headers(stream += 2, headers, prng.chance(1, 2));
    case 9:
      stream += 2;
      return write.call(stream, "/etcdserverpb.KV/Put", "x") + FrameWriter::reset(stream, 8);
    case 10:
      return FrameWriter::ping();
    default:
      return write.call(stream += 2, "/etcdserverpb.KV/Put", random_bytes(prng, prng.chance(1, 20) ? 40'000 : 100));
  }
}

std::string http2_conversation(Prng& prng) {
  FrameWriter write;
  std::int32_t stream = -1;
  std::string bytes = FrameWriter::preface() + FrameWriter::settings();
  const bool wild = prng.chance(1, 2);
  for (std::uint64_t frames = prng.below(30); frames > 0; --frames) bytes += random_frame(prng, wild, write, stream);
  return bytes;
}

std::string http1_conversation(Prng& prng) {
  constexpr std::string_view requests[] = {
      "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /version HTTP/1.1\r\nHost: x\r\n\r\n",
      "POST /v3/kv/put HTTP/1.1\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
      "GET /health?serializable=true HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  };
  std::string bytes;
  for (std::uint64_t count = prng.below(6); count > 0; --count) bytes += requests[prng.below(std::size(requests))];
  return bytes;
}

void damage(Prng& prng, std::string& bytes) {
  for (std::uint64_t wounds = prng.below(4); wounds > 0 && !bytes.empty(); --wounds) {
    const std::size_t at = prng.below(bytes.size());
    const std::size_t size = prng.below(std::min<std::size_t>(bytes.size() - at, 40) + 1);
    switch (prng.below(4)) {
      case 0:
        bytes[at] = static_cast<char>(prng.next());
        break;
      case 1:
        bytes.erase(at, size);
        break;
      case 2:
        bytes.insert(at, bytes.substr(at, size));
        break;
      default:
        bytes.insert(at, random_bytes(prng, 10));
        break;
    }
  }
}

struct Siege {
  explicit Siege(std::uint64_t seed) : prng(seed, "siege"), gateway(drawn_options(prng), loop, inbox, facts) {}

  static SessionOptions drawn_options(Prng& prng) {
    SessionOptions options;
    if (prng.chance(1, 2)) return options;
    options.limits.connection_send_bytes_max = prng.below(5'000) + 1;
    options.limits.connection_reply_bytes_max = prng.below(50'000);
    options.limits.connection_streams_max = prng.below(10) + 1;
    options.limits.stream_window_bytes = prng.below(70'000);
    options.limits.request_bytes_max = prng.below(30'000);
    options.limits.header_bytes_max = prng.below(1'000);
    options.limits.resets_burst_max = prng.below(5);
    options.limits.connections_max = prng.below(3) + 1;
    options.keepalive_interval = Duration::milliseconds(prng.between(1, 1'000));
    options.limits.client_deadline_ms = prng.between(1, 1'000);
    options.limits.turn_requests = prng.below(5) + 1;
    options.limits.connection_write_bytes = prng.below(5'000) + 1;
    options.limits.turn_write_bytes = prng.below(10'000) + 1;
    return options;
  }

  std::string conversation() {
    std::string bytes = prng.chance(3, 4) ? http2_conversation(prng) : http1_conversation(prng);
    if (prng.chance(1, 20)) bytes = random_bytes(prng, 500);
    if (prng.chance(1, 10)) bytes = FrameWriter::preface() + random_bytes(prng, 500);
    if (prng.chance(2, 3)) damage(prng, bytes);
    return bytes;
  }

  void answer_one() {
    if (inbox.requests.empty()) return;
    const std::size_t index = prng.below(inbox.requests.size());
    std::vector<Reply> replies;
    replies.push_back({inbox.requests[index].id, ErrorCode::no_leader});
    if (prng.chance(3, 4)) replies[0].result = Bytes::copy_of(random_bytes(prng, prng.chance(1, 10) ? 100'000 : 100));
    inbox.requests.erase(inbox.requests.begin() + static_cast<std::ptrdiff_t>(index));
    gateway.reply(std::move(replies));
  }

  void drain_all() {
    for (const auto& line : lines) {
      if (!line->destroyed) line->drain();
    }
  }

  void run() {
    for (std::uint64_t clients = prng.below(4) + 1; clients > 0; --clients) {
      lines.push_back(std::make_unique<testing::Line>());
      testing::Line& line = *lines.back();
      gateway.on_accepted(std::make_unique<testing::LineConnection>(line));
      std::string bytes = conversation();
      while (!bytes.empty() && !line.destroyed) {
        const std::size_t piece = prng.below(prng.chance(1, 2) ? bytes.size() : 20) + 1;
        if (!line.paused) {
          line.user->on_bytes(BytesView(bytes).substr(0, piece));
          bytes.erase(0, piece);
        }
        if (prng.chance(1, 2) || line.paused) loop.settle();
        if (prng.chance(1, 2) || line.paused) drain_all();
        if (prng.chance(1, 3)) answer_one();
        if (prng.chance(1, 50)) loop.advance(Duration::milliseconds(prng.between(0, 300)));
      }
      if (prng.chance(1, 3) && !line.destroyed) line.user->on_closed();
    }
    if (prng.chance(1, 2)) gateway.begin_shutdown();
    while (!inbox.requests.empty()) answer_one();
    for (int i = 0; i < 300; ++i) {
      loop.settle();
      drain_all();
    }
    for (const auto& line : lines) {
      if (!line->destroyed) line->user->on_closed();
    }
    loop.settle();
  }

  Prng prng;
  testing::HandLoop loop;
  testing::HandInbox inbox;
  testing::HandFacts facts;
  std::vector<std::unique_ptr<testing::Line>> lines;
  Gateway gateway;
};

TEST_CASE("no bytes from outside break the door or leave it owing anything") {
  std::uint64_t posted = 0;
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    CAPTURE(seed);
    Siege siege(seed);
    siege.run();
    CHECK(siege.gateway.connections() == 0);
    CHECK(siege.gateway.idle());
    posted += siege.gateway.ids().last().value();
  }
  // The damage must leave enough calls whole, or nothing was tested.
  CHECK(posted > 10'000);
}

/// `bytes` in pieces of any size give the same events; these are returned.
std::vector<CallEvent> events_of(std::string_view bytes) {
  const auto run = [bytes](std::size_t piece) {
    RequestIds ids;
    Http2Session session(SessionOptions{}, ids);
    std::vector<CallEvent> events;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      session.receive(bytes.substr(at, piece), Instant(), events);
    }
    session.close(events);
    return events;
  };
  const auto whole = run(bytes.size());
  for (std::size_t piece = 1; piece < bytes.size(); ++piece) CHECK(run(piece) == whole);
  return whole;
}

TEST_CASE("what a client says behind the end of its connection changes nothing") {
  FrameWriter write;
  std::string bytes = FrameWriter::opening() + write.call(1, "/etcdserverpb.KV/Put", "a");
  bytes += write.call(3, "/etcdserverpb.KV/Put", "b");
  for (int i = 0; i < 5; ++i) bytes += FrameWriter::ping();
  bytes += FrameWriter::reset(3, 8);
  CHECK(events_of(bytes).size() == 4);
}

TEST_CASE("an :authority that is a whole URL harms nobody: etcd's clients send it") {
  FrameWriter write;
  Headers headers = testing::grpc_headers("/etcdserverpb.KV/Put");
  headers[3].second = "http://127.0.0.1:2379";
  const auto events = events_of(FrameWriter::opening() + write.headers(1, headers, false) +
                                FrameWriter::data(1, testing::prefixed("message"), true));
  REQUIRE(events.size() == 2);
  CHECK(std::holds_alternative<CallReceived>(events[0]));
}

TEST_CASE("a message is heard though the one behind it in the same frame breaks a rule") {
  FrameWriter write;
  std::string bytes = FrameWriter::opening();
  bytes += write.headers(1, testing::grpc_headers("/etcdserverpb.Watch/Watch"), false);
  bytes += FrameWriter::data(1, testing::prefixed("good") + testing::prefixed("bad", 7), false);
  const auto events = events_of(bytes);
  REQUIRE(events.size() == 3);
  CHECK(std::holds_alternative<StreamRequest>(events[1]));
}

}  // namespace
}  // namespace metastore::api
