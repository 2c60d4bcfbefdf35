// This member's own proposals between log and store. One that it appended itself is known by its place, (index, term);
// one that it handed to the leader of a term by the sequence that its entry carries (kv/origin.h). The log tells what
// became of either: the entry that is applied is a proposal, or proof that some will never happen. Those may be
// proposed anew, and nothing else may (design, law 5). Ids inside requests are never trusted for that, since members
// could collide.
#ifndef METASTORE_CORE_REPLICA_PROPOSALS_H_
#define METASTORE_CORE_REPLICA_PROPOSALS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/raft/types.h"
#include "core/replica/waiting.h"

namespace metastore {

struct Proposal {
  Waiting::Key key = 0;
  Bytes command;
  raft::EntryType type = raft::EntryType::normal;
};

class Proposals {
 public:
  /// Requires: (term, index) rise from call to call; an index may fall only with a larger term.
  void add(LogIndex index, Term term, Proposal proposal);
  /// One that goes to the leader of `term`. Returns its sequence. Requires: terms never fall from call to call.
  std::uint64_t hand_on(Term term, Proposal proposal);

  /// The proposal that is the entry of `term` applied at `index`, which carries `sequence` if it was handed on by this
  /// run of this member. What this entry proves never to happen goes to `lost`, in the order of proposing.
  std::optional<Waiting::Key> take(LogIndex index, Term term, std::optional<std::uint64_t> sequence,
                                   std::vector<Proposal>& lost);
  /// The leader of `term` has not taken it and never will.
  std::optional<Proposal> take_refused(Term term, std::uint64_t sequence);

  /// The log cannot tell any more what became of those that are here: nothing may be made of it.
  void forget_all() {
    appended_.clear();
    handed_on_.clear();
  }

  bool has_handed_on() const { return !handed_on_.empty(); }

 private:
  struct Appended {
    LogIndex index;
    Term term;
    Proposal proposal;
  };
  struct HandedOn {
    std::uint64_t sequence = 0;
    Term term;
    Proposal proposal;
  };
  std::deque<Appended> appended_;
  std::deque<HandedOn> handed_on_;  ///< Sequences rise, terms never fall.
  std::uint64_t last_sequence_ = 0;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_PROPOSALS_H_
