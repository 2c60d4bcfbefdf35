// One run: a world, members on their machines, clients, nemeses and a judge, made from a plan alone. It has two phases:
// first everything happens at once; then the faults end, for all members or first for a quorum of them, which must
// serve everybody within a bound; then all members must be up and equal, everything that is unknown must be settled,
// and the whole history must make sense. The same plan gives the same run, event by event, on every machine.
#ifndef METASTORE_SIM_SIMULATION_H_
#define METASTORE_SIM_SIMULATION_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/calling.h"
#include "sim/checkers/liveness.h"
#include "sim/client.h"
#include "sim/contender.h"
#include "sim/deed.h"
#include "sim/disasters.h"
#include "sim/door.h"
#include "sim/history.h"
#include "sim/inheritance.h"
#include "sim/judge.h"
#include "sim/keeper.h"
#include "sim/machine.h"
#include "sim/nemesis.h"
#include "sim/network_sim.h"
#include "sim/operator.h"
#include "sim/partitions.h"
#include "sim/plan.h"
#include "sim/rolling_hash.h"
#include "sim/schism.h"
#include "sim/succession.h"
#include "sim/trace_log.h"
#include "sim/watcher.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace metastore::sim {

class Chronicle;

/// How often something happened; the names are the rows of the swarm's table.
struct Count {
  std::string name;
  std::uint64_t count = 0;
};

/// How soon somebody was answered once the faults had ended.
struct Recovery {
  Duration time;
  Duration election_timeout;
  bool is_by_quorum = false;  ///< The rest stayed broken.
};

struct Report {
  std::optional<Violation> violation;
  std::uint64_t members = 0;
  std::uint64_t operations = 0;  ///< Answered.
  std::uint64_t events = 0;
  Duration simulated;
  std::string hash;
  std::uint64_t file_operations = 0;
  std::vector<Count> counts;
  std::optional<Recovery> recovery;
};

class Simulation {
 public:
  /// `told_of_deeds`, if any, is run for each deed before it is done; take_deeds() then has it. `chronicle`, if any,
  /// hears what crosses the boundaries of the replicas.
  explicit Simulation(const Plan& plan, bool is_trace_wanted = false, port::Task* told_of_deeds = nullptr,
                      Chronicle* chronicle = nullptr);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Lets one thing happen. False once the run is over.
  bool step();
  /// Steps to the end.
  Report run();

  /// Does at once what a scenario says. Requires: the plan is scripted; it says nothing of members that there are not.
  void perform(const DeedKind& deed);
  /// Does them at their times, in this order, which is that of their times.
  void play(std::vector<Deed> deeds);
  bool has_played() const { return deeds_ahead_.empty(); }
  /// Lets the run come to its end, as soon as all is played and answered. Until then a scripted one goes on for ever.
  void conclude() { is_end_wanted_ = true; }
  /// Nobody asks anything new.
  void end_workload() { stage_.operations_left = 0; }
  /// Whether the plan has them all.
  bool can_perform(const DeedKind& deed) const;
  bool is_over() const { return is_over_; }
  bool is_idle(std::uint64_t client) const { return clients_[client]->is_idle(); }

  std::deque<Deed> take_deeds() { return deeds_.take(); }
  const std::vector<std::unique_ptr<Machine>>& machines() const { return machines_; }
  const std::optional<Violation>& violation() const { return judge_.violation(); }
  const std::deque<WatchSession>& watch_sessions() const { return judge_.watch_sessions(); }
  std::uint64_t events() const { return world_.events(); }
  std::string hash() const { return hash_.text(); }
  Instant now() const { return world_.now(); }
  std::string take_trace() { return trace_.take(); }
  Report report() const;
  const History& history() const { return history_; }

 private:
  void play_next();
  bool is_everybody_idle() const;
  bool is_workload_over() const;
  bool has_everything_been_told() const;
  bool are_leases_audited() const;
  /// All members are up and have applied the same, and whoever was removed is gone.
  bool are_members_equal() const;
  void begin_final_phase();
  /// Breaks those for good whom a quorum does not need, and nobody else.
  void break_rest();
  void heal_rest();
  /// More is written until nobody lags behind, if the plan says so.
  void write_on();
  void see_who_lags();
  /// Behind each write of the writer, many more requests at once.
  void flood_beside_writer();
  void judge_final_phase();
  /// O9, behind what O8 says.
  Violation with_recoverability(Violation violation) const;
  Duration final_bound() const;
  /// The sets of voters that members go by.
  std::vector<std::vector<MemberId>> configurations() const;
  void count_judged(Report& report) const;
  void count_faults(Report& report) const;
  void count_faults_of_clusters(std::map<std::string, std::uint64_t>& counts) const;

  const Plan plan_;
  World world_;
  TraceLog trace_;
  RollingHash hash_;
  History history_;
  Workload workload_;
  Judge judge_;
  DeedLog deeds_;
  Stage stage_;
  NetworkSim network_;
  Doors doors_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Nemesis>> nemeses_;  ///< One for each machine.
  Partitions partitions_;
  Disasters disasters_;
  Operator operator_;
  Succession succession_;
  Schism schism_;
  Inheritance inheritance_;
  std::vector<std::unique_ptr<Client>> clients_;  ///< The surveyor is the first; those of contenders come last.
  Client auditor_;
  Client writer_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
  std::vector<std::unique_ptr<Contender>> contenders_;
  LivenessChecker liveness_;
  std::vector<std::size_t> rest_;  ///< Machines that stay broken while a quorum of the others serves.
  std::array<std::uint64_t, rest_kinds> rest_counts_ = {};
  LogIndex behind_;             ///< What is committed when all faults have ended,
  std::set<std::size_t> lags_;  ///< and who has not come there by the entries of a log.
  std::uint64_t caught_up_ = 0;
  std::uint64_t written_ = 0;  ///< By the writer, when it was last looked at.
  bool is_over_ = false;
  std::deque<Deed> deeds_ahead_;  ///< Of a scenario.
  Calling<&Simulation::play_next> playing_{*this};
  bool is_end_wanted_ = false;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SIMULATION_H_
