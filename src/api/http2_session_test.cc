#include "api/http2_session.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "api/rpc.h"
#include "api/testing/frames.h"

namespace doctest {
template <>
struct StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += "\n  " + line;
    return text.c_str();
  }
};
}  // namespace doctest

namespace metastore::api {
namespace {

using testing::FrameReader;
using testing::FrameWriter;
using testing::grpc_headers;
using testing::prefixed;
using Lines = std::vector<std::string>;

constexpr std::string_view put = "/etcdserverpb.KV/Put";
constexpr std::size_t unlimited = 1u << 30;

/// A session with a hand-written client, past the exchange of settings. Answers are the test's business.
struct Door {
  explicit Door(SessionOptions session_options = {}) : options(session_options), session(options, ids) {
    receive(FrameWriter::opening());
    opening = lines();
  }

  void receive(std::string_view bytes) { session.receive(bytes, now, events); }
  /// What the session has to say, as far as it may, one line a frame.
  Lines lines() {
    std::string out;
    session.write_to(out, unlimited, events);
    return reader.read(out);
  }
  CallReceived call() {
    REQUIRE(!events.empty());
    REQUIRE(std::holds_alternative<CallReceived>(events.front()));
    CallReceived received = std::get<CallReceived>(events.front());
    events.erase(events.begin());
    return received;
  }

  SessionOptions options;
  RequestIds ids;
  Instant now = Instant::from_nanoseconds(1'000'000'000);
  Http2Session session;
  FrameWriter write;
  FrameReader reader;
  std::vector<CallEvent> events;
  Lines opening;
};

TEST_CASE("a session opens with its settings and a wide connection window") {
  CHECK(Door().opening == Lines{"SETTINGS 3=4294967295 4=1048576 6=65536", "SETTINGS ack", "WINDOW_UPDATE 0 +4128769"});
}

TEST_CASE("a unary call is received whole and answered with headers, data and trailers") {
  Door door;
  door.receive(door.write.call(1, put, "question"));
  const CallReceived call = door.call();
  CHECK(call.id == RequestId(1));
  CHECK(call.stream == StreamId(1));
  CHECK(call.method == kv::Method::put);
  CHECK(call.message.view() == "question");
  CHECK(call.deadline == Instant::never());
  CHECK(door.session.calls_open() == 1);
  CHECK(door.lines().empty());
  door.session.reply(call.stream, Bytes::copy_of("answer"));
  CHECK(door.session.calls_open() == 0);
  CHECK(door.session.waiting_bytes() == 11);
  CHECK(door.lines() ==
        Lines{"HEADERS 1: :status=200 content-type=application/grpc", "DATA 1 11", "HEADERS 1 end: grpc-status=0"});
  CHECK(door.reader.body(1) == prefixed("answer"));
  CHECK(door.session.waiting_bytes() == 0);
  CHECK(door.events.empty());
}

TEST_CASE("an empty message is a message") {
  Door door;
  door.receive(door.write.call(1, put, ""));
  const CallReceived call = door.call();
  CHECK(call.message.empty());
  door.session.reply(call.stream, Bytes());
  CHECK(door.lines() ==
        Lines{"HEADERS 1: :status=200 content-type=application/grpc", "DATA 1 5", "HEADERS 1 end: grpc-status=0"});
}

TEST_CASE("an error is trailers only, its text percent-encoded") {
  Door door;
  door.receive(door.write.call(1, put, "question"));
  door.session.fail(door.call().stream, {StatusCode::invalid_argument, "50% of it\n"});
  CHECK(door.lines() == Lines{"HEADERS 1 end: :status=200 content-type=application/grpc grpc-status=3 "
                              "grpc-message=50%25 of it%0A grpc-accept-encoding=identity"});
}

TEST_CASE("a message may be split over frames, down to single bytes and empty frames") {
  Door door;
  door.receive(door.write.headers(1, grpc_headers(put), false));
  for (const char c : prefixed("question")) {
    door.receive(FrameWriter::data(1, std::string(1, c), false));
    door.receive(FrameWriter::data(1, "", false));
  }
  CHECK(door.events.empty());
  door.receive(FrameWriter::data(1, "", true));
  CHECK(door.call().message.view() == "question");
}

TEST_CASE("any chunking of the bytes gives the same events and the same answers") {
  const auto run = [](std::size_t piece) {
    Door door;
    std::string bytes = door.write.call(1, put, "one");
    bytes += door.write.headers(3, grpc_headers("/etcdserverpb.KV/Range"), false);
    bytes += FrameWriter::ping();
    bytes += FrameWriter::data(3, prefixed("two").substr(0, 4), false);
    bytes += door.write.call(5, put, "three");
    bytes += FrameWriter::reset(5, 8);
    bytes += FrameWriter::data(3, prefixed("two").substr(4), true);
    bytes += door.write.call(7, "/etcdserverpb.KV/Nope", "four");
    bytes += door.write.call(9, put, "five");
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      door.receive(std::string_view(bytes).substr(at, piece));
      door.session.write_to(out, unlimited, door.events);
    }
    // Whether a refusal also spares the client the rest depends on how much of it had come.
    Lines lines = door.reader.read(out);
    std::erase(lines, "RST_STREAM 7 code=0");
    return std::pair(door.events, lines);
  };
  const auto whole = run(1'000'000);
  CHECK(whole.first.size() == 5);
  CHECK(std::holds_alternative<CallCanceled>(whole.first[2]));
  for (std::size_t piece = 1; piece < 400; ++piece) {
    const auto cut = run(piece);
    CHECK(cut.first == whole.first);
    CHECK(cut.second == whole.second);
  }
}

std::string refusal(int code, std::string_view message, std::string_view http_status = "200") {
  return "HEADERS 1 end: :status=" + std::string(http_status) +
         " content-type=application/grpc grpc-status=" + std::to_string(code) +
         " grpc-message=" + std::string(message) + " grpc-accept-encoding=identity";
}

TEST_CASE("what is wrong with a request is refused at once, without waiting for its body") {
  const auto answer = [](std::string_view name, std::string_view value) {
    Door door;
    testing::Headers headers = grpc_headers(put);
    bool replaced = false;
    for (auto& header : headers) {
      if (header.first == name) header.second = value, replaced = true;
    }
    if (!replaced) headers.emplace_back(name, value);
    door.receive(door.write.headers(1, headers, false));
    const Lines lines = door.lines();
    // What the client had under way is ignored, and the connection goes on.
    door.receive(FrameWriter::data(1, prefixed("late"), true));
    CHECK(door.events.empty());
    door.receive(door.write.call(3, put, "next"));
    CHECK(door.call().message.view() == "next");
    return lines;
  };
  const std::string reset = "RST_STREAM 1 code=0";
  CHECK(answer(":path", "/x.Y/Z") == Lines{refusal(12, "unknown service x.Y"), reset});
  CHECK(answer(":path", "/v3lockpb.Lock/Lock") == Lines{refusal(12, "method Lock not implemented"), reset});
  CHECK(answer("grpc-encoding", "gzip") ==
        Lines{refusal(12, "grpc: Decompressor is not installed for grpc-encoding \"gzip\""), reset});
  CHECK(answer("content-type", "text/html") ==
        Lines{refusal(3, "invalid gRPC request content-type \"text/html\"", "415"), reset});
  CHECK(answer(":method", "PUT") ==
        Lines{refusal(13, "Received a HEADERS frame with :method \"PUT\" which should be POST", "405"), reset});
  CHECK(answer("grpc-timeout", "1y") ==
        Lines{refusal(13, "malformed grpc-timeout: transport: timeout unit is not recognized: \"1y\"", "400"), reset});
  CHECK(answer("x-long", std::string(65'536, 'x')) ==
        Lines{refusal(8, "grpc: received headers larger than max (65870 vs. 65536)", "431"), reset});
}

TEST_CASE("every RPC that is not built answers UNIMPLEMENTED at once") {
  Door door;
  std::int32_t stream = 1;
  int refused = 0;
  for (const Service& service : known_services()) {
    for (const std::string_view method : service.methods) {
      const std::string path = "/" + std::string(service.name) + "/" + std::string(method);
      door.receive(door.write.headers(stream, grpc_headers(path), false));
      const Lines lines = door.lines();
      if (!find_method(path)) {
        ++refused;
        REQUIRE(lines.size() == 2);
        CHECK(lines[0] == "HEADERS " + std::to_string(stream) + " end: :status=200 content-type=application/grpc " +
                              "grpc-status=12 grpc-message=method " + std::string(method) +
                              " not implemented grpc-accept-encoding=identity");
      } else {
        CHECK(lines.empty());
      }
      stream += 2;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("the body of a unary request is exactly one message") {
  const auto answer = [](std::string_view body) {
    Door door;
    door.receive(door.write.headers(1, grpc_headers(put), false) + FrameWriter::data(1, body, true));
    CHECK(door.events.empty());
    return door.lines();
  };
  CHECK(answer("") ==
        Lines{refusal(13, "cardinality violation: received no request message from non-client-streaming RPC")});
  CHECK(answer(prefixed("one") + prefixed("two")) ==
        Lines{refusal(13, "cardinality violation: received multiple request messages for non-client-streaming RPC")});
  CHECK(answer(prefixed("half").substr(0, 3)) == Lines{refusal(13, "unexpected EOF")});
  CHECK(answer(prefixed("half").substr(0, 7)) == Lines{refusal(13, "unexpected EOF")});
  CHECK(answer(prefixed("x", 1)) == Lines{refusal(13, "grpc: compressed flag set with identity or empty encoding")});

  Door door;
  door.receive(door.write.headers(1, grpc_headers(put), true));
  CHECK(door.lines() ==
        Lines{refusal(13, "cardinality violation: received no request message from non-client-streaming RPC")});
}

TEST_CASE("a message of the maximum passes, one byte more is RESOURCE_EXHAUSTED as soon as its length is known") {
  SessionOptions options;
  options.limits.request_bytes_max = 100;
  options.limits.receive_slack_bytes = 20;
  Door door(options);
  door.receive(door.write.call(1, put, std::string(120, 'x')));
  CHECK(door.call().message.size() == 120);
  door.receive(door.write.headers(3, grpc_headers(put), false) +
               FrameWriter::data(3, prefixed(std::string(121, 'x')).substr(0, 5), false));
  CHECK(door.lines() == Lines{"HEADERS 3 end: :status=200 content-type=application/grpc grpc-status=8 "
                              "grpc-message=grpc: received message larger than max (121 vs. 120) "
                              "grpc-accept-encoding=identity",
                              "RST_STREAM 3 code=0"});
}

TEST_CASE("grpc-timeout becomes a deadline, and a request that arrives after it is DEADLINE_EXCEEDED") {
  Door door;
  testing::Headers headers = grpc_headers(put);
  headers.emplace_back("grpc-timeout", "5S");
  door.receive(door.write.headers(1, headers, false));
  const Instant deadline = door.now + Duration::seconds(5);
  door.now = door.now + Duration::seconds(4);
  door.receive(FrameWriter::data(1, prefixed("in time"), true));
  CHECK(door.call().deadline == deadline);
  door.receive(door.write.headers(3, headers, false));
  door.now = door.now + Duration::seconds(5);
  door.receive(FrameWriter::data(3, prefixed("late"), true));
  CHECK(door.events.empty());
  CHECK(door.lines() == Lines{"HEADERS 3 end: :status=200 content-type=application/grpc grpc-status=4 "
                              "grpc-message=context deadline exceeded grpc-accept-encoding=identity"});
}

TEST_CASE("a reset stream cancels its call once, and one without a call cancels nothing") {
  Door door;
  door.receive(door.write.call(1, put, "question"));
  const CallReceived call = door.call();
  door.receive(FrameWriter::reset(1, 8));
  CHECK(door.events == std::vector<CallEvent>{CallCanceled{call.id}});
  CHECK(door.session.calls_open() == 0);
  door.events.clear();
  door.receive(door.write.headers(3, grpc_headers(put), false) + FrameWriter::reset(3, 8));
  CHECK(door.events.empty());
  door.session.close(door.events);
  CHECK(door.events.empty());
}

TEST_CASE("a closed connection cancels every call that has no answer") {
  Door door;
  door.receive(door.write.call(1, put, "a"));
  door.receive(door.write.call(3, put, "b"));
  const CallReceived first = door.call();
  const CallReceived second = door.call();
  door.session.reply(first.stream, Bytes::copy_of("x"));
  door.session.close(door.events);
  CHECK(door.events == std::vector<CallEvent>{CallCanceled{second.id}});
}

TEST_CASE("a stream that the session itself must reset cancels its call when the reset is sent") {
  Door door;
  door.receive(door.write.call(1, put, "question"));
  const CallReceived call = door.call();
  door.receive(FrameWriter::window_update(1, 0x7fffffff));
  CHECK(door.lines() == Lines{"RST_STREAM 1 code=3"});
  CHECK(door.events == std::vector<CallEvent>{CallCanceled{call.id}});
}

TEST_CASE("a reply waits for the client's flow control, on its stream and on the connection") {
  Door door;
  door.receive(FrameWriter::settings({{4, 10}}));
  CHECK(door.lines() == Lines{"SETTINGS ack"});
  door.receive(door.write.call(1, put, "question"));
  door.session.reply(door.call().stream, Bytes::copy_of(std::string(70'000, 'r')));
  CHECK(door.lines() == Lines{"HEADERS 1: :status=200 content-type=application/grpc", "DATA 1 10"});
  CHECK(door.session.waiting_bytes() == 69'995);
  door.receive(FrameWriter::window_update(1, 100'000));
  CHECK(door.lines() == Lines{"DATA 1 16384", "DATA 1 16384", "DATA 1 16384", "DATA 1 16373"});
  door.receive(FrameWriter::window_update(0, 100'000));
  CHECK(door.lines() == Lines{"DATA 1 4470", "HEADERS 1 end: grpc-status=0"});
  CHECK(door.reader.body(1) == prefixed(std::string(70'000, 'r')));
  CHECK(door.session.waiting_bytes() == 0);
}

TEST_CASE("a reply that is given up half-way is forgotten") {
  Door door;
  door.receive(FrameWriter::settings({{4, 10}}));
  door.receive(door.write.call(1, put, "question"));
  door.session.reply(door.call().stream, Bytes::copy_of(std::string(100, 'r')));
  door.lines();
  CHECK(door.session.waiting_bytes() == 95);
  door.receive(FrameWriter::reset(1, 8));
  CHECK(door.session.waiting_bytes() == 0);
  CHECK(door.events.empty());
}

TEST_CASE("the client's bytes are granted again as they are read") {
  SessionOptions options;
  options.limits.stream_window_bytes = 1'000;
  options.limits.connection_window_bytes = 65'535;
  Door door(options);
  door.receive(door.write.headers(1, grpc_headers(put), false));
  const std::string body = prefixed(std::string(40'000, 'x'));
  std::uint64_t granted = 1'000;
  bool connection_granted = false;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t piece = std::min<std::size_t>({granted, body.size() - at, 700});
    REQUIRE(piece > 0);
    door.receive(FrameWriter::data(1, std::string_view(body).substr(at, piece), at + piece == body.size()));
    at += piece;
    granted -= piece;
    for (const std::string& line : door.lines()) {
      if (line.starts_with("WINDOW_UPDATE 1 +")) granted += std::stoul(line.substr(17));
      if (line.starts_with("WINDOW_UPDATE 0 +")) connection_granted = true;
    }
  }
  CHECK(door.call().message.size() == 40'000);
  CHECK(connection_granted);
}

TEST_CASE("output is written in bounded portions, whatever the client's window allows") {
  Door door;
  door.receive(FrameWriter::settings({{4, 0x7fffffff}}) + FrameWriter::window_update(0, 0x7fff0000));
  door.receive(door.write.call(1, put, "question"));
  door.session.reply(door.call().stream, Bytes::copy_of(std::string(3'000'000, 'r')));
  std::string all;
  int portions = 0;
  for (;; ++portions) {
    std::string out;
    door.session.write_to(out, 100'000, door.events);
    CHECK(out.size() <= 100'000 + 16'384 + 9);
    if (out.empty()) break;
    all += out;
  }
  CHECK(portions > 20);
  door.reader.read(all);
  CHECK(door.reader.body(1) == prefixed(std::string(3'000'000, 'r')));
}

TEST_CASE("large replies share the connection fairly") {
  Door door;
  door.receive(door.write.call(1, put, "a"));
  door.receive(door.write.call(3, put, "b"));
  door.session.reply(door.call().stream, Bytes::copy_of(std::string(60'000, 'r')));
  door.session.reply(door.call().stream, Bytes::copy_of(std::string(20'000, 'r')));
  const Lines lines = door.lines();
  const auto second_ends = std::find(lines.begin(), lines.end(), "HEADERS 3 end: grpc-status=0");
  const auto first_ends = std::find(lines.begin(), lines.end(), "HEADERS 1 end: grpc-status=0");
  CHECK(second_ends != lines.end());
  CHECK(first_ends == lines.end());
}

TEST_CASE("pings without a call are answered twice, then the connection ends with too_many_pings") {
  Door door;
  for (int i = 0; i < 3; ++i) {
    door.receive(FrameWriter::ping());
    CHECK(door.lines() == Lines{"PING ack"});
    door.now = door.now + Duration::seconds(10);
  }
  door.receive(FrameWriter::ping());
  const Lines lines = door.lines();
  REQUIRE(!lines.empty());
  CHECK(lines.back() == "GOAWAY last=0 code=11 too_many_pings");
  CHECK(door.session.finished());
}

TEST_CASE("pings during a call may come every keepalive_min_time, and what we send forgives those before") {
  Door door;
  door.receive(door.write.call(1, put, "long"));
  for (int i = 0; i < 20; ++i) {
    door.receive(FrameWriter::ping());
    CHECK(door.lines() == Lines{"PING ack"});
    door.now = door.now + Duration::seconds(5);
  }
  for (int i = 0; i < 20; ++i) {
    door.receive(FrameWriter::ping() + FrameWriter::ping());
    door.receive(door.write.call(3 + 2 * i, put, "short"));
    door.events.erase(door.events.begin(), door.events.end() - 1);
    door.session.reply(door.call().stream, Bytes());
    CHECK(door.lines().size() == 5);
  }
  CHECK(!door.session.finished());
}

TEST_CASE("resets are limited in the time that is given in, and a thousand of them harm nobody") {
  SessionOptions options;
  options.limits.resets_burst_max = 3'000;
  options.limits.resets_a_second = 100;
  Door door(options);
  std::int32_t stream = 1;
  const auto reset_calls = [&](int count) {
    for (int i = 0; i < count; ++i, stream += 2) {
      door.receive(door.write.call(stream, put, "x") + FrameWriter::reset(stream, 8));
    }
    return door.lines();
  };
  CHECK(reset_calls(3'000).empty());
  door.now = door.now + Duration::seconds(1);
  CHECK(reset_calls(100).empty());
  CHECK(!door.session.finished());
  const std::string last = std::to_string(stream);
  CHECK(reset_calls(1) == Lines{"GOAWAY last=" + last + " code=11 too_many_resets"});
  CHECK(door.session.finished());
}

TEST_CASE("at shutdown new streams are ignored and the open ones get their answers") {
  Door door;
  door.receive(door.write.call(1, put, "a"));
  const CallReceived call = door.call();
  door.session.begin_shutdown();
  CHECK(door.lines() == Lines{"GOAWAY last=1 code=0"});
  CHECK(!door.session.finished());
  door.receive(door.write.call(3, put, "b"));
  CHECK(door.events.empty());
  CHECK(door.lines().empty());
  door.session.reply(call.stream, Bytes::copy_of("x"));
  CHECK(door.lines().size() == 3);
  CHECK(door.session.finished());
}

TEST_CASE("at shutdown an idle session is finished once it has said so") {
  Door door;
  door.session.begin_shutdown();
  CHECK(door.lines() == Lines{"GOAWAY last=0 code=0"});
  CHECK(door.session.finished());
}

TEST_CASE("bytes that break HTTP/2 end the connection and cancel its calls") {
  Door door;
  door.receive(door.write.call(1, put, "a"));
  const CallReceived call = door.call();
  door.receive(FrameWriter::data(0, "no stream", false));
  const Lines lines = door.lines();
  REQUIRE(!lines.empty());
  CHECK(lines.back().starts_with("GOAWAY last=1 code=1"));
  CHECK(door.session.finished());
  door.session.close(door.events);
  CHECK(door.events == std::vector<CallEvent>{CallCanceled{call.id}});
}

TEST_CASE("a wrong preface is told so") {
  RequestIds ids;
  Http2Session session(SessionOptions{}, ids);
  std::vector<CallEvent> events;
  session.receive("PRI * HTTP/2.0\r\n\r\nXX", Instant(), events);
  std::string out;
  session.write_to(out, unlimited, events);
  const Lines lines = FrameReader().read(out);
  REQUIRE(!lines.empty());
  CHECK(lines.back().starts_with("GOAWAY last=0 code=1"));
  CHECK(session.finished());
}

TEST_CASE("more streams than the settings allow are refused") {
  SessionOptions options;
  options.limits.connection_streams_max = 2;
  Door door(options);
  door.receive(door.write.call(1, put, "a"));
  door.receive(door.write.call(3, put, "b"));
  CHECK(door.events.size() == 2);
  door.receive(door.write.call(5, put, "c"));
  CHECK(door.events.size() == 2);
}

}  // namespace
}  // namespace metastore::api
