#include "sim/checkers/backlog.h"

#include <algorithm>
#include <string>

namespace metastore::sim {
namespace {

/// Between two looks at the files: one of them goes with every write or two.
constexpr std::uint64_t writes_a_look = 8;

}  // namespace

BacklogCounts& BacklogCounts::operator+=(const BacklogCounts& more) {
  logs += more.logs;
  files += more.files;
  queues += more.queues;
  proposals += more.proposals;
  return *this;
}

std::optional<Violation> BacklogChecker::on_turn(Instant now, LogIndex applied, LogIndex compacted, LogIndex persisted,
                                                 bool is_held) {
  if (std::exchange(applied_, applied) == applied || is_held) return std::nullopt;
  ++counts_.logs;
  const std::uint64_t kept = applied.value() - compacted.value();
  if (kept <= limits_.log_entries_kept || compacted >= std::min(checkpointed_, persisted)) return std::nullopt;
  return Violation{"O10", now,
                   std::to_string(kept) + " applied entries stay in memory, the limit allows " +
                       std::to_string(limits_.log_entries_kept) + ", and a checkpoint holds all up to " +
                       std::to_string(checkpointed_.value())};
}

std::optional<Violation> BacklogChecker::on_proposals(Instant now, std::uint64_t pending) {
  if (pending > 0) ++counts_.proposals;
  // The member proposes its own name and URLs, too.
  if (pending <= limits_.proposals_pending_max + 1) return std::nullopt;
  return Violation{
      "O10", now,
      std::to_string(pending) + " proposals wait, the limit allows " + std::to_string(limits_.proposals_pending_max)};
}

std::optional<Violation> BacklogChecker::on_queue(Instant now, bool is_bulk, std::uint64_t messages,
                                                  std::uint64_t bytes) {
  if (messages > 0) ++counts_.queues;
  const std::uint64_t allowed = is_bulk ? limits_.peer_bulk_bytes_max : limits_.peer_urgent_bytes_max;
  // One alone may be larger.
  if (messages <= 1 || bytes <= allowed) return std::nullopt;
  return Violation{"O10", now,
                   std::to_string(bytes) + " bytes wait for a peer, the limit allows " + std::to_string(allowed)};
}

void BacklogChecker::on_log_write(LogWriteId id, LogIndex release_to) {
  if (release_to > LogIndex()) releases_.emplace_back(id, release_to);
}

bool BacklogChecker::on_log_written(LogWriteId id) {
  for (; !releases_.empty() && releases_.front().first <= id; releases_.pop_front()) {
    released_ = std::max(released_, releases_.front().second);
  }
  return limits_.wal_files_kept > 0 && ++written_ % writes_a_look == 0;
}

std::optional<Violation> BacklogChecker::on_files(Instant now, const LogFiles& files) {
  const std::optional<std::uint64_t> had_to_go = std::exchange(must_go_, std::nullopt);
  if (files.count <= limits_.wal_files_kept || files.count < 2 || files.second_first > released_) return std::nullopt;
  ++counts_.files;
  must_go_ = files.oldest;
  if (had_to_go != must_go_) return std::nullopt;
  return Violation{"O10", now,
                   std::to_string(files.count) + " files of the log stay, the limit allows " +
                       std::to_string(limits_.wal_files_kept) + ", and a mark stands for all entries up to " +
                       std::to_string(released_.value())};
}

}  // namespace metastore::sim
