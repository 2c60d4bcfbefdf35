// `run --speed`: one fixed profile, the same for every tree: three members, every class of faults, so many questions
// that 50 a simulated second are answered, ten minutes of simulated time, all oracles and the hash; and the same
// members idle.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "sim/simulation.h"
#include "sim/tools_posix.h"
#include "sim/trace_log.h"

namespace metastore::sim {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Duration profile_length = Duration::seconds(600);
constexpr Duration idle_length = Duration::seconds(3600);

std::int64_t microseconds_since(Clock::time_point began) {
  return std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count());
}

}  // namespace

int run_speed() {
  const Plan plan = speed_plan();
  const auto began = Clock::now();
  Simulation simulation(plan);
  while (simulation.now() - Instant() < profile_length && simulation.step()) {
  }
  const std::int64_t workload_us = microseconds_since(began);
  const std::uint64_t operations = simulation.history().completed();
  const std::uint64_t events = simulation.events();
  simulation.end_workload();
  const Report report = simulation.run();
  const std::int64_t whole_us = microseconds_since(began);
  std::uint64_t faults = 0;
  for (const Count& count : report.counts) {
    if (count.name.starts_with("fault: ")) faults += count.count;
  }
  if (report.violation) {
    std::printf("FAIL speed oracle=%s at=%s\n  %s\n", std::string(report.violation->oracle).c_str(),
                seconds_text(report.violation->at).c_str(), report.violation->message.c_str());
    return 1;
  }
  Plan idle_plan = without_faults(plan);
  idle_plan.operations = idle_plan.watchers = idle_plan.keepers = 0;
  idle_plan.is_scripted = true;
  const auto idle_began = Clock::now();
  Simulation idle(idle_plan);
  for (std::uint64_t member = 1; member <= plan.members; ++member) idle.perform(Boot{member, 0, {}});
  while (idle.now() - Instant() < idle_length && idle.step()) {
  }
  const std::int64_t idle_us = microseconds_since(idle_began);
  std::printf(
      "SPEED ops=%llu ops_a_second=%llu faults=%llu events=%llu sim_seconds=%lld workload_ms=%lld judging_ms=%lld "
      "speedup=%lld idle_events=%llu idle_speedup=%lld hash=%s\n",
      static_cast<unsigned long long>(operations),
      static_cast<unsigned long long>(operations * 1'000 / static_cast<std::uint64_t>(profile_length.milliseconds())),
      static_cast<unsigned long long>(faults), static_cast<unsigned long long>(events),
      static_cast<long long>(profile_length.milliseconds() / 1'000), static_cast<long long>(workload_us / 1'000),
      static_cast<long long>((whole_us - workload_us) / 1'000),
      static_cast<long long>(profile_length.microseconds() / whole_us), static_cast<unsigned long long>(idle.events()),
      static_cast<long long>(idle_length.microseconds() / idle_us), report.hash.c_str());
  return 0;
}

}  // namespace metastore::sim
