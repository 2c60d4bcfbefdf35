// Contract 1.4, on streams whose clients require a leader: one that is opened where none is known is refused, any other
// ends as soon as none has been known for three election timeouts, and nothing else ends for want of a leader.
#ifndef METASTORE_SIM_CHECKERS_LEADERLESS_H_
#define METASTORE_SIM_CHECKERS_LEADERLESS_H_

#include <cstdint>
#include <optional>
#include <set>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// Of one member, in all its lives. Times are the member's.
class LeaderlessChecker {
 public:
  /// A life begins.
  void on_boot(Duration election_timeout);
  void on_opened(RequestId id, bool requires_leader, bool has_leader);
  void on_closed(RequestId id);

  /// A turn has done its work, and knows of a leader or of none;
  void on_turn(Instant now, bool has_leader);
  /// it has ended this stream, for that reason or another;
  std::optional<Violation> on_ended(Instant now, RequestId id, bool is_for_want_of_leader);
  /// and no other one.
  std::optional<Violation> on_turn_over(Instant now, Instant wake_at) const;

  std::uint64_t refused() const { return refused_; }
  std::uint64_t ended() const { return ended_; }

 private:
  /// When streams that require a leader are to end.
  Instant due() const;

  Duration patience_;
  std::optional<Instant> leaderless_since_;
  // Streams that are open.
  std::set<RequestId> contented_;  ///< They require nothing.
  std::set<RequestId> requiring_;
  std::set<RequestId> unled_;  ///< They required a leader in vain, in this turn.
  std::uint64_t refused_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_LEADERLESS_H_
