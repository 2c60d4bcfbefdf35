// O1, on what members say of themselves and write: one leader a term; one vote a member and term, whatever happened to
// it in between; one entry for each index and term; no entry of a later term where one had been committed (leader
// completeness); terms and commit indexes that do not fall in one life.
// Source: the safety properties of Raft (Ongaro's thesis, figure 3.2).
#ifndef METASTORE_SIM_CHECKERS_ELECTIONS_H_
#define METASTORE_SIM_CHECKERS_ELECTIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

class ElectionChecker {
 public:
  /// At the end of a turn of `member`.
  std::optional<Violation> on_turn(Instant now, MemberId member, Term term, LogIndex commit, bool is_leader);
  /// `member` writes down or says whom it elects; to itself it need not say so.
  std::optional<Violation> on_vote(Instant now, MemberId member, Term term, MemberId candidate);
  /// Somebody writes an entry; equal contents have equal hashes.
  std::optional<Violation> on_entry(Instant now, LogIndex index, Term term, std::uint64_t contents);
  /// Another life of `member` begins.
  void on_crash(MemberId member) { lives_.erase(member); }

  std::uint64_t leaders() const { return leaders_.size(); }
  std::uint64_t votes() const { return votes_.size(); }
  /// How often an entry was written again.
  std::uint64_t entries_met_again() const { return entries_met_again_; }

 private:
  LogIndex committed_before(Term term) const;
  void commit(Term term, LogIndex index);

  struct Life {
    Term term;
    LogIndex commit;
  };

  std::map<MemberId, Life> lives_;
  std::map<Term, MemberId> leaders_;
  std::map<std::pair<MemberId, Term>, MemberId> votes_;
  std::map<std::pair<LogIndex, Term>, std::uint64_t> entries_;
  /// For a term, the newest index that was committed in it or before.
  std::map<Term, LogIndex> committed_;
  std::uint64_t entries_met_again_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_ELECTIONS_H_
