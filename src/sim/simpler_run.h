// What a failing run may be replaced by: the same with fewer members, or with requests that ask for less. Whether the
// replacement fails too is for others to find out (shrink.h).
#ifndef METASTORE_SIM_SIMPLER_RUN_H_
#define METASTORE_SIM_SIMPLER_RUN_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/deed.h"
#include "sim/plan.h"

namespace metastore::sim {

/// A run as two lists of which anything may be taken away.
struct ShrinkableRun {
  std::vector<std::string> settings;  ///< But for its seed.
  std::vector<Deed> deeds;
  std::uint64_t seed = 0;  ///< Of the noise.

  std::size_t faults() const { return static_cast<std::size_t>(std::count_if(deeds.begin(), deeds.end(), is_fault)); }
  std::size_t events() const { return deeds.size() - faults(); }
  /// None if its settings contradict each other.
  std::optional<Plan> plan() const;
};

/// The same on machines 1 to `left`: what befell another one befalls one of these. None if there are no more.
std::optional<ShrinkableRun> with_members(const ShrinkableRun& run, std::uint64_t left);

/// `smaller` is `run` without some deeds, of which the first stood at `place`. As many writes as are missing, so much
/// smaller the revisions are that later deeds name. None if that changes nothing.
std::optional<ShrinkableRun> without_revisions(const ShrinkableRun& run, const ShrinkableRun& smaller,
                                               std::size_t place);

/// What a transaction does if its comparisons hold, or if they do not, without comparing. None if it compares nothing
/// and does not consist of one step.
std::optional<Request> unfolded(const Request& request, bool is_success);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SIMPLER_RUN_H_
