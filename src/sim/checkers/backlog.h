// O10, of the log in memory: once entries are applied, and a durable checkpoint holds them, no more of them stay than
// the limit allows for slow followers; but for those that a snapshot under way still needs.
#ifndef METASTORE_SIM_CHECKERS_BACKLOG_H_
#define METASTORE_SIM_CHECKERS_BACKLOG_H_

#include <cstdint>
#include <optional>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// Of one run of a member.
class BacklogChecker {
 public:
  explicit BacklogChecker(std::uint64_t entries_kept) : entries_kept_(entries_kept) {}

  /// A checkpoint up to here is durable.
  void on_checkpoint(LogIndex applied) { checkpointed_ = applied; }
  /// At the end of a turn: `compacted` is the newest entry that has left memory, `is_held` says that a snapshot may
  /// need more than the limit allows. Judged when entries were applied: that is when others may leave.
  std::optional<Violation> on_turn(Instant now, LogIndex applied, LogIndex compacted, LogIndex persisted, bool is_held);
  std::uint64_t judged() const { return judged_; }

 private:
  std::uint64_t entries_kept_;
  LogIndex checkpointed_;
  LogIndex applied_;
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_BACKLOG_H_
