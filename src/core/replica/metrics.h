// What one replica has counted since it began, and how much it holds at the moment: integers that the server shows to
// people. It reads no clock (an Instant here is an Input's), decides nothing, and begins anew with each start.
#ifndef METASTORE_CORE_REPLICA_METRICS_H_
#define METASTORE_CORE_REPLICA_METRICS_H_

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/histogram.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/counts.h"
#include "core/lease/lessor.h"

namespace metastore {

/// In milliseconds: up to a quarter of an hour.
inline constexpr std::array<std::uint64_t, 14> compaction_bounds = doubling_from<14>(100);

/// What the replica itself notes as it goes.
struct ReplicaCounts {
  std::uint64_t leader_changes = 0;                      ///< Leaders that it came to know.
  std::uint64_t proposals_failed = 0;                    ///< Lost to another leader, or not applied by their deadline.
  std::uint64_t reads_failed = 0;                        ///< ReadIndex rounds that lost their leader.
  std::uint64_t reads_late = 0;                          ///< Reads that were not confirmed by their deadline.
  Histogram<compaction_bounds> compaction_milliseconds;  ///< From the entry until nothing was left to free.
  std::optional<Instant> compacted_at;                   ///< When the last one was done.
};

struct ReplicaMetrics {
  ReplicaCounts counts;
  kv::Counts requests;
  lease::Counts leases;
  Revision compact_revision;
  std::uint64_t keys = 0;
  std::uint64_t records_compacted = 0;
  std::uint64_t proposals_pending = 0;
  std::uint64_t watch_streams = 0;
  std::uint64_t watchers = 0;
  std::uint64_t slow_watchers = 0;
  std::uint64_t events_sent = 0;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_METRICS_H_
