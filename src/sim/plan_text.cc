// A plan as lines, and back: one table of its fields for both.
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "sim/plan.h"
#include "sim/words.h"

namespace metastore::sim {
namespace {

using Names = std::initializer_list<std::string_view>;

template <typename AnyNetwork, typename Field>
void visit_network(const std::string& prefix, AnyNetwork& network, Field&& field) {
  field(prefix + "delay_min", network.delay_min);
  field(prefix + "delay_max", network.delay_max);
  field(prefix + "piece_bytes_max", network.piece_bytes_max);
  field(prefix + "reset_permille", network.reset_chance);
  field(prefix + "reset_after_max", network.reset_after_max);
  field(prefix + "window_bytes", network.window_bytes);
}

/// Calls `field` with the name and the place of everything that a seed decides.
template <typename AnyPlan, typename Field>
void visit_fields(AnyPlan& plan, Field&& field) {
  field("seed", plan.seed);
  field("members", plan.members);
  field("newcomers", plan.newcomers);
  field("member_changes", plan.member_changes);
  field("member_change_interval_max", plan.member_change_interval_max);
  field("operations", plan.operations);
  field("clients", plan.clients);
  field("watchers", plan.watchers);
  field("keepers", plan.keepers);
  field("contenders", plan.contenders);
  field("hold_max", plan.hold_max);
  field("successions", plan.successions);
  field("succession_interval_max", plan.succession_interval_max);
  field("schisms", plan.schisms);
  field("schism_interval_max", plan.schism_interval_max);
  field("inheritances", plan.inheritances);
  field("writes_on", plan.writes_on);
  field("http2", plan.is_over_http2);
  field("think_max", plan.think_max);
  field("reading_pause_max", plan.reading_pause_max);
  field("patience_min", plan.patience_min);
  field("patience_max", plan.patience_max);
  field("keys", plan.keys);
  field("value_bytes_max", plan.value_bytes_max);
  field("mix", plan.mix,
        Names{"put", "get", "list", "delete", "txn", "compact", "malformed", "grant", "revoke", "time_to_live",
              "leases", "hash_kv"});
  field("historical_percent", plan.historical_percent);
  field("serializable_percent", plan.serializable_percent);
  field("leased_percent", plan.leased_percent);
  field("ttl_seconds_max", plan.ttl_seconds_max);
  field("clock_pace_ppm", plan.clock_pace_ppm);
  field("checkpoint_interval", plan.checkpoint_interval);
  field("watch_progress_interval", plan.watch_progress_interval);
  field("quota_bytes", plan.quota_bytes);
  field("makes_room", plan.makes_room);
  field("traffic_percent", plan.traffic_percent);
  field("traffic_compaction_interval", plan.traffic_compaction_interval);
  field("retention_period", plan.retention_period);
  field("retention_revisions", plan.retention_revisions);
  field("heartbeat_interval", plan.heartbeat_interval);
  field("election_timeout", plan.election_timeout);
  field("disk_work_min", plan.disk.work_min);
  field("disk_work_max", plan.disk.work_max);
  field("disk_report_max", plan.disk.report_max);
  field("disk_stall_permille", plan.disk.stall_chance);
  field("disk_stall", plan.disk.stall);
  visit_network("network_", plan.network, field);
  visit_network("peers_", plan.peers.network, field);
  field("messages_lost_permille", plan.peers.messages.lost_permille);
  field("messages_repeated_permille", plan.peers.messages.repeated_permille);
  field("messages_late_permille", plan.peers.messages.late_permille);
  field("messages_late_max", plan.peers.messages.late_max);
  field("cuts", plan.peers.cut_weights, Names{"isolation", "halves", "deaf", "mute", "pair", "bridge", "swizzle"});
  field("cut_interval_max", plan.peers.cut_interval_max);
  field("cut_max", plan.peers.cut_max);
  field("disasters", plan.disaster_weights,
        Names{"outage", "blackout", "leader_dies", "leader_stalls", "empty_disk", "leader_pauses"});
  field("disasters_max", plan.disasters_max);
  field("disaster_interval_max", plan.disaster_interval_max);
  field("relapses", plan.relapses);
  field("rest", plan.rest_weights, Names{"down", "cut_off", "disk", "paused"});
  field("faults", plan.fault_weights,
        Names{"power_at_operation", "power_now", "kill", "restart", "sync_error", "write_error", "disk_full", "pause",
              "clock_jump"});
  field("crash_fates", plan.crash_weights, Names{"kept", "lost", "prefix", "reordered", "scattered"});
  field("faults_max", plan.faults_max);
  field("fault_interval_max", plan.fault_interval_max);
  field("down_max", plan.down_max);
  field("operations_ahead_max", plan.operations_ahead_max);
  field("boot_crash_percent", plan.boot_crash_percent);
  field("boot_operations_ahead_max", plan.boot_operations_ahead_max);
  field("flip_percent", plan.flip_percent);
  field("reconfigure_percent", plan.reconfigure_percent);
  field("misplaced_percent", plan.misplaced_percent);
}

struct Writer {
  std::string out;

  void line(std::string_view name, std::string_view value) {
    out += std::string(name) + "=" + std::string(value) + "\n";
  }
  void operator()(std::string_view name, std::uint64_t number) { line(name, std::to_string(number)); }
  void operator()(std::string_view name, std::int64_t number) { line(name, std::to_string(number)); }
  void operator()(std::string_view name, std::uint32_t number) { line(name, std::to_string(number)); }
  void operator()(std::string_view name, bool is_set) { line(name, is_set ? "1" : "0"); }
  void operator()(std::string_view name, Duration duration) { line(name, duration_text(duration)); }
  template <std::size_t size>
  void operator()(std::string_view name, const std::array<std::uint32_t, size>& weights, Names names) {
    std::string value;
    std::size_t i = 0;
    for (const std::string_view one : names) {
      value += (i == 0 ? "" : ",") + std::string(one) + ":" + std::to_string(weights[i]);
      ++i;
    }
    line(name, value);
  }
};

/// Takes what it knows out of `values`.
struct Reader {
  std::map<std::string, std::string, std::less<>> values;
  std::string wrong;

  std::optional<std::string> take(std::string_view name) {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return std::move(values.extract(found).mapped());
  }
  template <typename Number>
  void number(std::string_view name, Number& place) {
    const auto text = take(name);
    if (!text) return;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), place);
    if (error != std::errc() || end != text->data() + text->size()) wrong = std::string(name);
  }
  void operator()(std::string_view name, std::uint64_t& place) { number(name, place); }
  void operator()(std::string_view name, std::int64_t& place) { number(name, place); }
  void operator()(std::string_view name, std::uint32_t& place) { number(name, place); }
  void operator()(std::string_view name, bool& place) {
    std::uint32_t drawn = place ? 1 : 0;
    number(name, drawn);
    place = drawn != 0;
  }
  void operator()(std::string_view name, Duration& place) {
    const auto text = take(name);
    if (!text) return;
    const auto duration = parse_duration(*text);
    if (!duration) wrong = std::string(name);
    place = duration.value_or(place);
  }
  template <std::size_t size>
  void operator()(std::string_view name, std::array<std::uint32_t, size>& weights, Names names) {
    const auto text = take(name);
    if (!text) return;
    weights = {};
    Reader inner;
    for (std::size_t begin = 0; begin < text->size();) {
      const std::size_t end = std::min(text->find(',', begin), text->size());
      const std::size_t colon = text->find(':', begin);
      if (colon >= end) {
        wrong = std::string(name);
        return;
      }
      inner.values[text->substr(begin, colon - begin)] = text->substr(colon + 1, end - colon - 1);
      begin = end + 1;
    }
    std::size_t i = 0;
    for (const std::string_view one : names) inner(one, weights[i++]);
    if (!inner.wrong.empty() || !inner.values.empty()) wrong = std::string(name);
  }
};

}  // namespace

std::string describe(const Plan& plan) {
  Writer writer;
  visit_fields(plan, writer);
#define METASTORE_DESCRIBE_LIMIT(name, value, unit, reason) \
  if (plan.limits.name != Limits().name) writer("limit " #name, plan.limits.name);
  METASTORE_LIMITS(METASTORE_DESCRIBE_LIMIT)
#undef METASTORE_DESCRIBE_LIMIT
  return std::move(writer.out);
}

std::string read_plan(std::string_view lines, Plan& plan) {
  Reader reader;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.empty()) continue;
    const std::size_t sign = line.find('=');
    if (sign == std::string_view::npos) return "no value: " + std::string(line);
    reader.values[std::string(line.substr(0, sign))] = line.substr(sign + 1);
  }
  visit_fields(plan, reader);
#define METASTORE_READ_LIMIT(name, value, unit, reason) reader("limit " #name, plan.limits.name);
  METASTORE_LIMITS(METASTORE_READ_LIMIT)
#undef METASTORE_READ_LIMIT
  if (!reader.wrong.empty()) return "no such value: " + reader.wrong;
  if (!reader.values.empty()) return "no such setting: " + reader.values.begin()->first;
  if (plan.members == 0 || plan.machines() > 7) return "members and newcomers: 1 to 7";
  return "";
}

}  // namespace metastore::sim
