// Folds the records of a log into what Raft starts from, batch by batch, and refuses what Raft never writes: a flipped
// type that leaves a record's checksum right shows here at the latest. Pure.
#ifndef METASTORE_STORAGE_LOG_REPLAY_H_
#define METASTORE_STORAGE_LOG_REPLAY_H_

#include <optional>
#include <string_view>

#include "core/raft/raft.h"
#include "storage/wal_reader.h"

namespace metastore::storage {

class LogReplay {
 public:
  /// `first_index`: of the log's first segment; 0 if it has all its segments, so that its first entry has index 1.
  explicit LogReplay(LogIndex first_index) : based_(first_index == LogIndex(0)) {
    if (!based_) log_.compacted.index = first_index.previous();
  }

  /// Takes the next record. Returns why it cannot be, half a sentence, or nothing.
  [[nodiscard]] std::optional<std::string_view> take(const Record& record);
  /// Requires: all records were taken; those behind the last hard state were not, since they are no whole batch.
  [[nodiscard]] std::optional<std::string_view> finish() const;

  const raft::HardState& hard_state() const { return log_.hard_state; }
  LogIndex last_index() const;
  raft::Recovered release() { return std::move(log_); }

 private:
  std::optional<std::string_view> take(const raft::Entry& entry);
  std::optional<std::string_view> take(const raft::HardState& state);
  std::optional<std::string_view> take(const raft::Mark& mark);
  /// Requires: compacted < index <= last_index().
  const raft::Entry& entry(LogIndex index) const;

  bool based_;  ///< What stands before the first entry is known.
  raft::Recovered log_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_LOG_REPLAY_H_
