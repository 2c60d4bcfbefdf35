// The oracles that judge a whole run, fed runs that must be rejected: O8 a member that is never heard of again, O11 one
// whose disk was damaged by another hand.
#include <doctest/doctest.h>

#include "sim/machine.h"
#include "sim/simulation.h"

namespace metastore::sim {
namespace {

TEST_CASE("O8 rejects a run in which no answer arrives once the faults have ended") {
  Plan plan = draw_plan(1, 1);
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

/// A machine with a member that has been up for a while.
struct Rig {
  Rig() {
    machine.boot();
    REQUIRE_FALSE(machine.is_down());
    step(1000);
    REQUIRE_FALSE(judge.violation());
  }
  void step(int times) {
    for (int i = 0; i < times; ++i) {
      world.step();
      machine.settle();
    }
  }
  /// "" if nothing is wrong so far.
  std::string verdict() const {
    if (!judge.violation()) return "";
    CHECK(judge.violation()->oracle == "O11");
    return judge.violation()->message;
  }

  const Plan plan = draw_plan(1, 1);
  World world;
  NetworkSim network{world, Prng(1, "network"), plan.network};
  Door door{world, plan, nullptr, 1};
  Judge judge{plan, Duration::seconds(100)};
  History history;
  RollingHash hash;
  TraceLog trace{false};
  Machine machine{{plan, world, network, judge, history, hash, trace}, door, 1};
};

TEST_CASE("O11 accepts a boot that is refused for a damaged file by its name, and rejects any other refusal") {
  for (const std::string_view damaged : {"member/identity", "member/other", ""}) {
    CAPTURE(damaged);
    Rig rig;
    rig.machine.kill();
    rig.machine.files().set_contents("member/identity", "nonsense");
    rig.machine.boot(damaged);
    CHECK(rig.machine.is_down());
    CHECK(rig.verdict().starts_with("a boot was refused") == (damaged != "member/identity"));
  }
}

struct Tick final : port::Task {
  void run() override {}
};

TEST_CASE("O11 rejects a member that goes on although its disk has failed, or that tries again") {
  for (const bool is_tried_again : {false, true}) {
    Rig rig;
    {
      // Another hand's failure, so that the member cannot know of it.
      auto file = std::move(rig.machine.files().open("member/other", port::OpenMode::create)).value();
      rig.machine.files().break_at(0, DiskFault::sync_error);
      CHECK_FALSE(file->sync().ok());
      if (is_tried_again) CHECK(file->sync().ok());
    }
    rig.machine.settle();
    CHECK(rig.verdict() == (is_tried_again ? "what failed on the disk is tried again" : ""));
    Tick tick;
    rig.world.after(Duration::seconds(1), tick);
    rig.step(1000);
    CHECK(rig.verdict() == (is_tried_again ? "what failed on the disk is tried again"
                                           : "the member goes on, though its disk has failed"));
  }
}

}  // namespace
}  // namespace metastore::sim
