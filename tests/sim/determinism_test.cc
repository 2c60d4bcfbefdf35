// The same seed is the same run; another process and other compilers are asked by runs_test.py and ./dev test.
#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string>

#include "sim/plan.h"
#include "sim/simulation.h"

namespace metastore::sim {
namespace {

TEST_CASE("the same seed twice in one process gives the same hash, and another seed another one") {
  std::set<std::string> hashes;
  constexpr std::uint64_t seeds = 6;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Report first = Simulation(draw_plan(seed)).run();
    const Report second = Simulation(draw_plan(seed)).run();
    CHECK(first.hash == second.hash);
    CHECK(first.events == second.events);
    hashes.insert(first.hash);
  }
  CHECK(hashes.size() == seeds);
}

TEST_CASE("the hash sees every draw: one more client, or a disk that is slower, is another run") {
  const Plan plan = draw_plan(1);
  Plan other = plan;
  ++other.clients;
  Plan slower = plan;
  slower.disk.work_max = slower.disk.work_max + Duration::microseconds(1);
  CHECK(Simulation(plan).run().hash != Simulation(other).run().hash);
  CHECK(Simulation(plan).run().hash != Simulation(slower).run().hash);
}

TEST_CASE("watching a run does not change it") {
  CHECK(Simulation(draw_plan(2), true).run().hash == Simulation(draw_plan(2), false).run().hash);
}

}  // namespace
}  // namespace metastore::sim
