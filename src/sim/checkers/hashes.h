// O2, as clients see it: the hash of all keys at one revision, above the same compaction, is one number, whoever is
// asked, and whenever. What a compaction has taken is refused and nothing else is: the compacted revision itself has a
// hash still. It says nothing of which number that is.
#ifndef METASTORE_SIM_CHECKERS_HASHES_H_
#define METASTORE_SIM_CHECKERS_HASHES_H_

#include <cstdint>
#include <optional>

#include "sim/checkers/violation.h"
#include "sim/history.h"

namespace metastore::sim {

struct HashCounts {
  std::uint64_t hashes = 0;
  std::uint64_t of_several = 0;     ///< Those that another member had told before.
  std::uint64_t at_compaction = 0;  ///< Of the compacted revision itself.
  std::uint64_t refused = 0;        ///< Because it is compacted.
};

std::optional<Violation> check_hashes(const History& history, HashCounts& counts);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_HASHES_H_
