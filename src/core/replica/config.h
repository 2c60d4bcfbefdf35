// What a replica is told once, before its first step. Values only; nothing in it changes later.
#ifndef METASTORE_CORE_REPLICA_CONFIG_H_
#define METASTORE_CORE_REPLICA_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/base/version.h"
#include "core/raft/raft.h"
#include "core/replica/auto_compaction.h"
#include "core/replica/effects.h"
#include "core/replica/image.h"

namespace metastore {

/// etcd's, and what it calls too much for a healthy cluster.
inline constexpr std::int64_t default_quota_bytes = std::int64_t{2} << 30;
inline constexpr std::int64_t quota_bytes_advised_max = std::int64_t{8} << 30;

struct Config {
  MemberId member;
  ClusterId cluster;
  /// Larger at each start of this member, and durable before the replica exists: ids that can outlive a restart
  /// contain it (design, law 6).
  std::uint64_t incarnation = 0;
  /// Drawn with the data directory and published with the name: peers refuse a member that comes with another (design
  /// D5).
  std::uint64_t data_id = 0;
  std::uint64_t seed = 0;
  std::string name;
  std::string version{etcd_version};     ///< Published with the name.
  std::vector<std::string> client_urls;  ///< Published with the name when the member is ready.
  Duration heartbeat_interval = Duration::milliseconds(100);
  Duration election_timeout = Duration::milliseconds(1000);
  bool pre_vote = true;
  Duration checkpoint_interval = Duration::milliseconds(100);
  Duration watch_progress_interval = Duration::seconds(600);
  std::int64_t quota_bytes = default_quota_bytes;  ///< Of the state as encoded; negative: none.
  Retention retention;                             ///< What automatic compaction leaves.
  /// Whether changes of members are refused that leave too few who are started or connected (contract 5.8).
  bool strict_reconfig_check = true;
  std::uint64_t max_learners = 1;
  /// Members whom others have told of at the start: a newcomer talks to them until its own table is as new.
  std::vector<Peer> acquaintances;
  Limits limits;

  /// How long a request may wait for consensus: etcd's 5 s and two election timeouts (contract 1.4).
  Duration request_timeout() const { return Duration::seconds(5) + election_timeout * 2; }
  /// One and a half election timeouts, rounded up to seconds (contract 5.6).
  std::int64_t lease_ttl_seconds_min() const {
    constexpr std::int64_t second = 1'000'000'000;
    return ((election_timeout * 3).nanoseconds() / 2 + second - 1) / second;
  }
  /// How often what remains of a long lease is noted in the log.
  Duration lease_note_interval() const {
    return Duration::milliseconds(static_cast<std::int64_t>(limits.lease_checkpoint_ms));
  }
};

/// What storage found at boot. It is complete: construction needs nothing else.
struct Recovered {
  raft::Recovered log;
  /// The checkpoint; without one the log alone makes the state, from its first entry on.
  std::optional<Image> image;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_CONFIG_H_
