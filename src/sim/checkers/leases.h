// O6: a lease lives as long as it was promised, and not much longer. It never ends before the time that its grant or a
// keep-alive gave it, unless somebody revokes it; it ends soon after, once nobody can have kept it alive; what is said
// of it (times, keys, lists, errors) agrees with that; its keys go with it, in one revision, and never before it; what
// is gone stays gone. Judged on what the clients were told, whose clocks are the one clock of the run.
#ifndef METASTORE_SIM_CHECKERS_LEASES_H_
#define METASTORE_SIM_CHECKERS_LEASES_H_

#include <cstdint>
#include <optional>

#include "core/base/time.h"
#include "sim/checkers/serializability.h"
#include "sim/checkers/violation.h"
#include "sim/history.h"

namespace metastore::sim {

/// What a run's members owe.
struct LeaseTerms {
  bool is_alone = true;              ///< There is one member: whatever is answered shows its own state.
  std::int64_t clock_pace_ppm = 0;   ///< How much faster or slower a member's clock may be than the clients'.
  std::int64_t ttl_seconds_min = 0;  ///< Shorter times to live are raised to this.
  /// A new leader gives every lease its whole time again, and this on top.
  Duration grace;
  /// How long a member may take to end what has expired, or to do what it was asked: so much in any case, and so much
  /// for each request that nobody waits for any more, which may stand in its way.
  Duration slack_at_least;
  Duration slack_a_request;
  /// How far a member's clock may go astray meanwhile.
  Duration drift(Duration meanwhile) const {
    if (meanwhile <= Duration()) return Duration();
    return Duration::microseconds(meanwhile.milliseconds() * clock_pace_ppm / 1'000 + (clock_pace_ppm > 0 ? 1 : 0));
  }
  Duration slack(const History& history) const {
    return slack_at_least + slack_a_request * static_cast<std::int64_t>(history.forsaken());
  }
};

struct LeaseCounts {
  std::uint64_t promises = 0;
  std::uint64_t ends = 0;      ///< Times that a lease was found gone.
  std::uint64_t expiries = 0;  ///< Of these leases, those that nobody revoked.
  std::uint64_t times_to_live = 0;
  std::uint64_t keys = 0;
  std::uint64_t lists = 0;
};

/// Requires: check_serializability() found nothing wrong, and has made `truth`.
std::optional<Violation> check_leases(const History& history, const Truth& truth, const LeaseTerms& terms,
                                      LeaseCounts& counts);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_LEASES_H_
