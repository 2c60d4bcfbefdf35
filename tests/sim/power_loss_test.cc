// Power loss, not only death: whole members in whole runs, crashed at every file operation of 200 seeds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "sim/plan.h"
#include "sim/simulation.h"

namespace metastore::sim {
namespace {

constexpr std::uint64_t seeds = 200;
/// A recovery makes fewer file operations than this; a second crash wanders through all of them.
constexpr std::uint64_t recovery_operations = 24;

/// A few requests of every kind, as small as they can be while segments are still cut.
Plan short_plan(std::uint64_t seed) {
  Plan plan = draw_plan(seed, 1);
  plan.is_over_http2 = false;
  plan.operations = 12;
  plan.clients = std::min<std::uint64_t>(plan.clients, 4);
  plan.contenders = 0;
  plan.traffic_percent = 0;
  plan.think_max = std::min(plan.think_max, Duration::milliseconds(20));
  plan.value_bytes_max = 600;
  plan.limits.wal_segment_bytes = 4'096;
  plan.fault_weights = {};
  plan.down_max = Duration::milliseconds(10);
  plan.crash_weights = {1, 1, 1, 1, 1};
  return plan;
}

std::uint64_t count(const Report& report, std::string_view name) {
  const auto found = std::find_if(report.counts.begin(), report.counts.end(),
                                  [name](const Count& candidate) { return candidate.name == name; });
  REQUIRE(found != report.counts.end());
  return found->count;
}

TEST_CASE("power cut at every file operation of 200 runs, boot and recovery included, loses nothing acknowledged") {
  std::uint64_t runs = 0;
  std::uint64_t recovery_crashes = 0;
  std::uint64_t torn = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Plan plan = short_plan(seed);
    const Report whole = Simulation(plan).run();
    REQUIRE_MESSAGE(!whole.violation, "seed " << seed << ": " << whole.violation->message);
    REQUIRE(whole.file_operations > 15);
    for (std::uint64_t operation = 1; operation <= whole.file_operations; ++operation) {
      plan.crash_operations = {operation, 1 + (operation * 7 + seed) % recovery_operations};
      const Report report = Simulation(plan).run();
      REQUIRE_MESSAGE(!report.violation, "seed " << seed << ", power cut at file operations " << operation << " and "
                                                 << plan.crash_operations[1] << ": " << report.violation->oracle << " "
                                                 << report.violation->message);
      const std::uint64_t cuts = count(report, "fault: power off at a file operation");
      REQUIRE(cuts >= 1);
      recovery_crashes += cuts - 1;
      torn += count(report, "fault: un-synced writes torn");
      ++runs;
    }
  }
  MESSAGE(runs << " runs, " << recovery_crashes << " of them crashed again, " << torn << " torn writes");
  CHECK(recovery_crashes > runs / 4);
  CHECK(torn > 0);
}

}  // namespace
}  // namespace metastore::sim
