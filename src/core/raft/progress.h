// What a leader knows of one peer's log, and what it may send next (thesis 10.2.1, pipelining; etcd's words).
// It sends nothing itself. A probe carries no entries and asks whether the logs agree before next_index; while
// replicating, entries are sent ahead of their acknowledgement, up to a window in bytes. A peer that needs entries
// which have left memory gets a snapshot, and heartbeats meanwhile.
#ifndef METASTORE_CORE_RAFT_PROGRESS_H_
#define METASTORE_CORE_RAFT_PROGRESS_H_

#include <cstdint>
#include <deque>

#include "core/raft/types.h"

namespace metastore::raft {

/// Invariants: 1. match_index < next_index. 2. match_index never falls. 3. Nothing is in flight unless replicating.
class Progress {
 public:
  enum class Mode : std::uint8_t { probe, replicate, snapshot };

  /// Begins by replicating at `next`, since the logs of a healthy cluster agree: a wrong guess costs one rejection.
  explicit Progress(LogIndex next) : next_index_(next) {}

  Mode mode() const { return mode_; }
  LogIndex match_index() const { return match_index_; }
  LogIndex next_index() const { return next_index_; }

  bool has_in_flight() const { return !inflights_.empty(); }
  /// Whether entries may be sent now. A window that is empty takes one message, however large.
  bool can_send_entries(std::uint64_t window_bytes) const {
    return mode_ == Mode::replicate && (inflights_.empty() || inflight_bytes_ < window_bytes);
  }
  /// Entries from next_index to `last` have been sent.
  void on_sent(LogIndex last, std::uint64_t bytes);
  /// The peer holds everything up to `match`, durable and equal to the leader's.
  void on_accepted(LogIndex match);
  /// The peer's log does not agree at `rejected`; `hint` is the newest index at which it may.
  /// Returns false for an answer that is late and says nothing about next_index.
  bool on_rejected(LogIndex rejected, LogIndex hint);
  /// Entries up to `compacted` cannot be sent any more.
  void on_compacted(LogIndex compacted);
  /// What is in flight is forgotten, and the peer is probed at `next`, or where it is known to match.
  void probe_from(LogIndex next);
  /// The peer needs entries that have left memory: rejections say nothing new until it accepts what is sent now.
  void await_snapshot();

  void check_invariants() const;

 private:
  struct Inflight {
    LogIndex last;
    std::uint64_t bytes;
  };

  void forget_inflights();

  Mode mode_ = Mode::replicate;
  LogIndex match_index_;
  LogIndex next_index_;
  std::deque<Inflight> inflights_;
  std::uint64_t inflight_bytes_ = 0;
};

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_PROGRESS_H_
