// The command line and the environment as typed values, in the syntax of Go's flag package, which etcd's users type
// (contract 3.1). One table holds every flag with its type, default and help; nothing else names one. Flags here are
// only read: what they mean together is checked by configuration.h.
#ifndef METASTORE_SERVER_FLAGS_H_
#define METASTORE_SERVER_FLAGS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace metastore::server {

using FlagText = std::string;
using FlagNumber = std::uint64_t;
using FlagInteger = std::int64_t;
using FlagBoolean = bool;
using FlagDuration = Duration;

/// type, field, flag, default as one would type it, help.
#define METASTORE_FLAGS(X)                                                                                             \
  X(FlagText, name, "name", "default", "Human-readable name of this member.")                                          \
  X(FlagText, data_dir, "data-dir", "${name}.metastore", "Directory of this member's data; made with mode 0700.")      \
  X(FlagText, listen_client_urls, "listen-client-urls", "http://localhost:2379",                                       \
    "Where to serve clients; a comma list.")                                                                           \
  X(FlagText, listen_metrics_urls, "listen-metrics-urls", "",                                                          \
    "Where to serve metrics and health beside --listen-client-urls; a comma list.")                                    \
  X(FlagText, advertise_client_urls, "advertise-client-urls", "http://localhost:2379",                                 \
    "Client URLs told to the cluster.")                                                                                \
  X(FlagText, listen_peer_urls, "listen-peer-urls", "http://localhost:2380", "Where to listen for other members.")     \
  X(FlagText, initial_advertise_peer_urls, "initial-advertise-peer-urls", "http://localhost:2380",                     \
    "Peer URLs told to the cluster when it is made.")                                                                  \
  X(FlagText, initial_cluster, "initial-cluster", "${name}=${initial-advertise-peer-urls}",                            \
    "Members of a new cluster: name=url,...; a name is repeated for each of its URLs.")                                \
  X(FlagText, initial_cluster_state, "initial-cluster-state", "new",                                                   \
    "'new' for a new cluster, 'existing' to join one.")                                                                \
  X(FlagText, initial_cluster_token, "initial-cluster-token", "etcd-cluster",                                          \
    "Goes into member and cluster ids, so that clusters of equal URLs differ.")                                        \
  X(FlagBoolean, force_new_cluster, "force-new-cluster", "false",                                                      \
    "Go on as the only member, with this data directory: the others are gone for good.")                               \
  X(FlagBoolean, strict_reconfig_check, "strict-reconfig-check", "true",                                               \
    "Refuse changes of membership that could cost the cluster its quorum.")                                            \
  X(FlagNumber, max_learners, "max-learners", "1", "Most learners that the cluster may have.")                         \
  X(FlagNumber, id, "id", "0",                                                                                         \
    "Short form, with --cluster: which of its URLs is this member's, from 1 on; it is then named m1, m2, ...")         \
  X(FlagText, cluster, "cluster", "", "Short form of --initial-cluster and --listen-peer-urls: every member's URL.")   \
  X(FlagText, grpc_addr, "grpc-addr", "",                                                                              \
    "Short form of --listen-client-urls: HOST:PORT, or :PORT for all addresses.")                                      \
  X(FlagNumber, port, "port", "0", "Short form: also serve clients, /health and /version at this port.")               \
  X(FlagBoolean, join, "join", "false", "Short form of --initial-cluster-state=existing.")                             \
  X(FlagNumber, heartbeat_interval, "heartbeat-interval", "100", "Milliseconds between a leader's heartbeats.")        \
  X(FlagNumber, election_timeout, "election-timeout", "1000", "Milliseconds without a leader before an election.")     \
  X(FlagBoolean, pre_vote, "pre-vote", "true", "Ask for votes before a campaign disturbs the cluster.")                \
  X(FlagNumber, max_request_bytes, "max-request-bytes", "1572864", "Largest request that goes into the log.")          \
  X(FlagNumber, max_txn_ops, "max-txn-ops", "128", "Most operations in one transaction.")                              \
  X(FlagNumber, max_concurrent_streams, "max-concurrent-streams", "4294967295", "Most HTTP/2 streams a connection.")   \
  X(FlagDuration, grpc_keepalive_min_time, "grpc-keepalive-min-time", "5s", "Clients may ping at most this often.")    \
  X(FlagDuration, grpc_keepalive_interval, "grpc-keepalive-interval", "2h",                                            \
    "The server pings a silent connection after this; 0 for never.")                                                   \
  X(FlagDuration, grpc_keepalive_timeout, "grpc-keepalive-timeout", "20s",                                             \
    "A connection that does not answer a ping for this long is closed; 0 for never.")                                  \
  X(FlagDuration, watch_progress_notify_interval, "watch-progress-notify-interval", "10m",                             \
    "How often a silent watcher that asked for it is told the revision; at least 100ms.")                              \
  X(FlagNumber, snapshot_count, "snapshot-count", "10000", "Applied entries between marks that free old log files.")   \
  X(FlagNumber, snapshot_catchup_entries, "snapshot-catchup-entries", "5000",                                          \
    "Applied entries kept in memory for slow followers.")                                                              \
  X(FlagInteger, quota_backend_bytes, "quota-backend-bytes", "0",                                                      \
    "Most bytes of state, past which an alarm is raised and nothing is added; 0: 2 GiB, negative: no quota.")          \
  X(FlagDuration, backend_batch_interval, "backend-batch-interval", "0",                                               \
    "How often changes are checkpointed; 0: every 100ms.")                                                             \
  X(FlagText, auto_compaction_mode, "auto-compaction-mode", "periodic",                                                \
    "What --auto-compaction-retention counts: 'periodic': time, 'revision': revisions.")                               \
  X(FlagText, auto_compaction_retention, "auto-compaction-retention", "0",                                             \
    "History that stays: hours, a duration, or revisions; 0: all of it.")                                              \
  X(FlagNumber, compaction_batch_limit, "compaction-batch-limit", "2000", "Records that one step compacts.")           \
  X(FlagNumber, max_wals, "max-wals", "5", "Log files that stay though a checkpoint holds their entries; 0 for all.")  \
  X(FlagText, limits, "limits", "", "Limits of --help-limits that are to differ: name=value,...")                      \
  X(FlagText, engine, "engine", "lmdb", "Where the state is kept: 'lmdb', or 'memory': nowhere.")                      \
  X(FlagText, metrics, "metrics", "basic", "What /metrics tells: 'basic', or 'extensive': how long calls took, too.")  \
  X(FlagText, logger, "logger", "zap", "The form of log lines; only 'zap'.")                                           \
  X(FlagText, log_format, "log-format", "json", "How log lines are written; only 'json'.")                             \
  X(FlagText, log_outputs, "log-outputs", "default", "Where log lines go: 'default' or 'stderr', which are the same.") \
  X(FlagText, log_level, "log-level", "info", "Least level that is logged: debug, info, warn or error.")               \
  X(FlagBoolean, version, "version", "false", "Print the version and exit.")                                           \
  X(FlagBoolean, help_limits, "help-limits", "false", "Print the limits with their units and reasons, and exit.")

struct Flags {
  Flags();

#define METASTORE_FLAG_FIELD(type, field, flag, initial, help) type field;
  METASTORE_FLAGS(METASTORE_FLAG_FIELD)
#undef METASTORE_FLAG_FIELD

  std::set<std::string_view> given;   ///< Flags that the command line or the environment set.
  std::vector<std::string> warnings;  ///< What was ignored, to be logged.
};

/// As Go writes durations: "1h15m", "-1.5s", "0". Nothing if `text` is none.
std::optional<Duration> parse_duration(std::string_view text);

/// The process ends without serving: status and what to print. Statuses are Go's and etcd's: 2 for a flag that is
/// unknown or ill-typed, 1 for what else is wrong.
struct Exit {
  int status = 0;
  std::string to_stdout;
  std::string to_stderr;
};

/// `arguments` without the program's name; `environment` as in environ(7). The command line beats the environment, and
/// its last repetition counts.
Result<Flags, Exit> parse_flags(std::span<const std::string_view> arguments,
                                std::span<const std::string_view> environment);

/// Every mistake of configuration ends like this.
Exit bad_configuration(std::string_view sentence);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_FLAGS_H_
