// What nobody asked to compact stays for as long as the members were told to keep it: a leader that compacts by itself
// takes no revision that was the newest within the period, nor one of the newest so many. Judged by when writes were
// asked: no revision can be older than its write.
#ifndef METASTORE_SIM_CHECKERS_RETENTION_H_
#define METASTORE_SIM_CHECKERS_RETENTION_H_

#include <cstdint>
#include <optional>

#include "core/base/time.h"
#include "sim/checkers/violation.h"
#include "sim/history.h"

namespace metastore::sim {

struct RetentionTerms {
  Duration period;
  std::uint64_t revisions = 0;
  std::uint32_t clock_pace_ppm = 0;  ///< How much faster than the world's a member's clock may be.
};

std::optional<Violation> check_retention(const History& history, const RetentionTerms& terms);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_RETENTION_H_
