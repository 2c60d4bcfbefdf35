// The oracles that judge a whole run, fed runs that must be rejected: O8 a member that is never heard of again, O11 one
// whose disk was damaged by another hand.
#include <doctest/doctest.h>

#include "sim/machine.h"
#include "sim/simulation.h"

namespace metastore::sim {
namespace {

TEST_CASE("O8 rejects a run in which no answer arrives once the faults have ended") {
  Plan plan = draw_plan(1);
  plan.operations = 3;
  plan.is_over_http2 = true;
  // They would turn the loop every few milliseconds of the days that this takes.
  plan.watchers = 0;
  // Longer than anybody waits.
  plan.network.delay_min = Duration::seconds(20'000);
  plan.network.delay_max = Duration::seconds(20'000);
  plan.patience_max = plan.patience_min = Duration::seconds(1);
  plan.disk.stall = Duration();
  // The bound grows with the network's delay, so the world's own one ends this run.
  const Report report = Simulation(plan).run();
  REQUIRE(report.violation);
  CHECK(report.violation->oracle == "O8");
}

TEST_CASE("O11 rejects a boot that is refused while nothing happened that may refuse it") {
  const Plan plan = draw_plan(1);
  World world;
  NetworkSim network(world, Prng(1, "network"), plan.network);
  Door door(world, plan, nullptr);
  Judge judge(plan, Duration::seconds(100));
  History history;
  RollingHash hash;
  TraceLog trace(false);
  Machine machine({plan, world, network, door, judge, history, hash, trace}, 1);
  machine.boot();
  REQUIRE_FALSE(machine.is_down());
  for (int i = 0; i < 1000; ++i) world.step();
  REQUIRE_FALSE(judge.violation());
  machine.kill();
  machine.files().set_contents("member/identity", "nonsense");
  machine.boot();
  CHECK(machine.is_down());
  REQUIRE(judge.violation());
  CHECK(judge.violation()->oracle == "O11");
}

}  // namespace
}  // namespace metastore::sim
