#include "sim/simulation.h"

#include <algorithm>
#include <utility>

namespace metastore::sim {
namespace {

/// O8: after the last fault the member must answer the surveyor within this many of its own election timeouts, of the
/// longest disk stalls and of the clients' patience; and again, as long as there is something to ask.
constexpr std::int64_t final_phase_multiple = 50;
/// No run needs this long; whoever does is stuck.
constexpr Duration simulated_max = Duration::seconds(7 * 24 * 3600);
constexpr std::uint64_t events_at_one_time_max = 2'000'000;
/// How late the reply to a request may come after its deadline.
constexpr Duration reply_patience_beyond_request_timeout = Duration::seconds(1);

Duration request_timeout(const Plan& plan) {
  Config config;
  config.election_timeout = plan.election_timeout;
  return config.request_timeout();
}

}  // namespace

Simulation::Simulation(const Plan& plan, bool is_trace_wanted)
    : plan_(plan),
      trace_(is_trace_wanted),
      workload_(plan_, history_),
      judge_(plan_, request_timeout(plan_) + reply_patience_beyond_request_timeout),
      stage_{plan_, world_, history_, workload_, judge_, trace_, plan_.operations},
      network_(world_, Prng(plan_.seed, "network"), plan_.network),
      door_(world_, plan_, plan_.is_over_http2 ? &network_ : nullptr),
      machine_({plan_, world_, network_, door_, judge_, history_, hash_, trace_}, 1),
      nemesis_(plan_, world_, machine_, trace_),
      auditor_(stage_, door_, Client::Role::auditor, plan_.clients + 1) {
  for (std::uint64_t id = 0; id <= plan_.clients; ++id) {
    const Client::Role role = id == 0 ? Client::Role::surveyor : Client::Role::worker;
    clients_.push_back(std::make_unique<Client>(stage_, door_, role, id));
  }
  for (std::uint64_t id = 1; id <= plan_.watchers; ++id) {
    watchers_.push_back(std::make_unique<Watcher>(stage_, door_, id));
  }
  for (std::uint64_t id = 1; id <= plan_.keepers; ++id) {
    keepers_.push_back(std::make_unique<Keeper>(stage_, door_, id));
  }
}

Simulation::~Simulation() = default;

bool Simulation::step() {
  if (is_over_) return false;
  const bool has_happened = world_.step();
  if (machine_.settle()) nemesis_.on_down();
  events_at_this_time_ = world_.now() == last_time_ ? events_at_this_time_ + 1 : 0;
  last_time_ = world_.now();

  if (!has_happened) judge_.fail({"O8", world_.now(), "nothing is left to happen, but requests wait"});
  if (events_at_this_time_ > events_at_one_time_max)
    judge_.fail({"O8", world_.now(), "it spins and time stands still"});
  if (world_.now() - Instant() > simulated_max) judge_.fail({"O8", world_.now(), "the workload does not end"});
  if (final_deadline_ == Instant::never()) {
    if (stage_.operations_left == 0 && is_everybody_idle()) begin_final_phase();
  } else if (clients_.front()->has_concluded() && clients_.front()->is_idle() && are_leases_audited() &&
             has_everything_been_told()) {
    judge_.conclude(history_);
    is_over_ = true;
  } else if (history_.surveys().size() + auditor_.audited() > progress_seen_) {
    extend_final_deadline();
  } else if (world_.now() > final_deadline_) {
    judge_.fail({"O8", world_.now(),
                 !clients_.front()->has_concluded() ? "the faults have ended, but the newest revision cannot be read"
                 : !are_leases_audited()            ? "the faults have ended, but a lease does not"
                                                    : "the faults have ended, but a watcher is not told everything"});
  }
  if (judge_.violation()) is_over_ = true;
  return !is_over_;
}

Report Simulation::run() {
  while (step()) {
  }
  return report();
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

void Simulation::begin_final_phase() {
  nemesis_.retire();
  network_.heal();
  stage_.is_final = true;
  extend_final_deadline();
}

void Simulation::extend_final_deadline() {
  progress_seen_ = history_.surveys().size() + auditor_.audited();
  const Duration slowest =
      std::max({plan_.election_timeout, plan_.patience_max, plan_.disk.work_max + plan_.disk.stall,
                plan_.network.delay_max, Duration::seconds(plan_.ttl_seconds_max), Duration::seconds(1)});
  final_deadline_ = world_.now() + slowest * final_phase_multiple;
  if (!history_.leases().empty()) final_deadline_ = final_deadline_ + auditor_.silence();
}

Report Simulation::report() const {
  Report report;
  report.violation = judge_.violation();
  report.members = 1;
  report.operations = history_.completed();
  report.events = world_.events();
  report.simulated = world_.now() - Instant();
  report.hash = hash_.text();
  report.file_operations = machine_.files().operations();

  const NemesisCounts& nemesis = nemesis_.counts();
  const CrashCounts& crash = machine_.files().counts();
  const auto fault = [&nemesis](Fault which) { return nemesis.faults[static_cast<std::size_t>(which)]; };
  report.counts = {
      {"fault: power off at a file operation", fault(Fault::power_at_operation)},
      {"fault: power off during a boot", nemesis.boot_crashes},
      {"fault: power off between operations", fault(Fault::power_now)},
      {"fault: kill", fault(Fault::kill)},
      {"fault: restart", fault(Fault::restart)},
      {"fault: un-synced writes lost", crash.writes_lost},
      {"fault: un-synced writes torn", crash.writes_torn},
      {"fault: un-synced writes reordered", crash.writes_reordered},
      {"fault: file sizes lost", crash.sizes_lost},
      {"fault: names lost", crash.names_lost},
      {"fault: disk stalls", machine_.stalls()},
      {"fault: syncs that fail", machine_.files().fault_counts().sync_errors},
      {"fault: writes that fail", machine_.files().fault_counts().write_errors},
      {"fault: full disks", machine_.files().fault_counts().full},
      {"fault: flipped bits", nemesis.flips},
      {"fault: connections reset", network_.counts().resets},
      {"fault: connections refused", network_.counts().refused},
  };
  for (std::size_t kind = 0; kind < history_.done_by_kind().size(); ++kind) {
    constexpr std::string_view names[] = {"get",         "put",          "delete",       "txn",        "compact",
                                          "grant lease", "revoke lease", "time to live", "list leases"};
    report.counts.push_back({"done: " + std::string(names[kind]), history_.done_by_kind()[kind]});
  }
  report.counts.push_back({"done: refused", history_.refused()});
  report.counts.push_back({"done: unknown", history_.unknown()});
  report.counts.push_back({"judged: O2 states met again", judge_.replay().judged()});
  report.counts.push_back({"judged: O3 replies", judge_.durability().judged()});
  report.counts.push_back({"judged: O4 replies", judge_.serializability().replies_judged});
  report.counts.push_back({"judged: O4 unknown writes placed", judge_.serializability().unknown_writes_placed});
  report.counts.push_back({"judged: O4 surveys", history_.surveys().size()});
  report.counts.push_back({"judged: O5 watch events", judge_.watches().events});
  report.counts.push_back({"judged: O5 words of progress", judge_.watches().progress});
  report.counts.push_back({"judged: O5 watches ended by a compaction", judge_.watches().compacted});
  report.counts.push_back({"judged: O6 promises of leases", judge_.leases().promises});
  report.counts.push_back({"judged: O6 leases found gone", judge_.leases().ends});
  report.counts.push_back({"judged: O6 leases that expired", judge_.leases().expiries});
  report.counts.push_back({"judged: O6 ends that took keys along", judge_.serializability().lease_ends_placed});
  report.counts.push_back({"judged: O6 times to live", judge_.leases().times_to_live});
  report.counts.push_back({"judged: O6 keys of leases", judge_.leases().keys});
  report.counts.push_back({"judged: O6 lists of leases", judge_.leases().lists});
  report.counts.push_back({"judged: O10 and law 5 replies", judge_.replies().judged()});
  report.counts.push_back({"judged: O11 boots", machine_.boots()});
  report.counts.push_back({"judged: O11 flipped bits refused, log", nemesis.log_flips_refused});
  report.counts.push_back({"judged: O11 flipped bits refused, engine", nemesis.engine_flips_refused});
  report.counts.push_back({"judged: O11 flipped bits refused, identity", nemesis.identity_flips_refused});
  report.counts.push_back({"mark: flipped bits that did not matter", nemesis.flips_accepted});
  const auto fact = [this](std::string_view message) {
    const auto found = machine_.facts().find(message);
    return found == machine_.facts().end() ? 0 : found->second;
  };
  report.counts.push_back({"mark: a torn end of the log was cut off", fact("cut off a torn end of the log")});
  report.counts.push_back({"mark: the power went before there was a member", machine_.stillbirths()});
  report.counts.push_back({"mark: checkpoints written", machine_.checkpoints().checkpoints});
  report.counts.push_back({"mark: boots from a checkpoint", machine_.checkpoints().reopened});
  report.counts.push_back({"door: decoded", plan_.is_over_http2 ? 0u : 1u});
  report.counts.push_back({"door: http2", plan_.is_over_http2 ? 1u : 0u});
  return report;
}

}  // namespace metastore::sim
