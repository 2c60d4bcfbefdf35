#include "api/grpc.h"

#include <doctest/doctest.h>

#include "api/request_head.h"
#include "api/rpc.h"
#include "api/testing/frames.h"
#include "api/token_bucket.h"

namespace metastore::api {
namespace {

using testing::prefixed;

TEST_CASE("messages come out the same however their bytes are cut") {
  const std::string body = prefixed("one") + prefixed("") + prefixed(std::string(300, 'x')) + prefixed("");
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    MessageReader reader(1000);
    std::vector<Bytes> messages;
    for (std::size_t at = 0; at < body.size(); at += piece) {
      REQUIRE(!reader.read(BytesView(body).substr(at, piece), messages));
    }
    REQUIRE(messages.size() == 4);
    CHECK(messages[0].view() == "one");
    CHECK(messages[1].empty());
    CHECK(messages[2].view() == std::string(300, 'x'));
    CHECK(messages[3].empty());
    CHECK(reader.at_boundary());
  }
}

TEST_CASE("a message of exactly the maximum is read, one byte more is refused by its prefix alone") {
  std::vector<Bytes> messages;
  MessageReader reader(10);
  CHECK(!reader.read(prefixed("0123456789"), messages));
  CHECK(messages.size() == 1);
  const auto failure = reader.read(prefixed("0123456789+").substr(0, message_prefix_bytes), messages);
  REQUIRE(failure);
  CHECK(failure->code == StatusCode::resource_exhausted);
  CHECK(failure->text == "grpc: received message larger than max (11 vs. 10)");
}

TEST_CASE("a compressed message without an encoding is refused, and so is an unknown flag") {
  std::vector<Bytes> messages;
  const auto compressed = MessageReader(10).read(prefixed("x", 1), messages);
  REQUIRE(compressed);
  CHECK(*compressed == Failure{StatusCode::internal, "grpc: compressed flag set with identity or empty encoding"});
  const auto unknown = MessageReader(10).read(prefixed("x", 2), messages);
  REQUIRE(unknown);
  CHECK(*unknown == Failure{StatusCode::internal, "grpc: received unexpected payload format 2"});
  CHECK(messages.empty());
}

TEST_CASE("an outgoing message is the same in pieces of any size") {
  for (const std::size_t size : {0u, 1u, 7u, 300u}) {
    const std::string message(size, 'm');
    for (std::size_t piece = 1; piece <= size + 6; ++piece) {
      OutgoingBody outgoing;
      outgoing.begin_message(size);
      if (size > 0) outgoing.add(Bytes::copy_of(message).slice(0, size / 2 + 1));
      if (size > 1) outgoing.add(Bytes::copy_of(message).slice(size / 2 + 1, size - size / 2 - 1));
      std::string out;
      while (outgoing.unsent_bytes() > 0) outgoing.send(std::min<std::size_t>(piece, outgoing.unsent_bytes()), out);
      CHECK(out == prefixed(message));
    }
  }
}

TEST_CASE("grpc-timeout is read in every unit, and malformed ones are refused in grpc-go's words") {
  CHECK(parse_timeout("1n").value() == Duration::nanoseconds(1));
  CHECK(parse_timeout("20u").value() == Duration::microseconds(20));
  CHECK(parse_timeout("300m").value() == Duration::milliseconds(300));
  CHECK(parse_timeout("4S").value() == Duration::seconds(4));
  CHECK(parse_timeout("5M").value() == Duration::seconds(300));
  CHECK(parse_timeout("6H").value() == Duration::seconds(21600));
  CHECK(parse_timeout("99999999H").value() == Duration::max());
  CHECK(parse_timeout("0S").value() == Duration());
  CHECK(parse_timeout("S").error() == "transport: timeout string is too short: \"S\"");
  CHECK(parse_timeout("123456789S").error() == "transport: timeout string is too long: \"123456789S\"");
  CHECK(parse_timeout("10x").error() == "transport: timeout unit is not recognized: \"10x\"");
  CHECK(parse_timeout("-1S").error() == "strconv.ParseUint: parsing \"-1\": invalid syntax");
}

TEST_CASE("a formatted timeout is never shorter than what was asked and fits in eight digits") {
  CHECK(format_timeout(Duration::nanoseconds(99'999'999)) == "99999999n");
  CHECK(format_timeout(Duration::nanoseconds(100'000'001)) == "100001u");
  CHECK(format_timeout(Duration::seconds(7)) == "7000000u");
  CHECK(format_timeout(Duration::max()) == "38430717M");
  CHECK(format_timeout(Duration::nanoseconds(-5)) == "0n");
}

TEST_CASE("grpc-message survives its encoding") {
  const std::string text = "a key\n100% \xc3\xa4~";
  CHECK(percent_encode(text) == "a key%0A100%25 %C3%A4~");
  CHECK(percent_decode(percent_encode(text)) == text);
  CHECK(percent_decode("100% %4 %zz%41%") == "100% %4 %zzA%");
}

TEST_CASE("every served method is found by its path, and the others are refused in grpc-go's words") {
#define METASTORE_CHECK_PATH(name, kind, path) CHECK(find_method(path).value() == kv::Method::name);
  METASTORE_METHODS(METASTORE_CHECK_PATH)
#undef METASTORE_CHECK_PATH
  const auto refusal = [](std::string_view path) {
    const auto found = find_method(path);
    REQUIRE(!found);
    CHECK(found.error().code == StatusCode::unimplemented);
    CHECK(found.error().http_status == 200);
    return found.error().text;
  };
  CHECK(refusal("/etcdserverpb.Nope/Range") == "unknown service etcdserverpb.Nope");
  CHECK(refusal("/etcdserverpb.KV/Nope") == "unknown method Nope for service etcdserverpb.KV");
  CHECK(refusal("/v3lockpb.Lock/Lock") == "method Lock not implemented");
  CHECK(refusal("/nope") == "malformed method name: \"/nope\"");
  CHECK(refusal("") == "malformed method name: \"\"");
}

RequestHead head_of(const testing::Headers& headers) {
  RequestHead head(1000);
  for (const auto& [name, value] : headers) head.add(name, value);
  return head;
}

TEST_CASE("a head is judged by content type, method, timeout, path and encoding") {
  const auto with = [](std::string_view name, std::string_view value) {
    testing::Headers headers = testing::grpc_headers("/etcdserverpb.KV/Put");
    for (auto& header : headers) {
      if (header.first == name) {
        header.second = value;
        return head_of(headers).judge();
      }
    }
    headers.emplace_back(name, value);
    return head_of(headers).judge();
  };
  CHECK(with("te", "trailers").value().method == kv::Method::put);
  CHECK(with("te", "trailers").value().timeout == Duration::max());
  CHECK(with("grpc-timeout", "2S").value().timeout == Duration::seconds(2));
  CHECK(with("content-type", "application/grpc+proto").ok());
  CHECK(with("content-type", "application/grpc;charset=utf-8").ok());
  CHECK(with("grpc-encoding", "identity").ok());
  CHECK(with("hasleader", "true").value().require_leader);
  CHECK(!with("hasleader", "false").value().require_leader);
  CHECK(with("content-type", "application/json").error() ==
        Failure{StatusCode::invalid_argument, "invalid gRPC request content-type \"application/json\"", 415});
  CHECK(with("content-type", "application/grpc-web").error().http_status == 415);
  CHECK(with(":method", "GET").error() ==
        Failure{StatusCode::internal, "Received a HEADERS frame with :method \"GET\" which should be POST", 405});
  CHECK(with("grpc-timeout", "x").error() ==
        Failure{StatusCode::internal, "malformed grpc-timeout: transport: timeout string is too short: \"x\"", 400});
  CHECK(with("grpc-encoding", "gzip").error() ==
        Failure{StatusCode::unimplemented, "grpc: Decompressor is not installed for grpc-encoding \"gzip\""});
  CHECK(with("x-long", std::string(1000, 'x')).error().http_status == 431);
  CHECK(head_of({}).judge().error().http_status == 415);
}

TEST_CASE("a token bucket gives its burst at once and its rate afterwards, fractions included") {
  TokenBucket bucket(3, 2);
  const Instant start = Instant::from_nanoseconds(1'000'000'000'000);
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(start));
  CHECK(!bucket.take(start));
  CHECK(!bucket.take(start + Duration::milliseconds(400)));
  CHECK(bucket.take(start + Duration::milliseconds(700)));
  CHECK(bucket.take(start + Duration::milliseconds(1'000)));
  CHECK(!bucket.take(start + Duration::milliseconds(1'400)));
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(start + Duration::seconds(1'000'000)));
  CHECK(!bucket.take(start + Duration::seconds(1'000'000)));
}

}  // namespace
}  // namespace metastore::api
