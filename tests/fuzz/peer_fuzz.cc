// What a member hears from its peers and from strangers: frames as they come and with their checksums set right,
// greetings, Raft's messages, and the rows of a snapshot.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/encoder.h"
#include "core/raft/types.h"
#include "core/replica/snapshot_receiver.h"
#include "core/replica/snapshot_sender.h"
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

/// A receiver takes `rows` for the first part of an image, whatever they are, and goes on living.
void check_rows(BytesView rows, bool is_last) {
  SnapshotReceiver receiver(MemberId(2), 1, Limits());
  receiver.on_offer(MemberId(1), {.term = Term(3), .mark = {LogIndex(9), Term(2), {}}, .image = 1});
  receiver.on_part(MemberId(1), {.term = Term(3),
                                 .image = 1,
                                 .is_last = is_last,
                                 .checksum = checksum_of(0, rows),
                                 .rows = Bytes::copy_of(rows)});
  PROPERTY(receiver.waiting_bytes() == rows.size());
  Effects effects;
  std::vector<raft::Envelope> replies;
  do {
    receiver.run(effects, replies);
  } while (receiver.has_more());
  PROPERTY(receiver.waiting_bytes() == 0);
  PROPERTY(replies.size() == 1);
  const bool is_refused = !std::get<raft::SnapshotReply>(replies.front().message).wanted;
  PROPERTY(is_refused || are_rows(rows));
  // Rows whose hash nobody knows are never the whole.
  PROPERTY(!receiver.complete().has_value());
}

void check_payload(BytesView bytes) {
  check_round_trip(decode_hello(bytes), bytes);
  check_round_trip(decode_welcome(bytes), bytes);
  if (const auto roster = decode_roster(bytes)) PROPERTY(decode_roster(encode(*roster)) == roster);
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
    if (const auto* part = std::get_if<raft::SnapshotPart>(&envelope->message)) {
      check_rows(part->rows.view(), part->is_last);
    }
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
  metastore::net::check_rows(bytes, size % 2 == 0);
  return 0;
}
