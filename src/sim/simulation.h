// One run: a world, members on their machines, clients, nemeses and a judge, made from a plan alone. It has two phases:
// first everything happens at once; then the faults end, and within a bound all members must be up and equal,
// everything that is unknown must be settled, and the whole history must make sense. The same plan gives the same run,
// event by event, on every machine.
#ifndef METASTORE_SIM_SIMULATION_H_
#define METASTORE_SIM_SIMULATION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/client.h"
#include "sim/door.h"
#include "sim/history.h"
#include "sim/judge.h"
#include "sim/keeper.h"
#include "sim/machine.h"
#include "sim/nemesis.h"
#include "sim/network_sim.h"
#include "sim/partitions.h"
#include "sim/plan.h"
#include "sim/post.h"
#include "sim/rolling_hash.h"
#include "sim/trace_log.h"
#include "sim/watcher.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace metastore::sim {

/// How often something happened; the names are the rows of the swarm's table.
struct Count {
  std::string name;
  std::uint64_t count = 0;
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
};

class Simulation {
 public:
  explicit Simulation(const Plan& plan, bool is_trace_wanted = false);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Lets one thing happen. False once the run is over.
  bool step();
  /// Steps to the end.
  Report run();

  Instant now() const { return world_.now(); }
  std::string take_trace() { return trace_.take(); }
  Report report() const;
  const History& history() const { return history_; }

 private:
  bool is_everybody_idle() const;
  bool has_everything_been_told() const;
  bool are_leases_audited() const;
  /// All members are up and have applied the same.
  bool are_members_equal() const;
  void begin_final_phase();
  void extend_final_deadline();
  void count_faults(Report& report) const;

  const Plan plan_;
  World world_;
  TraceLog trace_;
  RollingHash hash_;
  History history_;
  Workload workload_;
  Judge judge_;
  Stage stage_;
  NetworkSim network_;
  Post post_;
  Doors doors_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Nemesis>> nemeses_;  ///< One for each machine.
  Partitions partitions_;
  std::vector<std::unique_ptr<Client>> clients_;  ///< The surveyor is the first.
  Client auditor_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
  Instant final_deadline_ = Instant::never();
  std::size_t progress_seen_ = 0;
  Instant last_time_;
  std::uint64_t events_at_this_time_ = 0;
  bool is_over_ = false;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SIMULATION_H_
