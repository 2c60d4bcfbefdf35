// O4: everything the clients were told is what one store would have told them, asked one request at a time in an order
// that no client's clock contradicts. The revision in each reply gives that order, so one pass over the history
// suffices; a write with an unknown outcome is placed at the revision where a survey shows its effect.
// Source: "mod_revision gives the order of writes" (etcd's robustness tests judge the same with Porcupine's search).
#ifndef METASTORE_SIM_CHECKERS_SERIALIZABILITY_H_
#define METASTORE_SIM_CHECKERS_SERIALIZABILITY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/checkers/model.h"
#include "sim/checkers/violation.h"
#include "sim/history.h"

namespace metastore::sim {

struct SerializabilityCounts {
  std::uint64_t replies_judged = 0;
  std::uint64_t unknown_writes_placed = 0;
  std::uint64_t lease_ends_placed = 0;
};

/// The keys of a lease went away as a revision of their own.
struct LeaseEnd {
  std::int64_t lease = 0;
  std::int64_t revision = 0;
};

/// What a judged history says has happened.
struct Truth {
  Model model;
  std::vector<LeaseEnd> lease_ends;  ///< Those that nothing else explains.
};

/// Requires: every revision up to history.newest_revision() is settled.
/// `truth`, if wanted, becomes what all writes and the ends of leases have made. Whether a lease might end when it did
/// is not judged here.
/// Bounds: O(operations log operations), and a state's size for each write with an unknown outcome.
std::optional<Violation> check_serializability(const History& history, std::uint64_t txn_operations_max,
                                               SerializabilityCounts& counts, Truth* truth = nullptr);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_SERIALIZABILITY_H_
