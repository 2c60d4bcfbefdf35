// Everything that can happen to a replica, as data (design, section 3). Decoded at the edge; one canonical encoding,
// which the rolling hash and recordings use.
#ifndef METASTORE_CORE_REPLICA_INPUT_H_
#define METASTORE_CORE_REPLICA_INPUT_H_

#include <string>
#include <variant>

#include "core/base/bytes.h"
#include "core/base/encoder.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/method.h"
#include "core/raft/types.h"

namespace metastore {

/// The clock reached the last wake_at, or some later time.
struct Woken {
  bool operator==(const Woken&) const = default;
};

/// SIGTERM: finish what is owed, take nothing new.
struct Stopping {
  bool operator==(const Stopping&) const = default;
};

/// From a peer; it may have been lost, repeated, reordered or late.
struct PeerMessage {
  raft::Envelope envelope;
  bool operator==(const PeerMessage&) const = default;
};

/// A connection to this peer works, after there was none.
struct PeerConnected {
  MemberId peer;
  bool operator==(const PeerConnected&) const = default;
};

/// The connection to this peer was refused or broke: its process is most likely gone (design D7).
struct PeerUnreachable {
  MemberId peer;
  bool operator==(const PeerUnreachable&) const = default;
};

/// The connection to this peer ended otherwise: it is silent, or refuses to talk.
struct PeerLost {
  MemberId peer;
  bool operator==(const PeerLost&) const = default;
};

/// This peer says that this member has been removed from the cluster.
struct Expelled {
  MemberId by;
  bool operator==(const Expelled&) const = default;
};

/// All log writes up to `id` are durable.
struct LogWritten {
  LogWriteId id;
  bool operator==(const LogWritten&) const = default;
};

/// One unary RPC. It gets exactly one Reply, or one message in Chunks.
struct ClientRequest {
  RequestId id;  ///< Never repeated within one run of the member.
  kv::Method method = kv::Method::range;
  Bytes message;  ///< The request's protobuf message, as it came.
  Instant deadline = Instant::never();
  WallTime asked_at = {};  ///< Told with member_add alone: the new member's id depends on it.
  bool operator==(const ClientRequest&) const = default;
};

/// A streaming RPC begins; what belongs to it carries its id. It ends by one StreamEnd or by one StreamClosed.
struct StreamOpened {
  RequestId id;  ///< From the same count as those of ClientRequests.
  kv::Method method = kv::Method::watch;
  Instant deadline = Instant::never();
  bool require_leader = false;  ///< The client wants the stream to end when no leader is known (contract 1.4).
  bool operator==(const StreamOpened&) const = default;
};

/// One message on it, as it came.
struct StreamRequest {
  RequestId id;
  Bytes message;
  bool operator==(const StreamRequest&) const = default;
};

/// The client sends no more; it still listens.
struct StreamRequestsEnded {
  RequestId id;
  bool operator==(const StreamRequestsEnded&) const = default;
};

/// `bytes` of the call's chunks have left this process since the last such event. At most one a call a turn.
struct StreamDrained {
  RequestId id;
  std::uint64_t bytes = 0;
  bool operator==(const StreamDrained&) const = default;
};

/// Nobody listens any more: on a stream, or to a unary call whose reply comes in chunks. Nothing may follow.
struct StreamClosed {
  RequestId id;
  bool operator==(const StreamClosed&) const = default;
};

/// The checkpoint up to `applied_index` is durable in the engine.
struct CheckpointWritten {
  LogIndex applied_index;
  bool operator==(const CheckpointWritten&) const = default;
};

/// The first `parts` parts of the image are durable; if the last was among them, all are there and right.
struct ImageStaged {
  std::uint64_t image = 0;
  std::uint64_t parts = 0;
  bool operator==(const ImageStaged&) const = default;
};

/// The image is the engine's state, durably.
struct ImageInstalled {
  std::uint64_t image = 0;
  bool operator==(const ImageInstalled&) const = default;
};

/// The engine's file was rewritten without the room that nothing uses, or could not be: then it is as it was.
struct Defragmented {
  std::string failure;  ///< A sentence; empty if it was.
  bool operator==(const Defragmented&) const = default;
};

/// The inbox is empty: what the events before it gathered (proposals, reads, acknowledgements) is settled at once, as
/// one log write, one message a peer and one ReadIndex round. The host ends every turn with it.
struct BatchEnded {
  bool operator==(const BatchEnded&) const = default;
};

using Event =
    std::variant<Woken, Stopping, PeerMessage, LogWritten, ClientRequest, BatchEnded, StreamOpened, StreamRequest,
                 StreamRequestsEnded, StreamDrained, StreamClosed, CheckpointWritten, Defragmented, PeerConnected,
                 PeerUnreachable, PeerLost, Expelled, ImageStaged, ImageInstalled>;

struct Input {
  Instant now;
  Event event;
  bool operator==(const Input&) const = default;
};

void encode(Encoder& out, const Input& input);
std::string describe(const Input& input);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_INPUT_H_
