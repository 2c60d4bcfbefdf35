#include "server/metrics.h"

#include <array>
#include <string_view>

#include "api/rpc.h"
#include "core/base/version.h"
#include "server/log_lines.h"
#include "server/metrics_page.h"

namespace metastore::server {
namespace {

/// gRPC's names, by their numbers.
constexpr std::array<std::string_view, api::status_code_count> code_names = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

/// "3.7" of "3.7.1".
std::string_view without_patch(std::string_view version) { return version.substr(0, version.rfind('.')); }

void write_server(MetricsPage& page, const MetricsSources& sources, const ReplicaMetrics& metrics) {
  const ReplicaStatus status = sources.replica.status();
  if (!status.cluster_version.empty()) {
    page.gauge("etcd_cluster_version", "The cluster's version, as the label says.")
        .sample(1, {{"cluster_version", without_patch(status.cluster_version)}});
  }
  page.gauge("etcd_server_version", "The version of etcd that this server speaks, as the label says.")
      .sample(1, {{"server_version", etcd_version}});
  page.gauge("etcd_server_id", "The id of this member, as the label says.")
      .sample(1, {{"server_id", hexadecimal(sources.member.value())}});
  page.gauge("etcd_server_has_leader", "1 if this member knows a leader.").sample(status.leader != MemberId() ? 1 : 0);
  page.gauge("etcd_server_is_leader", "1 if this member leads.").sample(status.is_leader ? 1 : 0);
  page.gauge("etcd_server_is_learner", "1 if this member is a learner.").sample(status.is_learner ? 1 : 0);
  page.counter("etcd_server_leader_changes_seen_total", "How often this member came to know a leader.")
      .sample(metrics.counts.leader_changes);
  page.gauge("etcd_server_proposals_committed_total", "The index up to which the log is committed.")
      .sample(status.commit_index.value());
  page.gauge("etcd_server_proposals_applied_total", "The index up to which the log is applied.")
      .sample(status.applied_index.value());
  page.gauge("etcd_server_proposals_pending", "Proposals of clients that are not applied.")
      .sample(metrics.proposals_pending);
  page.counter("etcd_server_proposals_failed_total", "Proposals that were lost, or not applied by their deadline.")
      .sample(metrics.counts.proposals_failed);
  page.counter("etcd_server_read_indexes_failed_total", "Rounds of reads whose leader lost its leadership.")
      .sample(metrics.counts.reads_failed);
  page.counter("etcd_server_slow_read_indexes_total", "Reads that no leader confirmed by their deadline.")
      .sample(metrics.counts.reads_late);
  page.gauge("etcd_server_quota_backend_bytes", "What the database may hold; negative for no limit.")
      .sample(status.quota_bytes);
  page.counter("etcd_debugging_server_lease_expired_total", "Leases that ended because nobody kept them alive.")
      .sample(metrics.leases.expired);
}

void write_mvcc(MetricsPage& page, const MetricsSources& sources, const ReplicaMetrics& metrics) {
  const ReplicaStatus status = sources.replica.status();
  page.counter("etcd_mvcc_put_total", "Puts, alone or in a transaction.").sample(metrics.requests.puts);
  page.counter("etcd_mvcc_delete_total", "Deletes, alone or in a transaction, and keys that went with a lease.")
      .sample(metrics.requests.deletes);
  page.counter("etcd_mvcc_range_total", "Ranges, alone or in a transaction.").sample(metrics.requests.ranges);
  page.counter("etcd_mvcc_txn_total", "Transactions that clients sent.").sample(metrics.requests.txns);
  page.gauge("etcd_mvcc_db_total_size_in_bytes", "The size of the database, as Status tells it.")
      .sample(status.size_bytes);
  page.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "What of it is in use, as Status tells it.")
      .sample(status.size_in_use_bytes);
  page.gauge("etcd_debugging_mvcc_current_revision", "The newest revision.").sample(status.revision.value());
  page.gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction; -1 before the first.")
      .sample(metrics.compact_revision.value());
  page.gauge("etcd_debugging_mvcc_keys_total", "Keys that exist.").sample(metrics.keys);
  page.gauge("etcd_debugging_mvcc_total_put_size_in_bytes", "Keys and values that were put.")
      .sample(metrics.requests.put_bytes);
  page.gauge("etcd_debugging_mvcc_db_compaction_last", "The Unix time of the last compaction; 0 before the first.")
      .sample(sources.compacted_at.value_or(WallTime{}).unix_nanoseconds / 1'000'000'000);
  page.counter("etcd_debugging_mvcc_db_compaction_keys_total", "Records that compactions have freed.")
      .sample(metrics.records_compacted);
  page.histogram("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds", "From a compaction to its end.")
      .sample(metrics.counts.compaction_milliseconds.view(), MetricUnit::plain);
  page.gauge("etcd_debugging_mvcc_watch_stream_total", "Open watch streams.").sample(metrics.watch_streams);
  page.gauge("etcd_debugging_mvcc_watcher_total", "Watchers.").sample(metrics.watchers);
  page.gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that have not been given everything.")
      .sample(metrics.slow_watchers);
  page.counter("etcd_debugging_mvcc_events_total", "Events that were sent to watchers.").sample(metrics.events_sent);
}

void write_leases(MetricsPage& page, const ReplicaMetrics& metrics) {
  page.counter("etcd_debugging_lease_granted_total", "Leases that were granted.").sample(metrics.leases.granted);
  page.counter("etcd_debugging_lease_revoked_total", "Leases that were revoked, by a client or by their end.")
      .sample(metrics.leases.revoked);
  page.counter("etcd_debugging_lease_renewed_total", "Keep-alives that this leader has granted.")
      .sample(metrics.leases.renewed);
  page.histogram("etcd_debugging_lease_ttl_total", "Times to live of the leases that were granted, in seconds.")
      .sample(metrics.leases.ttl_seconds.view(), MetricUnit::plain);
}

void write_disk(MetricsPage& page, const MetricsSources& sources) {
  if (sources.log != nullptr) {
    const storage::WalCosts& costs = sources.log->costs();
    page.histogram("etcd_disk_wal_fsync_duration_seconds", "How long each sync of the log took.")
        .sample(costs.sync_nanoseconds.view(), MetricUnit::nanoseconds);
    page.gauge("etcd_disk_wal_write_bytes_total", "Bytes written to the log.").sample(costs.written_bytes);
  }
  if (sources.checkpointer != nullptr) {
    page.histogram("etcd_disk_backend_commit_duration_seconds", "How long each checkpoint took to be durable.")
        .sample(sources.checkpointer->write_nanoseconds().view(), MetricUnit::nanoseconds);
  }
}

/// The labels of a method, in etcd's order.
struct MethodLabels {
  explicit MethodLabels(kv::Method method) : type(api::grpc_type(method)) {
    const std::string_view path = kv::path(method);
    const std::size_t slash = path.rfind('/');
    service = path.substr(1, slash - 1);
    name = path.substr(slash + 1);
  }
  std::string_view service;
  std::string_view name;
  std::string_view type;
};

void write_calls(MetricsPage& page, const api::CallCounts& calls, MetricsDetail detail) {
  const auto each_method = [&](auto&& write) {
    for (std::size_t i = 0; i < kv::method_count; ++i) {
      const auto method = static_cast<kv::Method>(i);
      write(MethodLabels(method), calls.of(method));
    }
  };
  const auto each_sample = [&](std::uint64_t api::MethodCounts::* count) {
    each_method([&](const MethodLabels& method, const api::MethodCounts& counts) {
      page.sample(counts.*count,
                  {{"grpc_method", method.name}, {"grpc_service", method.service}, {"grpc_type", method.type}});
    });
  };
  page.counter("grpc_server_started_total", "Calls that began.");
  each_sample(&api::MethodCounts::started);
  page.counter("grpc_server_msg_received_total", "Messages that came.");
  each_sample(&api::MethodCounts::messages_received);
  page.counter("grpc_server_msg_sent_total", "Messages that were sent.");
  each_sample(&api::MethodCounts::messages_sent);
  page.counter("grpc_server_handled_total", "Calls that have ended, by their status.");
  each_method([&](const MethodLabels& method, const api::MethodCounts& counts) {
    for (std::size_t code = 0; code < code_names.size(); ++code) {
      page.sample(counts.handled[code], {{"grpc_code", code_names[code]},
                                         {"grpc_method", method.name},
                                         {"grpc_service", method.service},
                                         {"grpc_type", method.type}});
    }
  });
  if (detail == MetricsDetail::extensive) {
    page.histogram("grpc_server_handling_seconds", "From a call's beginning to its end.");
    each_method([&](const MethodLabels& method, const api::MethodCounts& counts) {
      page.sample(counts.handling_nanoseconds.view(), MetricUnit::nanoseconds,
                  {{"grpc_method", method.name}, {"grpc_service", method.service}, {"grpc_type", method.type}});
    });
  }
  page.counter("etcd_network_client_grpc_received_bytes_total", "Bytes of the messages that came.")
      .sample(calls.received_bytes());
  page.counter("etcd_network_client_grpc_sent_bytes_total", "Bytes of the messages that were sent.")
      .sample(calls.sent_bytes());
  page.counter("etcd_server_client_requests_total", "Calls by the version that the client says it speaks.");
  for (const api::VersionCounts& counts : calls.versions()) {
    const std::string_view version = counts.version.text();
    if (counts.streams > 0) page.sample(counts.streams, {{"client_api_version", version}, {"type", "stream"}});
    if (counts.unary > 0) page.sample(counts.unary, {{"client_api_version", version}, {"type", "unary"}});
  }
}

void write_pages(MetricsPage& page, const api::DoorCounts& door) {
  const api::HealthCounts& health = door.health;
  page.counter("etcd_server_health_success", "Visits to /health that found the member well.")
      .sample(health.health.successes);
  page.counter("etcd_server_health_failures", "Visits to /health that did not.").sample(health.health.errors);
  page.gauge("etcd_server_healthcheck", "Whether the last check of this name succeeded.");
  for (const auto& [check, outcomes] : health.checks) {
    page.sample(outcomes.last ? 1 : 0, {{"name", check.second}, {"type", check.first}});
  }
  page.counter("etcd_server_healthchecks_total", "Checks of /livez and /readyz.");
  for (const auto& [check, outcomes] : health.checks) {
    page.sample(outcomes.errors, {{"name", check.second}, {"status", "error"}, {"type", check.first}});
    page.sample(outcomes.successes, {{"name", check.second}, {"status", "success"}, {"type", check.first}});
  }
  page.counter("promhttp_metric_handler_requests_total", "Pages of metrics that were served before this one.")
      .sample(door.scrapes, {{"code", "200"}});
}

void write_process(MetricsPage& page, const port::ProcessUse& use) {
  page.counter("process_cpu_seconds_total", "Processor time of all threads.").sample(use.cpu);
  page.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.").sample(use.started);
  page.gauge("process_resident_memory_bytes", "Memory that the process holds.").sample(use.resident_bytes);
  page.gauge("process_virtual_memory_bytes", "Addresses that the process has taken.").sample(use.virtual_bytes);
  page.gauge("process_virtual_memory_max_bytes", "How many it may take.").sample(use.virtual_bytes_max);
  page.gauge("process_open_fds", "Open file descriptors.").sample(use.descriptors);
  page.gauge("process_max_fds", "How many there may be.").sample(use.descriptors_max);
  page.gauge("os_fd_used", "Open file descriptors.").sample(use.descriptors);
  page.gauge("os_fd_limit", "How many there may be.").sample(use.descriptors_max);
}

}  // namespace

std::string metrics_text(const MetricsSources& sources) {
  const ReplicaMetrics metrics = sources.replica.metrics();
  MetricsPage page;
  write_server(page, sources, metrics);
  write_mvcc(page, sources, metrics);
  write_leases(page, metrics);
  write_disk(page, sources);
  write_calls(page, sources.door.calls, sources.detail);
  write_pages(page, sources.door);
  if (sources.process != nullptr) write_process(page, sources.process->use());
  return page.take();
}

}  // namespace metastore::server
