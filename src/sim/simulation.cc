#include "sim/simulation.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "sim/quorum.h"

namespace metastore::sim {
namespace {

/// O8's bound: so many election timeouts of the members, longest stalls of their disks, or patiences of their clients.
constexpr std::int64_t final_phase_multiple = 50;
/// Nobody waits for them.
constexpr std::uint64_t requests_beside_a_write = 8;
/// How late the reply to a request may come after its deadline.
constexpr Duration reply_patience_beyond_request_timeout = Duration::seconds(1);

Duration request_timeout(const Plan& plan) {
  Config config;
  config.election_timeout = election_timeout_max(plan);
  return config.request_timeout();
}

}  // namespace

Simulation::Simulation(const Plan& plan, bool is_trace_wanted, port::Task* told_of_deeds, Chronicle* chronicle)
    : plan_(plan),
      trace_(is_trace_wanted),
      workload_(plan_, history_),
      judge_(plan_, request_timeout(plan_) + reply_patience_beyond_request_timeout),
      deeds_(told_of_deeds),
      stage_{plan_, world_, history_, workload_, judge_, trace_, deeds_, plan_.operations},
      network_(world_, Prng(plan_.seed, "network"), plan_.network, plan_.peers.network),
      doors_(world_, plan_, plan_.is_over_http2 ? &network_ : nullptr),
      partitions_(plan_, world_, network_, trace_, deeds_),
      disasters_(plan_, world_, machines_, nemeses_, partitions_, trace_),
      operator_(plan_, world_, history_, machines_, nemeses_, doors_, trace_, deeds_),
      succession_(stage_, doors_, machines_, partitions_),
      schism_(plan_, world_, machines_, nemeses_, operator_, partitions_, deeds_),
      inheritance_(plan_, world_, machines_, nemeses_, operator_, succession_, deeds_),
      auditor_(stage_, doors_, Client::Role::auditor, plan_.all_clients() + 1),
      writer_(stage_, doors_, Client::Role::writer, plan_.all_clients() + 2) {
  for (std::uint64_t number = 1; number <= plan_.machines(); ++number) {
    const Machine::Surroundings around = {plan_, world_, network_, judge_, history_, hash_, trace_, chronicle};
    machines_.push_back(std::make_unique<Machine>(around, doors_.at(number - 1), number));
    nemeses_.push_back(std::make_unique<Nemesis>(plan_, world_, *machines_.back(), trace_, deeds_, number));
  }
  for (std::uint64_t id = 0; id <= plan_.all_clients(); ++id) {
    const Client::Role role = id == 0               ? Client::Role::surveyor
                              : id <= plan_.clients ? Client::Role::worker
                                                    : Client::Role::hand;
    clients_.push_back(std::make_unique<Client>(stage_, doors_, role, id));
  }
  for (std::uint64_t id = 1; id <= plan_.watchers + plan_.contenders; ++id) {
    watchers_.push_back(std::make_unique<Watcher>(stage_, doors_, id));
  }
  for (std::uint64_t id = 1; id <= plan_.all_keepers(); ++id) {
    keepers_.push_back(std::make_unique<Keeper>(stage_, doors_, id));
  }
  if (plan_.successions > 0) {
    succession_.begin({clients_.back().get(), keepers_.back().get(), plan_.all_keepers()});
  }
  for (std::uint64_t id = 1; id <= plan_.contenders; ++id) {
    const std::uint64_t watcher = plan_.watchers + id;
    const std::uint64_t keeper = plan_.keepers + id;
    const Contender::Hands hands = {*clients_[plan_.clients + id], *watchers_[watcher - 1], *keepers_[keeper - 1],
                                    watcher, keeper};
    contenders_.push_back(std::make_unique<Contender>(stage_, doors_, hands, id));
  }
}

Simulation::~Simulation() = default;

bool Simulation::step() {
  if (is_over_) return false;
  const bool has_happened = world_.step();
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    if (machines_[i]->settle()) {
      nemeses_[i]->on_down();
    } else if (machines_[i]->take_image_step()) {
      nemeses_[i]->on_image_step();
    }
    if (machines_[i]->take_installing()) inheritance_.on_installing(i + 1);
    if (machines_[i]->take_leadership()) schism_.on_leader(i + 1);
  }
  if (auto violation = liveness_.on_event(world_.now(), has_happened)) judge_.fail(with_recoverability(*violation));
  if (liveness_.have_faults_ended()) {
    judge_final_phase();
  } else if (is_workload_over() && is_everybody_idle()) {
    begin_final_phase();
  }
  if (judge_.violation()) is_over_ = true;
  return !is_over_;
}

Report Simulation::run() {
  while (step()) {
  }
  return report();
}

bool Simulation::is_workload_over() const {
  return plan_.is_scripted ? is_end_wanted_ && has_played() : stage_.operations_left == 0;
}

bool Simulation::is_everybody_idle() const {
  return std::all_of(clients_.begin() + 1, clients_.end(), [](const auto& client) { return client->is_idle(); });
}

bool Simulation::has_everything_been_told() const {
  return std::all_of(watchers_.begin(), watchers_.end(), [](const auto& watcher) { return watcher->has_concluded(); });
}

bool Simulation::are_leases_audited() const {
  return auditor_.audited() >= history_.leases().size() && auditor_.is_idle();
}

bool Simulation::are_members_equal() const {
  if (machines_.size() == 1) return true;
  if (!operator_.has_admitted_all()) return false;
  std::optional<LogIndex> applied;
  return std::all_of(machines_.begin(), machines_.end(), [&](const auto& machine) {
    if (!machine->is_admitted()) return true;
    if (machine->is_down()) return false;
    const ReplicaStatus status = machine->status();
    if (!applied) applied = status.applied_index;
    return status.applied_index == *applied && status.applied_index == status.commit_index;
  });
}

void Simulation::begin_final_phase() {
  disasters_.retire();
  operator_.retire();
  succession_.retire();
  schism_.retire();
  inheritance_.retire();
  for (const auto& nemesis : nemeses_) nemesis->retire();
  for (const auto& machine : machines_) machine->heal();
  partitions_.retire();
  network_.heal();
  break_rest();
  stage_.is_final = true;
  stage_.final_since = world_.now();
  for (const auto& watcher : watchers_) watcher->retire();
  for (const auto& keeper : keepers_) keeper->retire();
  writer_.start();
  if (rest_.empty()) write_on();
  liveness_.on_faults_ended(world_.now(), final_bound(), !rest_.empty());
}

void Simulation::break_rest() {
  const auto& weights = plan_.rest_weights;
  // While it may change, nobody knows who votes.
  if (machines_.size() == 1 || weights == std::array<std::uint32_t, rest_kinds>{} || operator_.may_change()) return;
  const std::vector<std::vector<MemberId>> known = configurations();
  // Nor before anybody has started: all would seem dispensable.
  if (known.empty()) return;
  Prng prng(plan_.seed, "rest");
  std::vector<std::optional<MemberId>> running;
  for (const auto& machine : machines_) {
    running.push_back(machine->is_admitted() ? std::optional(machine->id()) : std::nullopt);
  }
  rest_ = draw_dispensable(running, known, prng);
  for (const std::size_t i : rest_) {
    const auto kind = static_cast<Rest>(prng.weighted(weights.data(), weights.size()));
    ++rest_counts_[static_cast<std::size_t>(kind)];
    nemeses_[i]->stay_broken(kind);
    doors_.at(i).set_out_of_reach(true);
    for (Site other = 1; kind == Rest::cut_off && other <= machines_.size(); ++other) {
      network_.cut(i + 1, other);
      network_.cut(other, i + 1);
    }
  }
}

void Simulation::heal_rest() {
  for (const std::size_t i : std::exchange(rest_, {})) {
    nemeses_[i]->recover();
    doors_.at(i).set_out_of_reach(false);
  }
  network_.heal();
  write_on();
  liveness_.on_faults_ended(world_.now(), final_bound(), false);
}

void Simulation::write_on() {
  if (!plan_.writes_on) return;
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    if (!machines_[i]->is_admitted()) continue;
    lags_.insert(i);
    if (!machines_[i]->is_down()) behind_ = std::max(behind_, machines_[i]->status().commit_index);
  }
  stage_.writes_on = true;
  writer_.start();
}

void Simulation::see_who_lags() {
  const std::size_t before = lags_.size();
  std::erase_if(lags_, [this](std::size_t i) {
    const Machine& machine = *machines_[i];
    if (!machine.is_admitted()) return true;
    if (machine.is_down()) return false;
    const LogIndex applied = machine.status().applied_index;
    return applied > behind_ && applied > machine.compacted_index();
  });
  caught_up_ += before - lags_.size();
  stage_.writes_on = !lags_.empty();
}

void Simulation::flood_beside_writer() {
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  if (std::exchange(written_, writer_.written()) != writer_.written() && leading.has_value()) {
    operator_.perform(Flood{*leading, requests_beside_a_write});
  }
}

void Simulation::judge_final_phase() {
  if (stage_.writes_on) {
    see_who_lags();
    flood_beside_writer();
  }
  if (stage_.answered_at && !liveness_.recovery()) liveness_.on_answer(*stage_.answered_at);
  const Served served = {.is_written = writer_.written() > 0,
                         .is_read = clients_.front()->has_concluded() && clients_.front()->is_idle(),
                         .have_leases_ended = are_leases_audited(),
                         .have_watchers_been_told = has_everything_been_told(),
                         .answers = history_.surveys().size() + auditor_.audited()};
  if (served.is_everybody_served() && rest_.empty() && are_members_equal()) {
    for (const auto& machine : machines_) {
      if (!machine->is_down()) machine->check_invariants();
    }
    judge_.conclude(history_);
    is_over_ = true;
    return;
  }
  if (auto violation = liveness_.on_served(world_.now(), served)) judge_.fail(with_recoverability(*violation));
  if (served.is_everybody_served() && !rest_.empty()) heal_rest();
}

Violation Simulation::with_recoverability(Violation violation) const {
  std::vector<MemberId> running;
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    const Machine& machine = *machines_[i];
    const bool is_broken = std::find(rest_.begin(), rest_.end(), i) != rest_.end();
    if (machine.is_admitted() && !is_broken) running.push_back(machine.id());
  }
  violation.message += " (" + judge_.atlas().verdict(running, configurations()) + ")";
  return violation;
}

std::vector<std::vector<MemberId>> Simulation::configurations() const {
  std::vector<std::vector<MemberId>> all;
  for (const auto& machine : machines_) {
    if (!machine->is_admitted()) continue;
    for (std::vector<MemberId>& voters : machine->configurations()) all.push_back(std::move(voters));
  }
  return all;
}

Duration Simulation::final_bound() const {
  const Duration slowest =
      std::max({plan_.election_timeout, plan_.patience_max, plan_.disk.work_max + plan_.disk.stall,
                plan_.network.delay_max, Duration::seconds(plan_.ttl_seconds_max), Duration::seconds(1)});
  const Duration bound = slowest * final_phase_multiple;
  return history_.leases().empty() ? bound : bound + auditor_.silence();
}

Report Simulation::report() const {
  Report report;
  report.violation = judge_.violation();
  report.members = machines_.size();
  report.operations = history_.completed();
  report.events = world_.events();
  report.simulated = world_.now() - Instant();
  report.hash = hash_.text();
  if (const auto recovery = liveness_.recovery()) {
    const bool is_by_quorum =
        std::any_of(rest_counts_.begin(), rest_counts_.end(), [](auto count) { return count > 0; });
    report.recovery = {*recovery, plan_.election_timeout, is_by_quorum};
  }
  for (const auto& machine : machines_) report.file_operations += machine->files().operations();

  count_faults(report);
  for (std::size_t kind = 0; kind < history_.done_by_kind().size(); ++kind) {
    constexpr std::string_view names[] = {"get",         "put",          "delete",           "txn",         "compact",
                                          "grant lease", "revoke lease", "time to live",     "list leases", "hash",
                                          "alarm",       "defragment",   "hash of the state"};
    report.counts.push_back({"done: " + std::string(names[kind]), history_.done_by_kind()[kind]});
  }
  report.counts.push_back({"done: refused", history_.refused()});
  report.counts.push_back({"done: unknown", history_.unknown()});
  count_judged(report);
  if (plan_.traffic_percent > 0) {
    const TrafficCounts& traffic = workload_.traffic().counts();
    report.counts.push_back({"done: traffic, transactions that won", traffic.won});
    report.counts.push_back({"done: traffic, transactions that lost", traffic.lost});
    report.counts.push_back({"done: traffic, further pages of lists", traffic.pages});
    report.counts.push_back({"done: traffic, turns of the compactor", traffic.compactions});
  }
  if (plan_.contenders > 0) {
    ContenderCounts locks;
    for (const auto& contender : contenders_) locks += contender->counts();
    report.counts.push_back({"done: locks taken at once", locks.taken_at_once});
    report.counts.push_back({"done: locks taken after waiting", locks.taken_after_waiting});
    report.counts.push_back({"done: proclamations of who was elected", locks.proclaimed});
    report.counts.push_back({"mark: contenders that were next, and gone", locks.found_gone});
    report.counts.push_back({"judged: locks held", judge_.locks().claims});
    report.counts.push_back({"judged: locks that passed on", judge_.locks().successions});
  }
  if (plan_.reading_pause_max > Duration()) {
    report.counts.push_back({"done: parts of long answers that were left lying", doors_.parts_left_lying()});
  }
  report.counts.push_back({"judged: O10 and law 5 replies", judge_.replies_judged()});
  report.counts.push_back({"door: decoded", plan_.is_over_http2 ? 0u : 1u});
  report.counts.push_back({"door: http2", plan_.is_over_http2 ? 1u : 0u});
  return report;
}

void Simulation::count_judged(Report& report) const {
  report.counts.push_back({"judged: O1 commits of leaders", judge_.commits().by_leaders()});
  report.counts.push_back({"judged: O1 leaders", judge_.elections().leaders()});
  report.counts.push_back({"judged: O2 states met again", judge_.replay().judged()});
  report.counts.push_back({"judged: O3 replies", judge_.durability().judged()});
  report.counts.push_back({"judged: O4 replies", judge_.serializability().replies_judged});
  report.counts.push_back({"judged: O4 unknown writes placed", judge_.serializability().unknown_writes_placed});
  report.counts.push_back({"judged: O4 surveys", history_.surveys().size()});
  report.counts.push_back({"judged: O5 watch events", judge_.watches().events});
  report.counts.push_back({"judged: O5 watch fragments", judge_.watches().fragments});
  report.counts.push_back({"judged: O5 words of progress", judge_.watches().progress});
  report.counts.push_back({"judged: O5 watches ended by a compaction", judge_.watches().compacted});
  report.counts.push_back({"judged: O6 promises of leases", judge_.leases().promises});
  report.counts.push_back({"judged: O6 leases found gone", judge_.leases().ends});
  report.counts.push_back({"judged: O6 leases that expired", judge_.leases().expiries});
  report.counts.push_back({"judged: O6 ends that took keys along", judge_.serializability().lease_ends_placed});
  report.counts.push_back({"judged: O6 times to live", judge_.leases().times_to_live});
  report.counts.push_back({"judged: O6 keys of leases", judge_.leases().keys});
  report.counts.push_back({"judged: O6 lists of leases", judge_.leases().lists});
  const HashCounts& hashes = judge_.hashes();
  report.counts.push_back({"judged: O2 hashes", hashes.hashes});
  report.counts.push_back({"judged: O2 hashes of the state told again", judge_.replay().told_again()});
  report.counts.push_back({"judged: O2 hashes of compacted revisions", hashes.at_compaction});
  report.counts.push_back({"judged: O2 hashes refused as compacted", hashes.refused});
  if (plan_.machines() > 1) report.counts.push_back({"judged: O2 hashes told by several members", hashes.of_several});
  const std::uint64_t unasked = history_.unasked_compactions().size();
  if (plan_.retention_period > Duration()) {
    report.counts.push_back({"mark: compactions by retention, of time", unasked});
  } else if (plan_.retention_revisions > 0) {
    report.counts.push_back({"mark: compactions by retention, of revisions", unasked});
  }
}

void Simulation::count_faults(Report& report) const {
  std::map<std::string, std::uint64_t> counts;
  const auto add = [&counts](std::string_view name, std::uint64_t count) { counts[std::string(name)] += count; };
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    const Machine& machine = *machines_[i];
    const NemesisCounts& nemesis = nemeses_[i]->counts();
    const CrashCounts& crash = machine.files().counts();
    const auto fault = [&nemesis](Fault which) { return nemesis.faults[static_cast<std::size_t>(which)]; };
    add("fault: power off at a file operation", fault(Fault::power_at_operation));
    add("fault: power off during a boot", nemesis.boot_crashes);
    add("fault: power off between operations", fault(Fault::power_now));
    add("fault: kill", fault(Fault::kill));
    add("fault: restart", fault(Fault::restart));
    add("fault: pauses", fault(Fault::pause));
    add("fault: wall clocks that jump", fault(Fault::clock_jump));
    if (plan_.machines() > 1)
      add("fault: pauses of a leader, longer than an election timeout", nemesis.long_pauses_of_leader);
    add("fault: un-synced writes lost", crash.writes_lost);
    add("fault: un-synced writes torn", crash.writes_torn);
    add("fault: un-synced writes reordered", crash.writes_reordered);
    add("fault: file sizes lost", crash.sizes_lost);
    add("fault: names lost", crash.names_lost);
    add("fault: disk stalls", machine.stalls());
    add("fault: syncs that fail", machine.files().fault_counts().sync_errors);
    add("fault: writes that fail", machine.files().fault_counts().write_errors);
    add("fault: full disks", machine.files().fault_counts().full);
    add("fault: flipped bits", nemesis.flips.done);
    add("fault: misdirected writes", nemesis.misplaced.done);
    add("fault: boots with another configuration", nemesis.reconfigured);
    add("judged: O11 boots", machine.boots());
    add("judged: O11 flipped bits refused, log", nemesis.flips.log_refused);
    add("judged: O11 flipped bits refused, engine", nemesis.flips.engine_refused);
    add("judged: O11 flipped bits refused, identity", nemesis.flips.identity_refused);
    add("judged: O11 misdirected writes refused, log", nemesis.misplaced.log_refused);
    add("judged: O11 misdirected writes refused, engine", nemesis.misplaced.engine_refused);
    add("judged: O11 misdirected writes refused, identity", nemesis.misplaced.identity_refused);
    add("judged: contract 1.4 streams refused without a leader", machine.leaderless().refused());
    add("judged: contract 1.4 streams ended without a leader", machine.leaderless().ended());
    const BacklogCounts backlogs = machine.backlogs();
    add("judged: O10 logs in memory", backlogs.logs);
    add("judged: O10 files of the log that had to go", backlogs.files);
    add("judged: O10 proposals that wait", backlogs.proposals);
    if (plan_.members > 1) add("judged: O10 queues to peers", backlogs.queues);
    add("mark: flipped bits that did not matter", nemesis.flips.accepted);
    add("mark: misdirected writes that did not matter", nemesis.misplaced.accepted);
    add("mark: a torn end of the log was cut off", machine.told("cut off a torn end of the log"));
    if (plan_.machines() > 1) add("mark: snapshots of other members installed", machine.told("installed a snapshot"));
    add("mark: the power went before there was a member", machine.stillbirths());
    add("mark: checkpoints written", machine.checkpoints().checkpoints);
    add("mark: boots from a checkpoint", machine.checkpoints().reopened);
  }
  add("fault: connections reset", network_.counts().resets);
  add("fault: connections refused", network_.counts().refused);
  if (machines_.size() > 1) count_faults_of_clusters(counts);
  for (const auto& [name, count] : counts) report.counts.push_back({name, count});
}

void Simulation::count_faults_of_clusters(std::map<std::string, std::uint64_t>& counts) const {
  const auto add = [&counts](std::string_view name, std::uint64_t count) { counts[std::string(name)] += count; };
  add("judged: O1 commits of others", judge_.commits().by_others());
  add("judged: O1 entries of followers", judge_.logs().judged());
  for (const auto& machine : machines_) add("judged: O1 matches that rose", machine->matches().judged());
  constexpr std::string_view cuts[] = {"isolation", "halves", "deaf", "mute", "pair", "bridge", "swizzle"};
  for (std::size_t kind = 0; kind < cut_kinds; ++kind) {
    add("fault: partition, " + std::string(cuts[kind]), partitions_.counts()[kind]);
  }
  constexpr std::string_view disasters[] = {
      "the power goes for a majority", "the power goes for all",           "the leader is killed",
      "the leader's disk stalls",      "a member starts on an empty disk", "the leader is paused"};
  for (std::size_t kind = 0; kind < disaster_kinds; ++kind) {
    add("fault: " + std::string(disasters[kind]), disasters_.counts()[kind]);
  }
  if (plan_.relapses > 0) add("fault: the disk of who has what others lack is lost", disasters_.relapses());
  constexpr std::string_view rests[] = {"down", "cut off", "its disk fails", "paused"};
  for (std::size_t kind = 0; kind < rest_kinds; ++kind) {
    add("fault: stays broken while a quorum serves, " + std::string(rests[kind]), rest_counts_[kind]);
  }
  for (const auto& machine : machines_) {
    add("fault: messages between members lost", machine->messages().lost);
    add("fault: messages between members repeated", machine->messages().repeated);
    add("fault: messages between members late", machine->messages().late);
  }
  add("fault: connections between members reset", network_.counts_between_machines().resets);
  add("fault: connections between members refused", network_.counts_between_machines().refused);
  add("fault: bytes between members held up by a cut", network_.counts_between_machines().held);
  if (plan_.newcomers > 0) {
    for (const auto& machine : machines_) {
      add("mark: members that added a voter", machine->told("added member"));
      add("mark: members that added a learner", machine->told("added learner"));
      add("mark: members that promoted a learner", machine->told("promoted member"));
      add("mark: members that updated one", machine->told("updated member"));
      add("mark: members that removed one", machine->told("removed member"));
      add("mark: members that left", machine->former().size());
      add("judged: contract 5.8 changes of members", machine->changes_judged());
    }
    add("mark: newcomers that were started", operator_.admitted());
  }
  if (plan_.successions > 0) {
    add("fault: leadership was asked to move", succession_.counts().moves);
    add("mark: leaders that did not hear of their successor", succession_.counts().deposed);
    add("judged: O1 moves of leadership that were done", judge_.elections().moves_done());
    add("judged: O1 moves of leadership that were refused", judge_.elections().moves_refused());
  }
  if (plan_.schisms > 0) {
    add("fault: schisms", schism_.counts().schisms);
    add("mark: schisms, the others elected a leader", schism_.counts().led_twice);
    add("mark: schisms, torn apart again", schism_.counts().torn);
    add("mark: schisms, the former leader was flooded", schism_.counts().floods);
    if (plan_.newcomers > 0) {
      add("mark: schisms, changes of members", schism_.counts().changes);
      add("mark: schisms, who was alone dies behind a change", schism_.counts().lone);
    }
  }
  if (plan_.writes_on) add("mark: members that caught up while more was written", caught_up_);
  if (plan_.inheritances > 0) {
    add("fault: members are to lead while they install a snapshot", inheritance_.begun());
  }
  add("judged: O1 votes", judge_.elections().votes());
  add("judged: O1 entries written again", judge_.elections().entries_met_again());
}

}  // namespace metastore::sim
