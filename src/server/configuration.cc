#include "server/configuration.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/replica/config.h"
#include "server/initial_cluster.h"

namespace metastore::server {
namespace {

/// A check's answer: nothing, or the sentence that tells what to change.
using Verdict = Status<std::string>;

constexpr std::uint64_t election_timeout_max = 50'000;
constexpr std::uint64_t request_bytes_max_max = 512 << 20;
constexpr std::uint64_t streams_max = 4'294'967'295;
constexpr Duration watch_progress_interval_min = Duration::milliseconds(100);

Verdict check_timing(const Flags& flags) {
  const std::string heartbeat = std::to_string(flags.heartbeat_interval) + "ms";
  const std::string election = std::to_string(flags.election_timeout) + "ms";
  if (flags.heartbeat_interval == 0) return "--heartbeat-interval must be >0 (set to " + heartbeat + ")";
  if (flags.election_timeout > election_timeout_max) {
    return "--election-timeout[" + election + "] is too long, and should be set less than 50000ms";
  }
  if (flags.heartbeat_interval > flags.election_timeout / 5) {
    return "--election-timeout[" + election + "] should be at least as 5 times as --heartbeat-interval[" + heartbeat +
           "]";
  }
  return Done{};
}

Verdict check_limits(const Flags& flags) {
  if (flags.max_request_bytes == 0 || flags.max_request_bytes > request_bytes_max_max) {
    return "--max-request-bytes must be from 1 to " + std::to_string(request_bytes_max_max);
  }
  if (flags.max_txn_ops == 0) return std::string("--max-txn-ops must be >0");
  if (flags.max_concurrent_streams == 0 || flags.max_concurrent_streams > streams_max) {
    return "--max-concurrent-streams must be from 1 to " + std::to_string(streams_max);
  }
  if (flags.snapshot_count == 0) return std::string("--snapshot-count must be >0");
  if (flags.compaction_batch_limit == 0) return std::string("--compaction-batch-limit must be >0");
  const std::pair<const char*, Duration> durations[] = {
      {"--grpc-keepalive-min-time", flags.grpc_keepalive_min_time},
      {"--grpc-keepalive-interval", flags.grpc_keepalive_interval},
      {"--grpc-keepalive-timeout", flags.grpc_keepalive_timeout},
      {"--watch-progress-notify-interval", flags.watch_progress_notify_interval},
      {"--backend-batch-interval", flags.backend_batch_interval}};
  for (const auto& [flag, duration] : durations) {
    if (duration < Duration()) return std::string(flag) + " must not be negative";
  }
  return Done{};
}

Verdict check_engine(const Flags& flags) {
  if (flags.engine == "lmdb" || flags.engine == "memory") return Done{};
  return "--engine must be 'lmdb' or 'memory' (set to '" + flags.engine + "')";
}

Verdict check_log(const Flags& flags) {
  if (flags.logger != "zap") return "--logger must be 'zap' (set to '" + flags.logger + "')";
  if (flags.log_format != "json") return "--log-format must be 'json' (set to '" + flags.log_format + "')";
  if (flags.metrics != "basic" && flags.metrics != "extensive") {
    return "--metrics must be 'basic' or 'extensive' (set to '" + flags.metrics + "')";
  }
  if (flags.log_outputs != "default" && flags.log_outputs != "stderr") {
    return "--log-outputs must be 'default' or 'stderr' (set to '" + flags.log_outputs + "')";
  }
  return Done{};
}

Result<TraceLevel, std::string> parse_level(const std::string& level) {
  const std::map<std::string_view, TraceLevel> levels = {{"debug", TraceLevel::debug},  {"info", TraceLevel::info},
                                                         {"warn", TraceLevel::warn},    {"error", TraceLevel::error},
                                                         {"dpanic", TraceLevel::error}, {"panic", TraceLevel::error},
                                                         {"fatal", TraceLevel::error}};
  const auto found = levels.find(level);
  if (found == levels.end()) return "--log-level must be debug, info, warn or error (set to '" + level + "')";
  return found->second;
}

Result<std::vector<Url>, std::string> urls_of(std::string_view flag, const std::string& list) {
  Result<std::vector<Url>, std::string> urls = parse_urls(list);
  if (!urls) return "--" + std::string(flag) + ": " + urls.error();
  return urls;
}

Result<std::vector<Url>, std::string> listen_urls_of(std::string_view flag, const std::string& list) {
  Result<std::vector<Url>, std::string> urls = urls_of(flag, list);
  if (!urls) return urls;
  for (const Url& url : urls.value()) {
    if (url.scheme != "http") {
      return "--" + std::string(flag) + ": '" + to_string(url) +
             "' asks for TLS, which this build cannot serve; use http";
    }
    if (!is_address(url.host)) {
      return "--" + std::string(flag) + ": expected IP in URL for binding (" + to_string(url) +
             "); use an IP address or localhost";
    }
  }
  return urls;
}

std::vector<std::string> texts_of(const std::vector<Url>& urls) {
  std::vector<std::string> texts;
  for (const Url& url : urls) texts.push_back(to_string(url));
  return texts;
}

Result<Retention, std::string> retention_of(const Flags& flags) {
  const std::string& text = flags.auto_compaction_retention;
  const bool by_revisions = flags.auto_compaction_mode == "revision";
  if (!by_revisions && flags.auto_compaction_mode != "periodic") {
    return "--auto-compaction-mode must be 'periodic' or 'revision' (set to '" + flags.auto_compaction_mode + "')";
  }
  constexpr std::int64_t hour = 3'600;
  constexpr std::int64_t number_max = Duration::max().nanoseconds() / 1'000'000'000 / hour;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size() && number >= 0;
  if (is_number && by_revisions) return Retention{.revisions = static_cast<std::uint64_t>(number)};
  if (is_number && number <= number_max) return Retention{.period = Duration::seconds(number * hour)};
  const std::optional<Duration> period = parse_duration(text);
  if (by_revisions || !period.has_value() || *period < Duration()) {
    return "--auto-compaction-retention must be a number of " +
           std::string(by_revisions ? "revisions" : "hours, or a duration") + " (set to '" + text + "')";
  }
  return Retention{.period = *period};
}

/// `list`: name=value,... in decimal; they come before what other flags say.
Verdict set_limits(std::string_view list, Limits& limits) {
  const std::map<std::string_view, std::uint64_t*> fields = {
#define METASTORE_LIMIT_ENTRY(name, value, unit, reason) {#name, &limits.name},
      METASTORE_LIMITS(METASTORE_LIMIT_ENTRY)
#undef METASTORE_LIMIT_ENTRY
  };
  while (!list.empty()) {
    const std::string_view setting = list.substr(0, list.find(','));
    list.remove_prefix(std::min(setting.size() + 1, list.size()));
    const std::size_t equals = setting.find('=');
    const auto found = fields.find(setting.substr(0, equals));
    if (equals == std::string_view::npos || found == fields.end()) {
      return "--limits: '" + std::string(setting) + "' is not name=value with a name of --help-limits";
    }
    const std::string_view digits = setting.substr(equals + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *found->second);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      return "--limits: '" + std::string(digits) + "' is not a number for " + std::string(found->first);
    }
  }
  return Done{};
}

Result<Limits, std::string> limits_of(const Flags& flags) {
  Limits limits;
  limits.request_bytes_max = flags.max_request_bytes;
  limits.txn_ops_max = flags.max_txn_ops;
  limits.connection_streams_max = flags.max_concurrent_streams;
  limits.mark_entries = flags.snapshot_count;
  limits.log_entries_kept = flags.snapshot_catchup_entries;
  limits.compact_records_a_step = flags.compaction_batch_limit;
  limits.wal_files_kept = flags.max_wals;
  if (const Verdict verdict = set_limits(flags.limits, limits); !verdict) return verdict.error();
  return limits;
}

/// As configure(), with a sentence for the mistake.
Result<Configuration, std::string> interpret(const Flags& typed) {
  const Result<Flags, std::string> expanded = without_short_form(typed);
  if (!expanded) return expanded.error();
  const Flags& flags = expanded.value();
  for (const Verdict& verdict : {check_timing(flags), check_limits(flags), check_engine(flags), check_log(flags)}) {
    if (!verdict) return verdict.error();
  }
  if (flags.name.empty()) return std::string("--name must not be empty");
  if (flags.given.contains("listen-client-urls") && !flags.given.contains("advertise-client-urls")) {
    return std::string("--advertise-client-urls is required when --listen-client-urls is set explicitly");
  }
  if (flags.initial_cluster_state != "new" && flags.initial_cluster_state != "existing") {
    return "--initial-cluster-state must be 'new' or 'existing' (set to '" + flags.initial_cluster_state + "')";
  }
  const auto level = parse_level(flags.log_level);
  if (!level) return level.error();
  const auto listen_client = listen_urls_of("listen-client-urls", flags.listen_client_urls);
  if (!listen_client) return listen_client.error();
  Result<std::vector<Url>, std::string> listen_metrics{std::vector<Url>()};
  if (!flags.listen_metrics_urls.empty()) {
    listen_metrics = listen_urls_of("listen-metrics-urls", flags.listen_metrics_urls);
  }
  if (!listen_metrics) return listen_metrics.error();
  const auto listen_peer = listen_urls_of("listen-peer-urls", flags.listen_peer_urls);
  if (!listen_peer) return listen_peer.error();
  const auto advertise_client = urls_of("advertise-client-urls", flags.advertise_client_urls);
  if (!advertise_client) return advertise_client.error();
  const auto advertise_peer = urls_of("initial-advertise-peer-urls", flags.initial_advertise_peer_urls);
  if (!advertise_peer) return advertise_peer.error();
  std::vector<std::string> peer_urls = texts_of(advertise_peer.value());
  // Texts have a total order.
  std::sort(peer_urls.begin(), peer_urls.end());
  const auto initial_cluster = initial_cluster_of(flags, peer_urls);
  if (!initial_cluster) return initial_cluster.error();
  const auto retention = retention_of(flags);
  if (!retention) return retention.error();
  const auto limits = limits_of(flags);
  if (!limits) return limits.error();

  return Configuration{
      .name = flags.name,
      .data_dir = flags.given.contains("data-dir") ? flags.data_dir : flags.name + ".metastore",
      .listen_peer_urls = listen_peer.value(),
      .listen_client_urls = listen_client.value(),
      .listen_metrics_urls = listen_metrics.value(),
      .advertise_client_urls = texts_of(advertise_client.value()),
      .advertise_peer_urls = std::move(peer_urls),
      .initial_cluster = initial_cluster.value(),
      .cluster_token = flags.initial_cluster_token,
      .starts_new_cluster = flags.initial_cluster_state == "new",
      .forces_new_cluster = flags.force_new_cluster,
      .heartbeat_interval = Duration::milliseconds(static_cast<std::int64_t>(flags.heartbeat_interval)),
      .election_timeout = Duration::milliseconds(static_cast<std::int64_t>(flags.election_timeout)),
      .pre_vote = flags.pre_vote,
      .strict_reconfig_check = flags.strict_reconfig_check,
      .max_learners = flags.max_learners,
      .keepalive_min_time = flags.grpc_keepalive_min_time,
      .keepalive_interval = flags.grpc_keepalive_interval,
      .keepalive_timeout = flags.grpc_keepalive_timeout,
      // As etcd: what is too short is raised, and 0 means the default.
      .watch_progress_interval = flags.watch_progress_notify_interval == Duration()
                                     ? Config().watch_progress_interval
                                     : std::max(flags.watch_progress_notify_interval, watch_progress_interval_min),
      .checkpoint_interval =
          flags.backend_batch_interval == Duration() ? Config().checkpoint_interval : flags.backend_batch_interval,
      .retention = retention.value(),
      .keeps_state = flags.engine == "lmdb",
      .quota_bytes = flags.quota_backend_bytes == 0 ? default_quota_bytes : flags.quota_backend_bytes,
      .limits = limits.value(),
      .has_extensive_metrics = flags.metrics == "extensive",
      .log_level = level.value(),
  };
}

}  // namespace

Result<Configuration, Exit> configure(const Flags& flags) {
  Result<Configuration, std::string> configuration = interpret(flags);
  if (!configuration) return bad_configuration(configuration.error());
  return std::move(configuration).value();
}

}  // namespace metastore::server
