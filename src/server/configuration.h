// What the flags mean together: defaults that depend on other flags, the checks of contract 3.1, and a sentence for
// each mistake that says what to change. Nothing here looks at the machine; whether a port is free or a directory can
// be written is found out by whoever uses it.
#ifndef METASTORE_SERVER_CONFIGURATION_H_
#define METASTORE_SERVER_CONFIGURATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/trace.h"
#include "core/base/urls.h"
#include "core/replica/auto_compaction.h"
#include "server/flags.h"

namespace metastore::server {

/// A member of a new cluster.
struct InitialMember {
  std::string name;
  std::vector<std::string> peer_urls;  ///< Sorted.
  bool operator==(const InitialMember&) const = default;
};

struct Configuration {
  std::string name;
  std::string data_dir;
  std::vector<Url> listen_peer_urls;
  std::vector<Url> listen_client_urls;
  std::vector<Url> listen_metrics_urls;
  std::vector<std::string> advertise_client_urls;
  std::vector<std::string> advertise_peer_urls;  ///< Sorted.
  std::vector<InitialMember> initial_cluster;    ///< This member among them; sorted by name.
  std::string cluster_token;
  bool starts_new_cluster = true;   ///< What to do if the data directory is empty.
  bool forces_new_cluster = false;  ///< What to do if it is not.
  Duration heartbeat_interval;
  Duration election_timeout;
  bool pre_vote = true;
  bool strict_reconfig_check = true;
  std::uint64_t max_learners = 1;
  Duration keepalive_min_time;
  Duration keepalive_interval;
  Duration keepalive_timeout;
  Duration watch_progress_interval;
  Duration checkpoint_interval;
  Retention retention;
  bool keeps_state = true;       ///< False: nothing is written, and a restart begins anew (--engine=memory).
  std::int64_t quota_bytes = 0;  ///< Negative: none.
  Limits limits;
  bool has_extensive_metrics = false;
  TraceLevel log_level = TraceLevel::info;
};

Result<Configuration, Exit> configure(const Flags& flags);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_CONFIGURATION_H_
