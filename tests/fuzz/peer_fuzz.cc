// What a member hears from its peers and from strangers: frames as they come and with their checksums set right,
// greetings, Raft's messages, and the rows of a snapshot.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/encoder.h"
#include "core/base/prng.h"
#include "core/raft/types.h"
#include "core/replica/image.h"
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

/// `rows` as parts of one image: all in one, or cut between rows at places drawn from them.   Requires: they are rows,
/// if they are to be cut.
std::vector<raft::SnapshotPart> parts_of(BytesView rows, bool is_cut, std::uint64_t state_hash) {
  std::vector<raft::SnapshotPart> parts;
  std::uint64_t checksum = 0;
  const auto add = [&](BytesView some) {
    checksum = checksum_of(checksum, some);
    parts.push_back(
        {.term = Term(3), .image = 1, .number = parts.size(), .checksum = checksum, .rows = Bytes::copy_of(some)});
  };
  std::size_t begin = 0;
  if (is_cut) {
    Prng prng(rows.size() + checksum_of(0, rows), "parts");
    RowReader reader(rows);
    while (const std::optional<Row> row = reader.next()) {
      const auto end = static_cast<std::size_t>(row->value->data() + row->value->size() - rows.data());
      if (!prng.chance(1, 3)) continue;
      add(rows.substr(begin, end - begin));
      begin = end;
    }
  }
  add(rows.substr(begin));
  parts.back().is_last = true;
  parts.back().state_hash = state_hash;
  return parts;
}

struct Received {
  bool is_whole = false;
  bool is_refused = false;
  std::string error;
  bool operator==(const Received&) const = default;
};

Received receive(const raft::Mark& mark, const std::vector<raft::SnapshotPart>& parts) {
  SnapshotReceiver receiver(MemberId(2), 1, Limits());
  receiver.on_offer(MemberId(1), {.term = Term(3), .mark = mark, .image = 1});
  Received received;
  for (const raft::SnapshotPart& part : parts) {
    receiver.on_part(MemberId(1), part);
    Effects effects;
    std::vector<raft::Envelope> replies;
    do {
      receiver.run(effects, replies);
    } while (receiver.has_more());
    PROPERTY(receiver.waiting_bytes() == 0);
    for (const raft::Envelope& reply : replies) {
      received.is_refused = received.is_refused || !std::get<raft::SnapshotReply>(reply.message).wanted;
    }
    for (const TraceLine& line : effects.trace) received.error += std::get<std::string>(line.fields.back().value);
    PROPERTY(!receiver.complete().has_value());  // The engine has nothing of it yet.
    receiver.on_staged({.image = 1, .parts = part.number + 1});
  }
  received.is_whole = receiver.complete() == mark;
  PROPERTY(received.is_whole || !receiver.complete().has_value());
  PROPERTY(!received.is_whole || !received.is_refused);
  return received;
}

/// A receiver is sent `rows`, whatever they are: it takes the whole if they make a state, however they are cut, and
/// nothing if they do not, or not all come as they were sent.
void check_rows(BytesView rows) {
  Image image(Image::Source::snapshot);
  bool is_state = are_rows(rows);
  if (is_state) {
    RowReader reader(rows);
    while (const std::optional<Row> row = reader.next()) {
      is_state = is_state && static_cast<bool>(image.take(row->table, row->key, *row->value));
    }
    is_state = is_state && static_cast<bool>(image.finish());
  }
  const std::uint64_t hash = is_state ? image.applier->hash() : 0;
  const Received received = receive(image.applied, parts_of(rows, false, hash));
  PROPERTY(received.is_whole == is_state);
  PROPERTY(received.is_refused == !is_state);
  if (!are_rows(rows)) return;
  std::vector<raft::SnapshotPart> parts = parts_of(rows, true, hash);
  PROPERTY(receive(image.applied, parts) == received);
  PROPERTY(!receive({LogIndex(image.applied.index.value() + 1), Term(2), {}}, parts).is_whole);
  PROPERTY(!receive(image.applied, parts_of(rows, true, hash + 1)).is_whole);

  Prng prng(rows.size(), "damage");
  const std::size_t place = prng.below(parts.size());
  if (parts.size() > 1) {
    std::vector<raft::SnapshotPart> fewer = parts;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(place));
    PROPERTY(!receive(image.applied, fewer).is_whole);
  }
  std::string flipped(parts[place].rows.view());
  if (flipped.empty()) return;
  flipped[prng.below(flipped.size())] ^= static_cast<char>(1 << prng.below(8));
  parts[place].rows = Bytes::copy_of(flipped);
  const Received damaged = receive(image.applied, parts);
  PROPERTY(!damaged.is_whole && damaged.is_refused);
}

/// The rows of a part go to `rows`.
void check_payload(BytesView bytes, std::string& rows) {
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
    if (const auto* part = std::get_if<raft::SnapshotPart>(&envelope->message)) rows += part->rows.view();
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
  std::string rows;
  for (const auto& [kind, payload] : heard.frames) {
    append_frame(again, kind, payload);
    check_payload(payload, rows);
  }
  PROPERTY(again == bytes.substr(0, again.size()));
  if (!rows.empty()) check_rows(rows);
}

}  // namespace
}  // namespace metastore::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const metastore::BytesView bytes = metastore::fuzz::view(data, size);
  metastore::net::check(bytes);
  metastore::net::check(metastore::net::repaired(bytes));
  metastore::net::check_rows(bytes);
  return 0;
}
