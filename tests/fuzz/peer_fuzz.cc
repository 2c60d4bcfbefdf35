// What a member hears from its peers and from strangers: frames as they come and with their checksums set right,
// greetings, and Raft's messages.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/encoder.h"
#include "core/raft/types.h"
#include "net/peer_codec.h"
#include "net/peer_frame.h"
#include "tests/fuzz/property.h"

namespace metastore::net {
namespace {

constexpr std::uint64_t payload_bytes_max = 65'536;

struct Heard {
  std::vector<std::pair<FrameKind, std::string>> frames;
  std::optional<FrameFault> fault;
  bool operator==(const Heard&) const = default;
};

Heard read(const std::vector<BytesView>& pieces) {
  FrameBudget budget{2 * payload_bytes_max, 0};
  Heard heard;
  {
    FrameReader reader(budget, payload_bytes_max);
    for (BytesView piece : pieces) {
      while (!heard.fault.has_value()) {
        const auto frame = reader.next(piece);
        if (!frame) heard.fault = frame.error();
        if (!frame || !frame.value().has_value()) break;
        heard.frames.emplace_back(frame.value()->kind, frame.value()->payload);
      }
      PROPERTY(heard.fault.has_value() || piece.empty());
      PROPERTY(budget.held_bytes <= payload_bytes_max + frame_header_bytes);
    }
  }
  PROPERTY(budget.held_bytes == 0);
  return heard;
}

template <typename T>
void check_round_trip(const std::optional<T>& greeting, BytesView bytes) {
  if (greeting.has_value()) PROPERTY(encode(*greeting) == bytes);
}

void check_payload(BytesView bytes) {
  check_round_trip(decode_hello(bytes), bytes);
  check_round_trip(decode_welcome(bytes), bytes);
  if (const auto refusal = decode_refusal(bytes)) {
    for (const char c : refusal->sentence) PROPERTY(c >= ' ' && c <= '~');
    PROPERTY(decode_refusal(encode(*refusal)) == refusal);
  }
  if (const auto envelope = raft::decode_envelope(bytes)) {
    std::string again;
    Encoder out(again);
    raft::encode(out, *envelope);
    PROPERTY(again == bytes);
    PROPERTY(!raft::describe(*envelope).empty());
  }
}

/// The bytes as frames that are right: of each, the low byte of its kind and of its length count.
std::string repaired(BytesView bytes) {
  std::string whole;
  while (bytes.size() > frame_header_bytes) {
    const auto kind = static_cast<FrameKind>(1 + static_cast<unsigned char>(bytes[4]) % 6);
    const std::size_t claimed = static_cast<unsigned char>(bytes[0]) + 256 * static_cast<unsigned char>(bytes[1]);
    const BytesView payload = bytes.substr(frame_header_bytes, claimed);
    append_frame(whole, kind, payload);
    bytes.remove_prefix(frame_header_bytes + payload.size());
  }
  return whole;
}

void check(BytesView bytes) {
  const Heard heard = read({bytes});
  PROPERTY(read(fuzz::cut(bytes)) == heard);
  std::string again;
  for (const auto& [kind, payload] : heard.frames) {
    append_frame(again, kind, payload);
    check_payload(payload);
  }
  PROPERTY(again == bytes.substr(0, again.size()));
}

}  // namespace
}  // namespace metastore::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const metastore::BytesView bytes = metastore::fuzz::view(data, size);
  metastore::net::check(bytes);
  metastore::net::check(metastore::net::repaired(bytes));
  return 0;
}
