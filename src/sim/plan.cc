#include "sim/plan.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/prng.h"
#include "sim/draw_scaled.h"
#include "sim/drawn_limits.h"
#include "sim/reorder.h"

namespace metastore::sim {
namespace {

/// How much shorter or longer one member's timeouts may be than those of the plan.
constexpr std::int64_t timeout_percent_min = 90;
constexpr std::int64_t timeout_percent_max = 130;

/// No room is left in some seeds, from some moment on: nobody clears the alarm.
std::int64_t draw_quota(std::uint64_t seed) {
  Prng prng(seed, "plan quota");
  const std::uint64_t drawn = draw_scaled(prng, 20'000, 1'000'000);
  return prng.chance(1, 10) ? static_cast<std::int64_t>(drawn) : -1;
}

NetworkFaults draw_network(std::uint64_t seed) {
  Prng prng(seed, "plan network");
  NetworkFaults network;
  network.delay_min = draw_scaled(prng, Duration::microseconds(10), Duration::milliseconds(2));
  network.delay_max = network.delay_min + draw_scaled(prng, Duration::microseconds(1), Duration::milliseconds(100));
  if (prng.chance(1, 2)) network.piece_bytes_max = draw_scaled(prng, 1, 2'000);
  if (prng.chance(1, 2)) network.reset_chance = static_cast<std::uint32_t>(draw_scaled(prng, 10, 1'000));
  network.reset_after_max = draw_scaled(prng, Duration::milliseconds(1), Duration::seconds(20));
  network.window_bytes = draw_scaled(prng, 1'024, 262'144);
  return network;
}

void draw_faults(Plan& plan) {
  Prng prng(plan.seed, "plan faults");
  // The full disk image model in most seeds; a single fate in some, so that its effect is not drowned by the others.
  for (std::uint32_t& weight : plan.crash_weights) weight = prng.chance(3, 4) ? 1 : 0;
  if (std::all_of(plan.crash_weights.begin(), plan.crash_weights.end(), [](auto weight) { return weight == 0; })) {
    plan.crash_weights[static_cast<std::size_t>(CrashFate::lost)] = 1;
  }
  plan.faults_max = draw_scaled(prng, 1, 24);
  plan.fault_interval_max = draw_scaled(prng, Duration::milliseconds(50), Duration::seconds(20));
  plan.down_max = draw_scaled(prng, Duration::milliseconds(1), Duration::seconds(5));
  plan.operations_ahead_max = draw_scaled(prng, 1, 200);
  plan.boot_crash_percent = prng.chance(1, 2) ? static_cast<std::uint32_t>(prng.between(5, 60)) : 0;
  plan.boot_operations_ahead_max = draw_scaled(prng, 1, 64);
  const bool is_calm = prng.chance(1, 8);
  for (std::size_t kind = 0; kind <= static_cast<std::size_t>(Fault::disk_full); ++kind) {
    plan.fault_weights[kind] = !is_calm && prng.chance(2, 3) ? 1 : 0;
  }
  if (!is_calm && prng.chance(1, 3)) plan.flip_percent = static_cast<std::uint32_t>(prng.between(5, 60));
  plan.disk.work_min = draw_scaled(prng, Duration::microseconds(20), Duration::milliseconds(2));
  plan.disk.work_max = plan.disk.work_min + draw_scaled(prng, Duration::microseconds(1), Duration::milliseconds(50));
  plan.disk.report_max = draw_scaled(prng, Duration::microseconds(1), Duration::milliseconds(2));
  if (prng.chance(1, 3)) {
    plan.disk.stall_chance = static_cast<std::uint32_t>(draw_scaled(prng, 1, 100));
    plan.disk.stall = draw_scaled(prng, Duration::milliseconds(10), Duration::seconds(4));
  }
}

void draw_disasters(Plan& plan) {
  Prng prng(plan.seed, "plan disasters");
  const bool is_any = !plan.is_calm() && prng.chance(2, 3);
  for (std::size_t kind = 0; kind <= static_cast<std::size_t>(Disaster::empty_disk); ++kind) {
    plan.disaster_weights[kind] = is_any && prng.chance(1, 2) ? 1 : 0;
  }
  plan.disasters_max = draw_scaled(prng, 1, 12);
  plan.disaster_interval_max = draw_scaled(prng, Duration::milliseconds(200), Duration::seconds(30));
}

/// Those who are behind and one without its disk are a quorum only where the number of voters is odd.
void draw_relapses(Plan& plan) {
  Prng prng(plan.seed, "plan relapses");
  const bool is_any = prng.chance(2, 3);
  if (plan.machines() != plan.members || plan.members % 2 == 0 || plan.members == 1 || plan.is_calm() || !is_any)
    return;
  plan.relapses = draw_scaled(prng, 1, 3);
}

/// Processes that pause, and clocks that jump.
void draw_pauses(Plan& plan) {
  if (plan.is_calm()) return;
  Prng prng(plan.seed, "plan pauses");
  if (prng.chance(1, 2)) plan.fault_weights[static_cast<std::size_t>(Fault::pause)] = 1;
  if (prng.chance(2, 3)) plan.disaster_weights[static_cast<std::size_t>(Disaster::leader_pauses)] = 2;
  if (prng.chance(1, 3)) plan.fault_weights[static_cast<std::size_t>(Fault::clock_jump)] = 1;
}

/// Members that are started with other settings than the rest, and writes that went astray.
void draw_oddities(Plan& plan) {
  if (plan.is_calm()) return;
  Prng settings(plan.seed, "plan configurations");
  if (settings.chance(1, 3)) plan.reconfigure_percent = static_cast<std::uint32_t>(settings.between(10, 80));
  Prng misplaced(plan.seed, "plan misplaced");
  if (misplaced.chance(1, 3)) plan.misplaced_percent = static_cast<std::uint32_t>(misplaced.between(5, 60));
}

/// A quorum is alone in some clusters, once their faults have ended.
void draw_rest(Plan& plan) {
  Prng prng(plan.seed, "plan rest");
  const bool is_any = prng.chance(1, 2);
  for (std::uint32_t& weight : plan.rest_weights) weight = is_any && prng.chance(2, 3) ? 1 : 0;
}

void draw_workload(Plan& plan) {
  Prng prng(plan.seed, "plan workload");
  plan.operations = draw_scaled(prng, 800, 6'400);
  plan.clients = draw_scaled(prng, 1, 24);
  plan.is_over_http2 = prng.chance(1, 8);
  plan.think_max = draw_scaled(prng, Duration::microseconds(50), Duration::seconds(1));
  plan.patience_min = draw_scaled(prng, Duration::milliseconds(20), Duration::seconds(5));
  plan.patience_max = plan.patience_min + draw_scaled(prng, Duration::milliseconds(1), Duration::seconds(10));
  plan.keys = draw_scaled(prng, 1, 64);
  plan.value_bytes_max = draw_scaled(prng, 1, 4'000);
  for (std::size_t kind = 0; kind <= static_cast<std::size_t>(Kind::leases); ++kind) {
    plan.mix[kind] = prng.chance(3, 4) ? static_cast<std::uint32_t>(prng.between(1, 10)) : 0;
  }
  // Something must be written, and errors must not be all there is.
  plan.mix[static_cast<std::size_t>(Kind::put)] += 5;
  plan.mix[static_cast<std::size_t>(Kind::malformed)] =
      std::min(plan.mix[static_cast<std::size_t>(Kind::malformed)], 2u);
  // Leases in half of the seeds; without grants the rest of them would be about nothing.
  const bool has_leases = prng.chance(1, 2);
  for (const Kind kind : {Kind::grant, Kind::revoke, Kind::time_to_live, Kind::leases}) {
    std::uint32_t& weight = plan.mix[static_cast<std::size_t>(kind)];
    weight = has_leases ? std::min(weight, 3u) : 0;
    if (has_leases && kind == Kind::grant) weight += 1;
  }
  if (has_leases) {
    plan.leased_percent = static_cast<std::uint32_t>(prng.between(5, 60));
    plan.ttl_seconds_max = static_cast<std::int64_t>(draw_scaled(prng, 1, 16));
    plan.keepers = prng.chance(2, 3) ? draw_scaled(prng, 1, 4) : 0;
  }
  plan.historical_percent = prng.chance(1, 2) ? static_cast<std::uint32_t>(prng.between(1, 60)) : 0;
  plan.serializable_percent = prng.chance(1, 2) ? static_cast<std::uint32_t>(prng.between(1, 60)) : 0;
  plan.heartbeat_interval = draw_scaled(prng, Duration::milliseconds(5), Duration::milliseconds(500));
  plan.election_timeout = plan.heartbeat_interval * prng.between(5, 10);
  plan.checkpoint_interval = draw_scaled(prng, Duration::milliseconds(1), Duration::seconds(10));
  plan.watch_progress_interval = draw_scaled(prng, Duration::milliseconds(50), Duration::seconds(100));
}

/// What maintains and what imitates others, in some seeds.
void draw_maintenance(Plan& plan) {
  Prng prng(plan.seed, "plan maintenance");
  const auto hashes = static_cast<std::uint32_t>(prng.between(1, 4));
  plan.mix[static_cast<std::size_t>(Kind::hash_kv)] = prng.chance(1, 2) ? hashes : 0;
  plan.makes_room = plan.quota_bytes >= 0 && prng.chance(2, 3);
  const auto percent = static_cast<std::uint32_t>(prng.between(20, 95));
  plan.traffic_percent = prng.chance(1, 4) ? percent : 0;
  plan.traffic_compaction_interval = draw_scaled(prng, Duration::milliseconds(100), Duration::seconds(10));
}

/// The history is compacted without anybody's asking in some seeds.
void draw_auto_compaction(Plan& plan) {
  Prng prng(plan.seed, "plan auto-compaction");
  const Duration period = draw_scaled(prng, Duration::milliseconds(500), Duration::seconds(60));
  const std::uint64_t revisions = draw_scaled(prng, 1, 500);
  if (!prng.chance(1, 4)) return;
  if (prng.chance(2, 3)) {
    plan.retention_period = period;
  } else {
    plan.retention_revisions = revisions;
  }
}

/// Locks and elections in some seeds, which have leases then.
void draw_contenders(Plan& plan) {
  Prng prng(plan.seed, "plan contenders");
  if (!prng.chance(1, 3)) return;
  plan.contenders = draw_scaled(prng, 2, 6);
  plan.hold_max = draw_scaled(prng, Duration::milliseconds(5), Duration::seconds(10));
  const auto ttl_seconds_max = static_cast<std::int64_t>(draw_scaled(prng, 1, 8));
  if (plan.ttl_seconds_max == 0) plan.ttl_seconds_max = ttl_seconds_max;
}

PeerFaults draw_peers(std::uint64_t seed) {
  Prng prng(seed, "plan peers");
  PeerFaults peers;
  NetworkFaults& network = peers.network;
  network.delay_min = draw_scaled(prng, Duration::microseconds(10), Duration::milliseconds(2));
  network.delay_max = network.delay_min + draw_scaled(prng, Duration::microseconds(1), Duration::milliseconds(50));
  if (prng.chance(1, 3)) network.piece_bytes_max = draw_scaled(prng, 16, 8'192);
  if (prng.chance(1, 2)) network.reset_chance = static_cast<std::uint32_t>(draw_scaled(prng, 10, 1'000));
  network.reset_after_max = draw_scaled(prng, Duration::milliseconds(10), Duration::seconds(60));
  network.window_bytes = draw_scaled(prng, 1'024, 262'144);
  MessageFaults& messages = peers.messages;
  if (prng.chance(1, 2)) messages.lost_permille = static_cast<std::uint32_t>(draw_scaled(prng, 1, 200));
  if (prng.chance(1, 2)) messages.repeated_permille = static_cast<std::uint32_t>(draw_scaled(prng, 1, 200));
  if (prng.chance(1, 2)) messages.late_permille = static_cast<std::uint32_t>(draw_scaled(prng, 1, 50));
  messages.late_max = draw_scaled(prng, Duration::milliseconds(10), Duration::seconds(20));
  const bool is_cut = prng.chance(3, 4);
  for (std::uint32_t& weight : peers.cut_weights) weight = is_cut && prng.chance(1, 2) ? 1 : 0;
  peers.cut_interval_max = draw_scaled(prng, Duration::milliseconds(100), Duration::seconds(30));
  peers.cut_max = draw_scaled(prng, Duration::milliseconds(50), Duration::seconds(20));
  return peers;
}

std::uint64_t draw_members(std::uint64_t seed) {
  constexpr std::uint64_t sizes[] = {1, 2, 3, 4, 5};
  constexpr std::uint32_t weights[] = {32, 1, 20, 2, 3};
  return sizes[Prng(seed, "plan members").weighted(weights, std::size(weights))];
}

/// Members come and go in some clusters.
void draw_member_changes(Plan& plan) {
  Prng prng(plan.seed, "plan member changes");
  if (plan.members == 1 || plan.is_over_http2 || prng.chance(1, 2)) return;
  plan.newcomers = 1 + prng.below(2);
  plan.member_changes = draw_scaled(prng, 2, 32);
  plan.member_change_interval_max = draw_scaled(prng, Duration::milliseconds(200), Duration::seconds(3));
  // Five seconds without a broken connection are rare among faults: most changes would be refused.
  plan.limits.peer_settled_ms = std::min(plan.limits.peer_settled_ms, draw_scaled(prng, 1, 500));
  // Who is who must stay known while somebody is on an empty disk.
  plan.disaster_weights[static_cast<std::size_t>(Disaster::empty_disk)] = 0;
}

/// Leadership moves in some clusters without anybody's failing. Nobody waits for the answer, as the wire would make
/// him.
void draw_successions(Plan& plan) {
  Prng prng(plan.seed, "plan successions");
  if (plan.members == 1 || plan.is_over_http2 || prng.chance(1, 2)) return;
  plan.successions = draw_scaled(prng, 1, 16);
  plan.succession_interval_max = draw_scaled(prng, Duration::milliseconds(50), Duration::seconds(4));
}

/// Two lead in some clusters, or believe so, and both are asked for changes. Four voters are the fewest that can be
/// torn into two majorities by one removal each.
void draw_schisms(Plan& plan, bool may_grow) {
  Prng prng(plan.seed, "plan schisms");
  const bool is_any = prng.chance(plan.newcomers > 0 ? 3 : 1, 4);
  const bool is_alone = prng.chance(1, 4);
  const bool is_even = prng.chance(1, 2);
  if (plan.members == 1 || plan.is_over_http2 || !is_any) return;
  plan.schisms = draw_scaled(prng, 2, 16);
  plan.schism_interval_max = draw_scaled(prng, Duration::milliseconds(50), Duration::seconds(2));
  // One cut at a time: the end of any is the end of all.
  if (prng.chance(2, 3)) plan.peers.cut_weights = {};
  if (!may_grow || plan.newcomers == 0) return;
  if (is_alone) {
    plan.members = 1;
    plan.successions = 0;
  } else if (is_even) {
    plan.members = 4;
  }
}

/// Whoever installs a snapshot is to lead, in some of the clusters in which somebody can come who lacks the log, too.
void draw_inheritances(Plan& plan) {
  Prng prng(plan.seed, "plan inheritances");
  const bool is_any = prng.chance(1, 2);
  if (plan.newcomers == 0 || plan.is_calm() || !is_any) return;
  plan.inheritances = draw_scaled(prng, 1, 6);
}

/// In some clusters whoever was away needs a snapshot, as a rule; in some of them more is written while he takes it.
void draw_short_log(Plan& plan) {
  Prng prng(plan.seed, "plan short log");
  if (plan.machines() == 1 || prng.chance(2, 3)) return;
  plan.writes_on = prng.chance(1, 2);
  plan.limits.log_entries_kept = draw_scaled(prng, 1, plan.writes_on ? 8 : 64);
  const Duration longest = Duration::milliseconds(plan.writes_on ? 20 : 500);
  plan.checkpoint_interval = std::min(plan.checkpoint_interval, draw_scaled(prng, Duration::milliseconds(1), longest));
}

void draw_readers(Plan& plan) {
  Prng prng(plan.seed, "plan readers");
  if (prng.chance(1, 2)) plan.reading_pause_max = draw_scaled(prng, Duration::milliseconds(1), Duration::seconds(2));
}

/// Times that let so many members elect a leader, and less to do for each of them.
Plan with_members(Plan plan, std::uint64_t members) {
  plan.members = members;
  if (members == 1) return plan;
  // A vote is written and sent there and back within an election timeout, or there is never a leader.
  const Duration round = plan.disk.work_max * 2 + plan.disk.report_max * 2 + plan.peers.network.delay_max * 2;
  const std::int64_t ticks = plan.election_timeout.nanoseconds() / plan.heartbeat_interval.nanoseconds();
  // Heartbeats that are more frequent, and clients that sleep, cost more than they find.
  plan.heartbeat_interval = std::max({plan.heartbeat_interval, Duration::milliseconds(30), round * 3 / ticks});
  plan.operations = std::max<std::uint64_t>(plan.operations / 2, 200);
  plan.think_max = std::min(plan.think_max, Duration::milliseconds(200));
  plan.election_timeout = plan.heartbeat_interval * ticks;
  return plan;
}

}  // namespace

Plan draw_plan(std::uint64_t seed, std::uint64_t members) {
  Plan plan;
  plan.seed = seed;
  draw_workload(plan);
  draw_contenders(plan);
  draw_faults(plan);
  plan.limits = draw_limits(seed);
  plan.quota_bytes = draw_quota(seed);
  draw_maintenance(plan);
  draw_auto_compaction(plan);
  Prng clocks(seed, "plan clocks");
  if (clocks.chance(1, 2)) plan.clock_pace_ppm = static_cast<std::uint32_t>(draw_scaled(clocks, 10, 100'000));
  Prng watchers(seed, "plan watchers");
  if (watchers.chance(2, 3)) plan.watchers = draw_scaled(watchers, 1, 6);
  if (watchers.chance(1, 3)) {
    // What is told is cut into pieces no larger than the largest request that anybody asks.
    if (watchers.chance(1, 2)) plan.limits.txn_ops_max = std::min<std::uint64_t>(plan.limits.txn_ops_max, 4);
    plan.limits.request_bytes_max = plan.limits.txn_ops_max * 3 * (plan.value_bytes_max + 300);
    plan.limits.receive_slack_bytes = 1;
  }
  plan.network = draw_network(seed);
  plan.peers = draw_peers(seed);
  draw_disasters(plan);
  draw_pauses(plan);
  draw_oddities(plan);
  draw_rest(plan);
  plan = with_members(std::move(plan), members > 0 ? members : draw_members(seed));
  draw_member_changes(plan);
  draw_successions(plan);
  // Where few vote, each newcomer's vote is soon needed.
  if (members == 0 && plan.newcomers > 0 && Prng(seed, "plan few members").chance(1, 4)) plan.members = 2;
  draw_schisms(plan, members == 0);
  draw_relapses(plan);
  draw_inheritances(plan);
  draw_short_log(plan);
  draw_readers(plan);
  return plan;
}

std::string numbered(std::string_view name, std::uint64_t number) {
  return std::string(name) + (number == 1 ? "" : " " + std::to_string(number));
}

Plan without_faults(Plan plan) {
  plan.fault_weights = {};
  plan.flip_percent = plan.reconfigure_percent = plan.misplaced_percent = 0;
  plan.clock_pace_ppm = 0;
  plan.boot_crash_percent = 0;
  plan.disk.stall_chance = 0;
  plan.network.reset_chance = 0;
  plan.peers.network.reset_chance = 0;
  plan.peers.messages = {};
  plan.peers.cut_weights = {};
  plan.disaster_weights = {};
  plan.rest_weights = {};
  plan.newcomers = plan.member_changes = plan.schisms = plan.successions = plan.inheritances = plan.relapses = 0;
  plan.writes_on = false;
  const std::uint64_t segment_bytes = plan.limits.wal_segment_bytes;
  plan.limits = Limits();
  plan.quota_bytes = -1;
  plan.makes_room = false;
  plan.limits.wal_segment_bytes = segment_bytes;
  return plan;
}

Plan speed_plan() {
  Plan plan;
  plan.seed = 1;
  plan.members = 3;
  plan.operations = 1'000'000;  // More than are asked in that time.
  plan.clients = 16;
  plan.watchers = 3;
  plan.keepers = 2;
  plan.think_max = Duration::milliseconds(320);
  plan.patience_min = Duration::seconds(2);
  plan.patience_max = Duration::seconds(5);
  plan.keys = 32;
  plan.value_bytes_max = 200;
  plan.mix = {10, 10, 3, 2, 4, 1, 1, 1, 1, 1, 0};
  plan.historical_percent = 10;
  plan.serializable_percent = 10;
  plan.leased_percent = 10;
  plan.ttl_seconds_max = 4;
  plan.limits.wal_segment_bytes = 262'144;
  plan.heartbeat_interval = Duration::milliseconds(100);
  plan.election_timeout = Duration::seconds(1);
  plan.checkpoint_interval = Duration::milliseconds(100);
  plan.watch_progress_interval = Duration::seconds(10);
  plan.disk = {.work_min = Duration::microseconds(100),
               .work_max = Duration::milliseconds(5),
               .report_max = Duration::microseconds(100),
               .stall_chance = 2,
               .stall = Duration::milliseconds(1500)};
  plan.network.delay_min = Duration::microseconds(100);
  plan.network.delay_max = Duration::milliseconds(5);
  plan.peers.network = {.delay_min = Duration::microseconds(100),
                        .delay_max = Duration::milliseconds(5),
                        .piece_bytes_max = 4'096,
                        .reset_chance = 200,
                        .reset_after_max = Duration::seconds(60)};
  plan.peers.messages = {
      .lost_permille = 5, .repeated_permille = 5, .late_permille = 5, .late_max = Duration::seconds(2)};
  std::fill(plan.peers.cut_weights.begin(), plan.peers.cut_weights.end(), 1);
  plan.peers.cut_interval_max = Duration::seconds(60);
  plan.peers.cut_max = Duration::seconds(4);
  std::fill(plan.disaster_weights.begin(), plan.disaster_weights.end(), 1);
  plan.disasters_max = 1'000;
  plan.disaster_interval_max = Duration::seconds(60);
  plan.clock_pace_ppm = 1'000;
  std::fill(plan.fault_weights.begin(), plan.fault_weights.end(), 1);
  std::fill(plan.crash_weights.begin(), plan.crash_weights.end(), 1);
  plan.faults_max = 1'000;
  plan.fault_interval_max = Duration::seconds(60);
  plan.down_max = Duration::seconds(2);
  plan.operations_ahead_max = 50;
  plan.boot_crash_percent = 10;
  plan.boot_operations_ahead_max = 32;
  plan.flip_percent = plan.misplaced_percent = plan.reconfigure_percent = 10;
  return plan;
}

MemberSettings settings_of(const Plan& plan, std::uint64_t configuration) {
  MemberSettings settings = {plan.limits, plan.heartbeat_interval, plan.election_timeout, plan.checkpoint_interval};
  if (configuration == 0) return settings;
  const std::string stream = "configuration " + std::to_string(configuration);
  Prng prng(plan.seed, stream);
  const std::int64_t percent = prng.between(timeout_percent_min, timeout_percent_max);
  const Duration election_timeout = plan.election_timeout * percent / 100;
  // Another shortest lease would be another promise.
  if (shortest_ttl_seconds(election_timeout) == shortest_ttl_seconds(plan.election_timeout)) {
    settings.election_timeout = election_timeout;
    settings.heartbeat_interval = plan.heartbeat_interval * percent / 100;
  }
  settings.checkpoint_interval = draw_scaled(prng, Duration::milliseconds(1), Duration::seconds(10));
  redraw_limits(plan.seed, stream, settings.limits);
  return settings;
}

Duration election_timeout_max(const Plan& plan) {
  return plan.reconfigure_percent > 0 ? plan.election_timeout * timeout_percent_max / 100 : plan.election_timeout;
}

std::int64_t shortest_ttl_seconds(Duration election_timeout) {
  constexpr std::int64_t second = 1'000'000'000;
  return ((election_timeout * 3).nanoseconds() / 2 + second - 1) / second;
}

Duration draw_pause(const Plan& plan, Prng& prng) {
  return prng.between(plan.election_timeout / 2, plan.election_timeout * 6);
}

Duration draw_odd_pause(Prng& prng, Duration shortest, Duration longest) {
  return prng.between(shortest, longest) + Duration::nanoseconds(1);
}

std::vector<std::uint64_t> draw_order(const Plan& plan, Prng& prng) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t number = 1; number <= plan.machines(); ++number) order.push_back(number);
  reorder(order, prng);
  return order;
}

}  // namespace metastore::sim
