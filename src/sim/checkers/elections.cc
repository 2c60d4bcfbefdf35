#include "sim/checkers/elections.h"

#include <iterator>
#include <string>

namespace metastore::sim {
namespace {

std::string text(Term term) { return "term " + std::to_string(term.value()); }

}  // namespace

std::optional<Violation> ElectionChecker::on_turn(Instant now, MemberId member, Term term, LogIndex commit,
                                                  bool is_leader) {
  Life& life = lives_[member];
  if (term < life.term) return Violation{"O1", now, "the term falls from " + text(life.term) + " to " + text(term)};
  if (commit < life.commit) return Violation{"O1", now, "the commit index falls in " + text(term)};
  life = {term, commit};
  this->commit(term, commit);
  if (!is_leader) return std::nullopt;
  const auto [leader, is_new] = leaders_.emplace(term, member);
  if (leader->second == member) return std::nullopt;
  return Violation{"O1", now, text(term) + " has two leaders"};
}

std::optional<Violation> ElectionChecker::on_vote(Instant now, MemberId member, Term term, MemberId candidate) {
  const auto [vote, is_new] = votes_.emplace(std::pair(member, term), candidate);
  if (vote->second == candidate) return std::nullopt;
  return Violation{"O1", now, "a member votes twice in " + text(term)};
}

std::optional<Violation> ElectionChecker::on_entry(Instant now, LogIndex index, Term term, std::uint64_t contents) {
  if (const LogIndex committed = committed_before(term); index <= committed) {
    return Violation{"O1", now,
                     "an entry of " + text(term) + " stands at " + std::to_string(index.value()) +
                         ", and before that term " + std::to_string(committed.value()) + " was committed"};
  }
  const auto [entry, is_new] = entries_.emplace(std::pair(index, term), contents);
  if (!is_new) ++entries_met_again_;
  if (entry->second == contents) return std::nullopt;
  return Violation{"O1", now, "two entries have index " + std::to_string(index.value()) + " and " + text(term)};
}

LogIndex ElectionChecker::committed_before(Term term) const {
  const auto later = committed_.lower_bound(term);
  return later == committed_.begin() ? LogIndex() : std::prev(later)->second;
}

void ElectionChecker::commit(Term term, LogIndex index) {
  const auto later = committed_.upper_bound(term);
  if (later != committed_.begin() && std::prev(later)->second >= index) return;
  committed_[term] = index;
  // What was committed before a term was committed before all that follow.
  for (auto next = committed_.upper_bound(term); next != committed_.end() && next->second < index; ++next) {
    next->second = index;
  }
}

}  // namespace metastore::sim
