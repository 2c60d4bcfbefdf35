#include "sim/checkers/liveness.h"

#include <string>
#include <utility>

namespace metastore::sim {
namespace {

/// No run needs this long; whoever does is stuck.
constexpr Duration simulated_max = Duration::seconds(7 * 24 * 3600);
constexpr std::uint64_t events_at_one_time_max = 2'000'000;

}  // namespace

std::optional<Violation> LivenessChecker::on_event(Instant now, bool has_happened) {
  events_at_last_ = std::exchange(last_, now) == now ? events_at_last_ + 1 : 0;
  if (!has_happened) return Violation{"O8", now, "nothing is left to happen, but requests wait"};
  if (events_at_last_ > events_at_one_time_max) return Violation{"O8", now, "it spins and time stands still"};
  if (now - Instant() > simulated_max) return Violation{"O8", now, "the workload does not end"};
  return std::nullopt;
}

void LivenessChecker::on_faults_ended(Instant now, Duration bound, bool is_rest_broken) {
  if (!bound_.has_value()) ended_ = now;
  bound_ = bound;
  is_rest_broken_ = is_rest_broken;
  deadline_ = now + bound;
}

void LivenessChecker::on_answer(Instant now) {
  if (!recovery_.has_value()) recovery_ = now - ended_;
}

std::optional<Violation> LivenessChecker::on_served(Instant now, const Served& served) {
  if (served.answers > answers_) {
    answers_ = served.answers;
    deadline_ = now + *bound_;
  }
  if (now <= deadline_) return std::nullopt;
  const std::string begin = is_rest_broken_ ? "a quorum is whole again, but " : "the faults have ended, but ";
  if (!served.is_written) return Violation{"O8", now, begin + "no write commits"};
  if (!served.is_read) return Violation{"O8", now, begin + "the newest revision cannot be read"};
  if (!served.have_leases_ended) return Violation{"O8", now, begin + "a lease does not"};
  if (!served.have_watchers_been_told) return Violation{"O8", now, begin + "a watcher is not told everything"};
  return Violation{"O8", now, begin + "a member stays behind"};
}

}  // namespace metastore::sim
