// O8: whoever may make progress does. While a run goes on, something is always left to happen and time does not stand
// still. Once its faults have ended, a write commits, the newest revision is read, leases end and watchers are told
// everything; and at last all members are equal. Each of it within a bound that only an answer prolongs; and while some
// members stay broken, a quorum of the others owes all of it but the last.
#ifndef METASTORE_SIM_CHECKERS_LIVENESS_H_
#define METASTORE_SIM_CHECKERS_LIVENESS_H_

#include <cstdint>
#include <optional>

#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// What has come of it since the faults ended. That all members are equal is what is owed last.
struct Served {
  bool is_written = false;
  bool is_read = false;  ///< The newest revision, and all that was unknown.
  bool have_leases_ended = false;
  bool have_watchers_been_told = false;
  std::uint64_t answers = 0;  ///< That the end is waited for with; more of them are progress.
  bool is_everybody_served() const { return is_written && is_read && have_leases_ended && have_watchers_been_told; }
};

class LivenessChecker {
 public:
  /// After each event of the run, and if there was none.
  std::optional<Violation> on_event(Instant now, bool has_happened);
  /// The faults have ended: for good, or but for some members, without which a quorum is left. Called again once those
  /// are whole, too. `bound` is what may pass between two answers.
  void on_faults_ended(Instant now, Duration bound, bool is_rest_broken);
  bool have_faults_ended() const { return bound_.has_value(); }
  /// A write was acknowledged, or a linearizable read answered, that was asked since the faults ended.
  void on_answer(Instant now);
  /// After each event since then, until nothing is owed any more.
  std::optional<Violation> on_served(Instant now, const Served& served);

  /// From the end of the faults to the first answer.
  std::optional<Duration> recovery() const { return recovery_; }

 private:
  Instant last_;
  std::uint64_t events_at_last_ = 0;
  std::optional<Duration> bound_;  ///< Once the faults have ended.
  Instant ended_;
  bool is_rest_broken_ = false;
  Instant deadline_;
  std::uint64_t answers_ = 0;
  std::optional<Duration> recovery_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_LIVENESS_H_
