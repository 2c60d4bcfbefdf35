// O1, on what a leader knows of the others: within its term, the index up to which a peer's log is known to be its own
// never falls, whatever order answers come in. Nothing that is told must be forgotten: entries are counted by it, and a
// learner that lacks more than a tenth of the log is not promoted (contract 1.8).
// Source: monotonic match indexes, which leaders of other systems have been found without; learners that never started.
#ifndef METASTORE_SIM_CHECKERS_MATCHES_H_
#define METASTORE_SIM_CHECKERS_MATCHES_H_

#include <cstdint>
#include <map>
#include <optional>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// Of one member.
class MatchChecker {
 public:
  /// At the end of a turn in which it led in `term`. A `match` of 0 is that of a peer that has joined (again).
  std::optional<Violation> on_peer(Instant now, Term term, MemberId peer, LogIndex match);

  /// Behind the others' matches of a turn in which it led: it has appended the promotion of `learner` at `index`.
  std::optional<Violation> on_promotion(Instant now, MemberId learner, LogIndex index) const;

  /// How often an index rose.
  std::uint64_t judged() const { return judged_; }

 private:
  Term term_;
  std::map<MemberId, LogIndex> matches_;
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_MATCHES_H_
