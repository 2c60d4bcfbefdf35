// What may leave this member, and when (design D8; thesis 3.8): the numbers of its log writes, and the messages that
// wait until a write is durable because they claim what it holds. A message of this member to itself takes the same
// path, so that its own vote counts no sooner than anybody else's.
#ifndef METASTORE_CORE_RAFT_OUTBOX_H_
#define METASTORE_CORE_RAFT_OUTBOX_H_

#include <cstdint>
#include <vector>

#include "core/base/time.h"
#include "core/raft/raft.h"

namespace metastore::raft {

/// Invariants: 1. durable() <= last_write(). 2. Only messages that wait for a later write than durable() are held.
class Outbox {
 public:
  LogWriteId durable() const { return durable_; }
  LogWriteId last_write() const { return last_write_; }
  /// The write that will hold everything that changes now.
  LogWriteId next_write() const { return last_write_.next(); }

  /// Emits `envelope` as soon as `write` is durable. Past `held_max` waiting messages it vanishes, as on a network.
  void send(Envelope envelope, LogWriteId write, std::uint64_t held_max, Output& out);
  /// Takes the number next_write() for a write that is emitted now.
  LogWriteId begin_write(Instant now);
  /// All writes up to `id` are durable. Returns the messages that waited for them, in the order they were sent.
  std::vector<Envelope> on_written(Instant now, LogWriteId id);
  /// When, if nothing becomes durable until then, the disk counts as stalled for `timeout`.
  Instant stalled_at(Duration timeout) const { return is_idle() ? Instant::never() : progress_at_ + timeout; }

  void check_invariants() const;

 private:
  struct Held {
    LogWriteId write;
    Envelope envelope;
  };
  bool is_idle() const { return durable_ == last_write_; }

  LogWriteId last_write_;
  LogWriteId durable_;
  Instant progress_at_;  ///< When the disk last finished a write, or began one while it was idle.
  std::vector<Held> held_;
};

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_OUTBOX_H_
