// Whom a cluster can do without. It must never name so many that the others could not commit: a change of members that
// is under way may rule or not, hence they must be a majority by every configuration that anybody may go by.
#ifndef METASTORE_SIM_QUORUM_H_
#define METASTORE_SIM_QUORUM_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "core/base/prng.h"
#include "core/base/tagged.h"

namespace metastore::sim {

/// `members` are those of all machines, none where nobody runs. The result are places in it: drawn, rising, mostly as
/// many as can be.
std::vector<std::size_t> draw_dispensable(const std::vector<std::optional<MemberId>>& members,
                                          const std::vector<std::vector<MemberId>>& configurations, Prng& prng);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_QUORUM_H_
