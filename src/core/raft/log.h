// The part of the log that is in memory, and how far it has been written and persisted here. Opaque entries; no I/O:
// what is to be written is taken out as a batch, and its durability is reported back by the number of that batch.
// Idea of tracking batches instead of bare indexes: etcd/raft's async storage writes and their ABA race.
//
//   compacted <= applied        persisted <= written <= last
#ifndef METASTORE_CORE_RAFT_LOG_H_
#define METASTORE_CORE_RAFT_LOG_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/limits.h"
#include "core/raft/types.h"

namespace metastore::raft {

/// Invariants: 1. Entries follow `compacted` without a gap, their terms never fall. 2. persisted() counts an entry only
/// if the entry standing there now is the one that was persisted: replacing an entry takes it, and all behind it, back
/// out of every write under way.
class Log {
 public:
  /// Everything given is durable. Requires: `entries` follow `compacted_index`.
  Log(LogIndex compacted_index, Term compacted_term, std::vector<Entry> entries);

  /// The newest entry that has left memory; its term is still known. 0 if none has.
  LogIndex compacted() const { return compacted_index_; }
  LogIndex applied() const { return applied_; }
  LogIndex persisted() const { return persisted_; }
  LogIndex last_index() const { return compacted_index_.plus(entries_.size()); }
  Term last_term() const { return term_at(last_index()); }

  /// Requires: compacted() <= index <= last_index().
  Term term_at(LogIndex index) const;
  /// Requires: compacted() < index <= last_index().
  const Entry& entry(LogIndex index) const;
  /// Whether an entry of that term stands at `index`, as far as memory can tell.
  bool matches(LogIndex index, Term term) const;
  /// The newest index, at most `limit`, whose term is not above `term`; compacted() if there is none in memory.
  LogIndex newest_not_above(LogIndex limit, Term term) const;
  /// Entries from `first` on, at least one and no more than `bytes_max` unless the first alone is larger.
  std::vector<Entry> slice(LogIndex first, std::uint64_t bytes_max) const;

  void append(Entry entry);
  /// Forgets `first` and all behind it. Requires: applied() < first.
  void truncate_from(LogIndex first);

  bool has_unwritten() const { return written_ < last_index(); }
  /// What has been appended since the last call, to be written under the number `id`.
  std::vector<Entry> take_unwritten(LogWriteId id);
  /// All batches up to `id` are durable.
  void on_written(LogWriteId id);
  /// The batch whose durability makes `index` durable: 0 if it is, `next` if it has not been taken yet.
  LogWriteId write_of(LogIndex index, LogWriteId next) const;

  /// Entries up to `index` are in the store, and those up to `checkpointed` durably: those may leave memory.
  /// Those behind `held` stay unless they take more than limits.log_held_bytes_max. Requires: checkpointed <= index.
  void on_applied(LogIndex index, LogIndex checkpointed, LogIndex held, const Limits& limits);
  /// Whether all entries after `index` are here, and take no more than half of what may stay without being held.
  bool is_kept_after(LogIndex index, const Limits& limits) const;
  /// A snapshot stands for everything up to `index`, and no entry remains. Requires: last_index() < index, or another
  /// term there; whoever claims the mark waits for its write.
  void restart_at(LogIndex index, Term term);

  void check_invariants() const;

 private:
  struct Batch {
    LogWriteId id;
    LogIndex last;  ///< The newest of its entries that has not been replaced since.
  };

  void compact(LogIndex checkpointed, LogIndex held, const Limits& limits);

  LogIndex compacted_index_;
  Term compacted_term_;
  std::deque<Entry> entries_;
  LogIndex applied_;
  LogIndex written_;
  LogIndex persisted_;
  std::deque<Batch> batches_;        ///< Under way, ids and last indexes rising.
  std::uint64_t applied_bytes_ = 0;  ///< Of the applied entries in memory.
};

/// What one entry counts against a limit in bytes: its data and what it takes to hold it.
std::uint64_t size_bytes(const Entry& entry);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_LOG_H_
