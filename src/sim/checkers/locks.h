// Locks and elections as clients make them of transactions, watches and leases: whoever was told that he holds one does
// so until his key goes, and nobody else is told that he holds it before. Judged over the truth that O4 has made of all
// answers, in the order of revisions. A client's recipe that forgets to look after its own key is seen, too.
#ifndef METASTORE_SIM_CHECKERS_LOCKS_H_
#define METASTORE_SIM_CHECKERS_LOCKS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/checkers/model.h"
#include "sim/checkers/violation.h"
#include "sim/history.h"

namespace metastore::sim {

struct LockCounts {
  std::uint64_t claims = 0;
  std::uint64_t successions = 0;  ///< Claims that follow one of somebody else.
};

/// Requires: `truth` is what all writes and the ends of leases have made.
std::optional<Violation> check_locks(const std::vector<Claim>& claims, const Model& truth, LockCounts& counts);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_LOCKS_H_
