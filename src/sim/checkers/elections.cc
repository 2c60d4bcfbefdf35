#include "sim/checkers/elections.h"

#include <iterator>
#include <string>
#include <utility>

namespace metastore::sim {
std::optional<Violation> ElectionChecker::on_turn(Instant now, MemberId member, Term term, LogIndex commit,
                                                  bool is_leader) {
  Life& life = lives_[member];
  if (term < life.term) return Violation{"O1", now, "the term falls from " + text(life.term) + " to " + text(term)};
  if (commit < life.commit) return Violation{"O1", now, "the commit index falls in " + text(term)};
  life.term = term;
  life.commit = commit;
  life.leads = is_leader;
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

void ElectionChecker::on_move_asked(Instant now, MemberId member, RequestId id, MemberId target) {
  Life& life = lives_[member];
  life.moves[id] = {target, now, life.term, ++life.moves_asked};
}

std::optional<MemberId> ElectionChecker::move_of(MemberId member, RequestId id) const {
  const auto life = lives_.find(member);
  if (life == lives_.end()) return std::nullopt;
  const auto move = life->second.moves.find(id);
  return move == life->second.moves.end() ? std::nullopt : std::optional(move->second.target);
}

std::optional<Violation> ElectionChecker::on_move_answered(Instant now, MemberId member, RequestId id,
                                                           MoveAnswer answer, const MoveContext& context) {
  Life& life = lives_[member];
  const auto move = life.moves.extract(id);
  if (move.empty()) return std::nullopt;
  ++(answer == MoveAnswer::moved ? moves_done_ : moves_refused_);
  std::string why = objection_to(now, member, life, move.mapped(), answer, context);
  if (why.empty()) return std::nullopt;
  return Violation{"O1", now,
                   std::move(why) + ", asked to let " + std::to_string(move.mapped().target.value()) + " lead in " +
                       text(life.term)};
}

std::string ElectionChecker::objection_to(Instant now, MemberId member, const Life& life, const Move& move,
                                          MoveAnswer answer, const MoveContext& context) const {
  switch (answer) {
    case MoveAnswer::moved: {
      const auto leader = leaders_.find(life.term);
      const bool leads = leader != leaders_.end() && leader->second == move.target;
      // To itself it does not move: then it must lead, in whatever term that is.
      const bool has_moved = move.target == member || life.term > move.asked_in;
      return leads && has_moved ? "" : "a member says that somebody leads who does not";
    }
    case MoveAnswer::not_leader:
      return life.leads ? "a leader says that it is none" : "";
    case MoveAnswer::bad_target:
      if (!life.leads) return "who does not lead judges whom it is asked to hand over to";
      if (move.target == member) return "a leader says that it may not lead";
      return context.is_target_voter ? "a leader says of a voter that it may not lead" : "";
    case MoveAnswer::gave_up: {
      if (!life.leads) return "who does not lead gives up handing over";
      const bool is_in_time = now - move.asked < context.election_timeout;
      const bool has_changed = life.term > move.asked_in || life.moves_asked > move.number || !context.is_target_voter;
      return is_in_time && !has_changed ? "a leader gives up handing over before its time" : "";
    }
    case MoveAnswer::too_late:
      return context.followed == move.target ? "a member says that it is too late, though it follows whom it was" : "";
  }
  return "";
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
