// The body of one gRPC call, and the texts of its headers.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/grpc.h"
#include "tests/fuzz/property.h"

namespace metastore::api {
namespace {

struct Body {
  std::vector<Bytes> messages;
  std::optional<Failure> failure;
  bool operator==(const Body&) const = default;
};

Body read(const std::vector<BytesView>& pieces) {
  MessageReader reader(10'000);
  Body body;
  for (const BytesView piece : pieces) {
    body.failure = reader.read(piece, body.messages);
    if (body.failure.has_value()) break;
  }
  return body;
}

void check_round_trip(const Bytes& message) {
  OutgoingBody outgoing;
  outgoing.begin_message(message.size());
  if (!message.empty()) {
    outgoing.add(message.slice(0, message.size() / 2 + 1));
    outgoing.add(message.slice(message.size() / 2 + 1, message.size() - message.size() / 2 - 1));
  }
  std::string sent;
  Prng prng(message.size(), "pieces");
  while (outgoing.unsent_bytes() > 0) outgoing.send(1 + prng.below(outgoing.unsent_bytes()), sent);
  const Body body = read(fuzz::cut(sent));
  PROPERTY(!body.failure.has_value());
  PROPERTY(body.messages == std::vector<Bytes>{message});
}

}  // namespace
}  // namespace metastore::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace metastore;
  const BytesView bytes = fuzz::view(data, size);
  const api::Body body = api::read({bytes});
  PROPERTY(api::read(fuzz::cut(bytes)) == body);
  for (const Bytes& message : body.messages) api::check_round_trip(message);

  PROPERTY(api::percent_decode(api::percent_encode(bytes)) == bytes);
  if (const auto timeout = api::parse_timeout(bytes)) {
    PROPERTY(timeout.value() >= Duration());
    const auto again = api::parse_timeout(api::format_timeout(timeout.value()));
    PROPERTY(again.ok());
    PROPERTY(again.value() >= timeout.value());
  }
  return 0;
}
