#include "sim/checkers/retention.h"

#include <algorithm>
#include <map>
#include <string>

namespace metastore::sim {

std::optional<Violation> check_retention(const History& history, const RetentionTerms& terms) {
  if (history.unasked_compactions().empty()) return std::nullopt;
  // By revision: when the last of all writes up to there was asked.
  std::map<std::int64_t, Instant> asked;
  for (const Operation& operation : history.operations()) {
    if (operation.ending != Ending::done || !has_changed(operation.response)) continue;
    asked.emplace(operation.response.revision, operation.invoked);
  }
  Instant latest;
  for (auto& [revision, invoked] : asked) latest = invoked = std::max(latest, invoked);
  // A clock that is ahead sees the end of a period sooner.
  const Duration period = terms.period - terms.period * std::int64_t{terms.clock_pace_ppm} / 1'000'000;
  for (const UnaskedCompaction& compaction : history.unasked_compactions()) {
    const std::int64_t must_be_there = compaction.revision + static_cast<std::int64_t>(terms.revisions);
    const auto after = asked.upper_bound(must_be_there);
    if (after == asked.begin()) continue;
    const auto& [revision, invoked] = *std::prev(after);
    if (invoked + period <= compaction.at) continue;
    return Violation{"retention", compaction.at,
                     "it was compacted at " + std::to_string(compaction.revision) + ", and revision " +
                         std::to_string(revision) + " is too new for that"};
  }
  return std::nullopt;
}

}  // namespace metastore::sim
