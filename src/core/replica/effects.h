// What a replica wants done, as data. The laws of the boundary (design, section 3):
//
// 1. An emitted effect has no precondition. What must wait for durability stays in the replica until LogWritten. So
//    effects may be executed in any order that their fields' comments allow.
// 2. Durable state: checkpointed <= min(applied, persisted).
// 4. A storage failure is not an input: the host stops the process, the simulator crashes the member.
// 5. Every ClientRequest gets exactly one reply: done, refused (did not happen) or unknown (may have).
// 6. Every id that can outlive a restart contains Config.incarnation.
// 7. Inputs and effects are values: no pointers into the replica, no closures, no handles, no passwords.
// 8. Same config, same recovered state, same inputs: same effects, byte for byte, on every compiler.
// 9. Everything is bounded by a named limit; so is a step: about 1 ms.
#ifndef METASTORE_CORE_REPLICA_EFFECTS_H_
#define METASTORE_CORE_REPLICA_EFFECTS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/encoder.h"
#include "core/base/error.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/base/trace.h"
#include "core/raft/types.h"
#include "core/replica/checkpoint.h"

namespace metastore {

struct Reply {
  RequestId id;
  std::variant<Bytes, ErrorCode> result;  ///< The response's protobuf message, or why there is none.
  bool operator==(const Reply&) const = default;
};

/// A part of what a call is answered with: of one message on a stream, or of a unary reply too large for one step.
/// What was sent and not yet drained (StreamDrained) is kept within limits.stream_credit_bytes by the replica.
struct Chunk {
  RequestId id;
  /// Begins a message of so many bytes, of which `parts` are the first; 0 goes on with the message that was begun.
  std::uint64_t message_bytes = 0;
  std::vector<Bytes> parts;  ///< One behind another; events and records are shared between streams.
  bool operator==(const Chunk&) const = default;
};

/// Ends a stream, or a unary reply of which only a part was sent.
struct StreamEnd {
  RequestId id;
  std::optional<ErrorCode> error;  ///< None: all was well.
  bool operator==(const StreamEnd&) const = default;
};

/// Another member, as the member table has it: whom to connect to, and whom to let in.
struct Peer {
  MemberId id;
  std::vector<std::string> urls;
  std::uint64_t data_id = 0;  ///< As it published: one that says another was wiped (design D5). 0: not published yet.
  bool is_removed = false;    ///< It is not connected to, and told so when it comes.
  bool operator==(const Peer&) const = default;
};

/// A step towards another state of the engine than checkpoints make: rows of a snapshot gather beside the engine's own,
/// and take their place at once. No part of that is seen before (design, law 3).
struct ImageStep {
  enum class Kind : std::uint8_t {
    rows,       ///< Part `parts` of it, counted from 1; the first begins anew, whatever was gathered.
    last_rows,  ///< The same, and all that were gathered are read back and checked.
    install,    ///< They take the place of the engine's own; no checkpoint is under way. Answered by ImageInstalled.
    drop,       ///< They are of no use.
  };
  Kind kind = Kind::rows;
  std::uint64_t image = 0;
  std::uint64_t parts = 0;
  Bytes rows;
  bool operator==(const ImageStep&) const = default;
};

struct Effects {
  std::vector<raft::LogWrite> log_writes;  ///< FIFO, coalescable; answered by LogWritten.
  std::vector<raft::Envelope> messages;    ///< No order; may vanish.
  std::vector<Reply> replies;              ///< No order.
  std::vector<Chunk> chunks;               ///< FIFO a call; answered by StreamDrained.
  std::vector<StreamEnd> stream_ends;      ///< Each behind its call's chunks.
  std::optional<Checkpoint> checkpoint;    ///< One under way at most; answered by CheckpointWritten.
  std::vector<ImageStep> image_steps;      ///< FIFO; rows are answered by ImageStaged.
  bool defragment = false;                 ///< The engine's file. One under way at most; answered by Defragmented.
  std::optional<std::vector<Peer>> peers;  ///< All there are besides this member; latest wins.
  bool serve = false;                      ///< The member is ready: clients may come in. Once.
  bool leave = false;                      ///< This member has been removed for good: it is to stop.
  Instant wake_at = Instant::never();      ///< Latest wins; answered by Woken.
  std::vector<TraceLine> trace;            ///< FIFO; no part of the hash.
  bool operator==(const Effects&) const = default;
};

/// Everything but the trace.
void encode(Encoder& out, const Effects& effects);
std::string describe(const Effects& effects);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_EFFECTS_H_
