// O10, of what piles up in one run of a member: applied entries that stay in memory though a durable checkpoint holds
// them, but for those that a snapshot under way still needs; files of the log that hold nothing but what a durable mark
// stands for; messages that wait for a peer; proposals that wait for their commit.
#ifndef METASTORE_SIM_CHECKERS_BACKLOG_H_
#define METASTORE_SIM_CHECKERS_BACKLOG_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// The files of a log, as their directory shows them.
struct LogFiles {
  std::uint64_t count = 0;
  std::uint64_t oldest = 0;  ///< Its sequence number.
  LogIndex second_first;     ///< The first entry that the file behind the oldest may hold, if there is one.
};

struct BacklogCounts {
  std::uint64_t logs = 0;       ///< Turns in which entries were applied.
  std::uint64_t files = 0;      ///< Looks at files of which one had to go.
  std::uint64_t queues = 0;     ///< Looks at messages that waited.
  std::uint64_t proposals = 0;  ///< Turns at whose end some waited.
  BacklogCounts& operator+=(const BacklogCounts& more);
};

/// Of one run of a member.
class BacklogChecker {
 public:
  explicit BacklogChecker(const Limits& limits) : limits_(limits) {}

  /// A checkpoint up to here is durable.
  void on_checkpoint(LogIndex applied) { checkpointed_ = applied; }
  /// At the end of a turn: `compacted` is the newest entry that has left memory, `is_held` says that a snapshot may
  /// need more than the limit allows. Judged when entries were applied: that is when others may leave.
  std::optional<Violation> on_turn(Instant now, LogIndex applied, LogIndex compacted, LogIndex persisted, bool is_held);
  /// At the end of a turn.
  std::optional<Violation> on_proposals(Instant now, std::uint64_t pending);
  /// Messages of so many bytes wait for one peer.
  std::optional<Violation> on_queue(Instant now, bool is_bulk, std::uint64_t messages, std::uint64_t bytes);
  /// What the log is told to write lets files go that hold only entries up to `release_to`, once it is durable.
  void on_log_write(LogWriteId id, LogIndex release_to);
  /// That write, and all before it, are durable. True if the files are to be looked at.
  bool on_log_written(LogWriteId id);
  std::optional<Violation> on_files(Instant now, const LogFiles& files);
  const BacklogCounts& counts() const { return counts_; }

 private:
  Limits limits_;
  LogIndex checkpointed_;
  LogIndex applied_;
  std::deque<std::pair<LogWriteId, LogIndex>> releases_;  ///< Those that are not durable yet.
  LogIndex released_;
  std::uint64_t written_ = 0;
  std::optional<std::uint64_t> must_go_;  ///< The file that had to go at the last look.
  BacklogCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_BACKLOG_H_
