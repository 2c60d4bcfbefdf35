// O2, for one member: whenever the log is replayed, the same entries lead to the same state. The member's own hash of
// its replicated state is remembered for each applied index, and must be the same one after every restart: what is
// applied is committed, and what is committed is durable.
#ifndef METASTORE_SIM_CHECKERS_REPLAY_H_
#define METASTORE_SIM_CHECKERS_REPLAY_H_

#include <cstdint>
#include <map>
#include <optional>

#include "core/base/tagged.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

class ReplayChecker {
 public:
  /// A member has applied everything up to `applied` and its state hashes to `hash`, in its so manieth life.
  std::optional<Violation> on_applied(Instant now, std::uint64_t boot, LogIndex applied, std::uint64_t hash);
  /// How often a state of a former life was met again.
  std::uint64_t judged() const { return judged_; }

 private:
  struct State {
    std::uint64_t hash = 0;
    std::uint64_t boot = 0;
  };

  std::map<LogIndex, State> states_;
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_REPLAY_H_
