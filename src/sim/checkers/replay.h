// O2: whenever and wherever the log is applied, the same entries lead to the same state. The hash that a member has of
// its replicated state is remembered for each applied index, and must be the same one for every other member and after
// every restart: what is applied is committed, and what is committed is durable.
#ifndef METASTORE_SIM_CHECKERS_REPLAY_H_
#define METASTORE_SIM_CHECKERS_REPLAY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/base/tagged.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

class ReplayChecker {
 public:
  /// A member has applied everything up to `applied` and its state hashes to `hash`, in this of all members' lives.
  /// None of them is 0.
  std::optional<Violation> on_applied(Instant now, std::uint64_t life, LogIndex applied, std::uint64_t hash);
  /// A member has told somebody what its whole state hashes to, having applied everything up to `applied`.
  std::optional<Violation> on_told(Instant now, LogIndex applied, std::uint32_t hash);
  /// How often it was told of a state of which it had been told before, by whomever.
  std::uint64_t told_again() const { return told_again_; }
  /// How often a state of another life was met again.
  std::uint64_t judged() const { return judged_; }

 private:
  struct State {
    std::uint64_t hash = 0;
    std::uint64_t life = 0;  ///< That met it last; 0: nobody has.
  };

  std::vector<State> states_;  ///< By applied index.
  std::uint64_t judged_ = 0;
  std::map<LogIndex, std::uint32_t> told_;
  std::uint64_t told_again_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_REPLAY_H_
