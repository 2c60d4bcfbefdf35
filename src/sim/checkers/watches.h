// O5: a watch is told every change of its keys from its start on, once, in order, whole revisions at a time; what is
// said of progress is true; previous values are right; and one that is open in the end has been told everything. The
// truth is the model's, which the serializability oracle has made of all replies and surveys. Source: etcd's guarantees
// of watches (contract 5.5 and 6).
#ifndef METASTORE_SIM_CHECKERS_WATCHES_H_
#define METASTORE_SIM_CHECKERS_WATCHES_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "sim/checkers/model.h"
#include "sim/checkers/violation.h"
#include "sim/watch_session.h"

namespace metastore::sim {

struct WatchCounts {
  std::uint64_t events = 0;
  std::uint64_t fragments = 0;
  std::uint64_t progress = 0;
  std::uint64_t compacted = 0;
};

/// `newest_compaction`: the largest revision that any client asked to compact at.
std::optional<Violation> check_watches(const std::deque<WatchSession>& sessions, const Model& truth,
                                       std::int64_t newest_compaction, WatchCounts& counts);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_WATCHES_H_
