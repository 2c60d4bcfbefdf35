// What members say to each other when they meet: who they are, and why they will not talk (design D5). Raft's own
// messages are in core/raft/types.h. Decoding is total: whatever the bytes are, the answer is a value or nothing.
#ifndef METASTORE_NET_PEER_CODEC_H_
#define METASTORE_NET_PEER_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/replica/effects.h"

namespace metastore::net {

/// Of a limit.
constexpr Duration milliseconds(std::uint64_t count) {
  return Duration::milliseconds(static_cast<std::int64_t>(count));
}

/// Who a member is, to its peers.
struct PeerIdentity {
  MemberId member;
  ClusterId cluster;
  std::uint64_t data_id = 0;
  std::uint64_t incarnation = 0;
  bool operator==(const PeerIdentity&) const = default;
};

/// Two connections lead to each peer, so that what is large delays nothing that is urgent.
enum class Lane : std::uint8_t { urgent = 0, bulk = 1 };

/// Opens a connection.
struct Hello {
  PeerIdentity from;
  MemberId to;
  Lane lane = Lane::urgent;
  bool operator==(const Hello&) const = default;
};

/// Lets the caller in.
struct Welcome {
  PeerIdentity from;
  bool operator==(const Welcome&) const = default;
};

enum class RefusalReason : std::uint8_t {
  not_a_peer,  ///< What came is not our protocol, or another version of it.
  wrong_cluster,
  wrong_member,     ///< The caller meant another.
  unknown_member,   ///< Not in the member table: never added, or not known here yet.
  removed_member,   ///< It can never come back.
  other_data,       ///< Its data directory is another than the one it joined with.
  old_incarnation,  ///< A later run of the same member has been here.
  damaged,          ///< What it sent later was no correct frame or message.
};
inline constexpr std::uint64_t refusal_reasons = 8;

/// Ends a connection. The sentence is for people, and says what to do.
struct Refusal {
  RefusalReason reason = RefusalReason::not_a_peer;
  std::string sentence;
  bool operator==(const Refusal&) const = default;
};

/// Who the members are, for somebody who asks before it is one of them, or before it knows whether it is one.
struct Roster {
  PeerIdentity from;
  std::vector<Peer> peers;  ///< All others, as the member table has them. Nothing is told of those who were removed.
  bool operator==(const Roster&) const = default;
};

/// No correct hello, welcome, inquiry or refusal is longer.
inline constexpr std::size_t greeting_bytes_max = 1'024;
/// No roster that is taken is longer.
inline constexpr std::size_t roster_bytes_max = 1'048'576;

std::string encode(const Hello& hello);
std::string encode(const Welcome& welcome);
std::string encode(const Refusal& refusal);
/// Asks for a Roster. Nobody is asked who asks.
std::string encode_inquiry();
std::string encode(const Roster& roster);
std::optional<Hello> decode_hello(BytesView bytes);
bool is_inquiry(BytesView bytes);
/// What is not fit to print is replaced in URLs.
std::optional<Roster> decode_roster(BytesView bytes);
std::optional<Welcome> decode_welcome(BytesView bytes);
/// What is not fit to print is replaced.
std::optional<Refusal> decode_refusal(BytesView bytes);

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_CODEC_H_
