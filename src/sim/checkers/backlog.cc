#include "sim/checkers/backlog.h"

#include <algorithm>
#include <string>
#include <utility>

namespace metastore::sim {

std::optional<Violation> BacklogChecker::on_turn(Instant now, LogIndex applied, LogIndex compacted, LogIndex persisted,
                                                 bool is_held) {
  if (std::exchange(applied_, applied) == applied || is_held) return std::nullopt;
  ++judged_;
  const std::uint64_t kept = applied.value() - compacted.value();
  if (kept <= entries_kept_ || compacted >= std::min(checkpointed_, persisted)) return std::nullopt;
  return Violation{"O10", now,
                   std::to_string(kept) + " applied entries stay in memory, the limit allows " +
                       std::to_string(entries_kept_) + ", and a checkpoint holds all up to " +
                       std::to_string(checkpointed_.value())};
}

}  // namespace metastore::sim
