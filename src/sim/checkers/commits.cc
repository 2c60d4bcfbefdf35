#include "sim/checkers/commits.h"

#include <algorithm>
#include <string>
#include <utility>

namespace metastore::sim {

CommitChecker::CommitChecker(const Atlas& disks, std::uint64_t founders) : disks_(disks) {
  for (std::uint64_t index = 1; index <= founders; ++index) committed_.put(LogIndex(index), Term(1));
}

std::optional<Violation> CommitChecker::on_turn(Instant now, MemberId member, const CommitContext& context) {
  Log& log = logs_[member];
  if (log.voters.empty() || log.voters.back() != context.voters) log.voters.push_back(context.voters);
  std::optional<Violation> violation;
  if (!context.risen.empty()) violation = on_risen(now, member, log, context);
  log.led = context.is_leader;
  if (log.voters.size() > 2) log.voters.erase(log.voters.begin(), log.voters.end() - 2);
  return violation;
}

std::optional<Violation> CommitChecker::on_risen(Instant now, MemberId member, const Log& log,
                                                 const CommitContext& context) {
  const Term term = context.risen.back();
  const auto wrong = [&](const std::string& how) {
    return Violation{"O1", now,
                     "entry " + std::to_string(context.commit.value()) + " of " + text(term) + " is committed" + how};
  };
  if (context.commit <= committed_.last()) {
    ++by_others_;
    const Term committed = *committed_.term_at(context.commit);
    return committed == term ? std::nullopt : std::optional(wrong(", where one of " + text(committed) + " is"));
  }
  const auto holds = [&](MemberId voter) { return disks_.holds(voter, context.commit, term); };
  const auto is_any = [&log](auto&& condition) { return std::any_of(log.voters.begin(), log.voters.end(), condition); };
  if (!is_any([&holds](const auto& voters) {
        return static_cast<std::size_t>(std::count_if(voters.begin(), voters.end(), holds)) * 2 > voters.size();
      })) {
    return wrong(", and not on the disks of a quorum");
  }
  // Who has nobody to count on need not lead for it.
  if (!is_any([member](const auto& voters) { return voters.size() == 1 && voters.front() == member; })) {
    // With the commit of its own removal a leader steps down.
    if (!context.is_leader && !log.led) return wrong(" by who does not lead, before any leader");
    if (term != context.term) return wrong(" in " + text(context.term) + " before anything of that term");
  }
  ++by_leaders_;
  while (committed_.last() < context.commit) {
    const LogIndex next = committed_.last().next();
    committed_.put(next, context.risen[context.risen.size() - 1 - (context.commit.value() - next.value())]);
  }
  return std::nullopt;
}

}  // namespace metastore::sim
