// The page of /metrics: every metric of etcd's that has a meaning here, under etcd's name, type and labels, with what
// the parts of the member have counted. No value is assumed: what this build has no number for is left out, and stands
// with its reason in tests/integration/metrics_absent.txt.
#ifndef METASTORE_SERVER_METRICS_H_
#define METASTORE_SERVER_METRICS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "api/gateway.h"
#include "core/base/time.h"
#include "core/host/port/process.h"
#include "core/replica/replica.h"
#include "storage/checkpointer.h"
#include "storage/log_store.h"

namespace metastore::server {

/// --metrics: extensive adds how long each call took.
enum class MetricsDetail : std::uint8_t { basic, extensive };

/// Where the numbers are. What is null has none.
struct MetricsSources {
  MemberId member;
  const Replica& replica;
  const api::DoorCounts& door;
  const storage::LogStore* log = nullptr;
  const storage::Checkpointer* checkpointer = nullptr;
  const port::Process* process = nullptr;
  std::optional<WallTime> compacted_at;  ///< When the last compaction was done.
  MetricsDetail detail = MetricsDetail::basic;
};

std::string metrics_text(const MetricsSources& sources);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_METRICS_H_
