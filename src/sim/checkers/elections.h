// O1, on what members say of themselves and write: one leader a term; one vote a member and term, whatever happened to
// it in between; one entry for each index and term; no entry of a later term where one had been committed (leader
// completeness); terms and commit indexes that do not fall in one life; answers about who leads that are true.
// Source: the safety properties of Raft (Ongaro's thesis, figure 3.2).
#ifndef METASTORE_SIM_CHECKERS_ELECTIONS_H_
#define METASTORE_SIM_CHECKERS_ELECTIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// What a member said to whoever asked it to let another one lead.
enum class MoveAnswer : std::uint8_t {
  moved,
  not_leader,
  bad_target,
  gave_up,   ///< It leads itself, and its successor has not come forward.
  too_late,  ///< The question's time is over.
};

/// What can be known of the member that gave the answer, at the end of that turn.
struct MoveContext {
  MemberId followed;  ///< Whom it takes for the leader.
  bool is_target_voter = false;
  Duration election_timeout;
};

class ElectionChecker {
 public:
  /// At the end of a turn of `member`.
  std::optional<Violation> on_turn(Instant now, MemberId member, Term term, LogIndex commit, bool is_leader);
  /// `member` writes down or says whom it elects; to itself it need not say so.
  std::optional<Violation> on_vote(Instant now, MemberId member, Term term, MemberId candidate);
  /// Somebody writes an entry; equal contents have equal hashes.
  std::optional<Violation> on_entry(Instant now, LogIndex index, Term term, std::uint64_t contents);
  /// Somebody asks `member` to let `target` lead; the request's id is unique in this life. Times are the member's.
  void on_move_asked(Instant now, MemberId member, RequestId id, MemberId target);
  /// Whom such a question without an answer is about.
  std::optional<MemberId> move_of(MemberId member, RequestId id) const;
  /// Requires: on_turn() was told of this turn.
  std::optional<Violation> on_move_answered(Instant now, MemberId member, RequestId id, MoveAnswer answer,
                                            const MoveContext& context);
  /// Another life of `member` begins.
  void on_crash(MemberId member) { lives_.erase(member); }

  std::uint64_t leaders() const { return leaders_.size(); }
  std::uint64_t votes() const { return votes_.size(); }
  /// How often an entry was written again.
  std::uint64_t entries_met_again() const { return entries_met_again_; }
  /// Answers about moves of leadership: to those that succeeded, and to others.
  std::uint64_t moves_done() const { return moves_done_; }
  std::uint64_t moves_refused() const { return moves_refused_; }

 private:
  LogIndex committed_before(Term term) const;
  void commit(Term term, LogIndex index);

  struct Move {
    MemberId target;
    Instant asked;
    Term asked_in;
    std::uint64_t number = 0;
  };
  struct Life {
    Term term;
    LogIndex commit;
    bool leads = false;
    std::map<RequestId, Move> moves = {};  ///< Without their answers yet.
    std::uint64_t moves_asked = 0;
  };

  /// "" if that may be so.
  std::string objection_to(Instant now, MemberId member, const Life& life, const Move& move, MoveAnswer answer,
                           const MoveContext& context) const;

  std::map<MemberId, Life> lives_;
  std::map<Term, MemberId> leaders_;
  std::map<std::pair<MemberId, Term>, MemberId> votes_;
  std::map<std::pair<LogIndex, Term>, std::uint64_t> entries_;
  /// For a term, the newest index that was committed in it or before.
  std::map<Term, LogIndex> committed_;
  std::uint64_t entries_met_again_ = 0;
  std::uint64_t moves_done_ = 0;
  std::uint64_t moves_refused_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_ELECTIONS_H_
