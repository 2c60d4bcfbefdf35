// Folds the records of a log into what Raft starts from, batch by batch, and refuses what Raft never writes: a flipped
// type that leaves a record's checksum right shows here at the latest. What a checkpoint holds it keeps only so far as
// limits say, so that a long log does not go through memory as a whole. Pure.
#ifndef METASTORE_STORAGE_LOG_REPLAY_H_
#define METASTORE_STORAGE_LOG_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/limits.h"
#include "core/raft/raft.h"
#include "storage/wal_reader.h"

namespace metastore::storage {

class LogReplay {
 public:
  /// `first_index`: of the log's first segment; 0 if it has all its segments, so that its first entry has index 1.
  /// `checkpoint`: what is in the engine; index 0 if nothing is. `stands_before`: it holds what the segments before the
  /// first did, which were left out.   Requires then: first_index <= checkpoint.index.
  LogReplay(LogIndex first_index, raft::Mark checkpoint, bool stands_before, const Limits& limits);

  /// Takes the next record. Returns why it cannot be, half a sentence, or nothing.
  [[nodiscard]] std::optional<std::string_view> take(const Record& record);
  /// Requires: all records were taken; those behind the last hard state were not, since they are no whole batch.
  [[nodiscard]] std::optional<std::string_view> finish() const;

  const raft::HardState& hard_state() const { return log_.hard_state; }
  LogIndex last_index() const;
  /// Requires: finish() had nothing to say.
  raft::Recovered release();

 private:
  std::optional<std::string_view> take(const raft::Entry& entry);
  std::optional<std::string_view> take(const raft::HardState& state);
  std::optional<std::string_view> take(const raft::Mark& mark);
  /// Requires: compacted < index <= last_index().
  const raft::Entry& entry(LogIndex index) const;

  /// Forgets the first `count` entries.
  void drop(std::size_t count);
  /// Whether so much more is held than is kept that forgetting it is worth moving the rest.
  bool has_excess() const;
  /// Forgets entries that are committed and in the checkpoint, if they are too many.
  void trim();

  const raft::Mark checkpoint_;
  const bool stands_before_;
  const std::uint64_t entries_kept_;
  const std::uint64_t bytes_kept_;
  bool based_;       ///< A mark says what stands before the first segment, or all segments are there.
  LogIndex floor_;   ///< Up to here entries may be in segments that are gone.
  LogIndex marked_;  ///< The newest mark.
  raft::Recovered log_;
  std::uint64_t bytes_ = 0;  ///< Of log_.entries.
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_LOG_REPLAY_H_
