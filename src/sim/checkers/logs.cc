#include "sim/checkers/logs.h"

#include <string>

namespace metastore::sim {

std::optional<Violation> LogChecker::on_entry(Instant now, MemberId member, Term term, LogIndex index, Term of) {
  // Of a turn in which the term rose it is not known which entries were written before that.
  const auto before = terms_.find(member);
  const bool has_stayed = before != terms_.end() && before->second == term;
  const auto lead = leads_.find(has_stayed ? term : of);
  if (lead == leads_.end()) return std::nullopt;
  LogOutline& log = lead->second.log;
  const auto entry = [&] { return "entry " + std::to_string(index.value()) + " of " + text(of); };
  if (lead->second.leader == member) {
    const bool is_appended = of == lead->first && index == log.last().next();
    if (is_appended) log.put(index, of);
    if (is_appended || !has_stayed) return std::nullopt;
    return Violation{"O1", now, "the leader of " + text(term) + " writes " + entry() + " over its log"};
  }
  // What a leader's log had before its base nobody remembers.
  if (!has_stayed || index <= log.base()) return std::nullopt;
  ++judged_;
  if (log.term_at(index) == of) return std::nullopt;
  return Violation{"O1", now, entry() + " is written in " + text(term) + ", whose leader does not have it"};
}

void LogChecker::on_turn(MemberId member, Term term, bool is_leader) {
  terms_[member] = term;
  if (is_leader && !leads_.contains(term)) leads_.emplace(term, Lead{member, logs_.log_of(member)});
}

}  // namespace metastore::sim
