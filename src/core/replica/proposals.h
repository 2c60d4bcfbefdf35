// This member's own proposals between log and store. A proposal is known by where it was appended, (index, term): the
// entry that is applied at that index is either this proposal or proof that it never will be. Ids inside entries are
// never trusted for that, since members and incarnations could collide.
#ifndef METASTORE_CORE_REPLICA_PROPOSALS_H_
#define METASTORE_CORE_REPLICA_PROPOSALS_H_

#include <deque>
#include <optional>
#include <vector>

#include "core/base/tagged.h"
#include "core/replica/waiting.h"

namespace metastore {

class Proposals {
 public:
  /// Requires: (term, index) rise from call to call; an index may fall only with a larger term.
  void add(LogIndex index, Term term, Waiting::Key key);

  /// The proposal that stands at `index`, where an entry of `term` is applied. Those that this entry proves to be
  /// replaced by another leader's go to `lost`.
  std::optional<Waiting::Key> take(LogIndex index, Term term, std::vector<Waiting::Key>& lost);

 private:
  struct Proposal {
    LogIndex index;
    Term term;
    Waiting::Key key;
  };
  std::deque<Proposal> proposals_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_PROPOSALS_H_
