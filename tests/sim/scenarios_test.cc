// Tells every story of scenarios/: whole members, clients and their disasters, in the grammar of all scripts. And what
// is told can be written down: a drawn run, printed and read again, is the same run.
#include <doctest/doctest.h>

#include "sim/scenario.h"
#include "sim/shrink.h"
#include "sim/words.h"
#include "tests/script/script.h"

namespace metastore::sim {
namespace {

TEST_CASE("the scenarios go as they are told, and end in peace") {
  for (const std::string& path : script::files(METASTORE_SCENARIOS)) {
    CAPTURE(path);
    Story story;
    script::run(path, [&story](const script::Command& command) {
      std::vector<std::string> words = command.words;
      words.insert(words.begin(), command.verb);
      return story.execute(words, command.input);
    });
    CHECK_MESSAGE(story.has_converged(), path << ": a scenario ends with `converge`");
  }
}

struct Listener final : port::Task {
  void run() override {
    for (Deed& deed : simulation->take_deeds()) deeds.push_back(std::move(deed));
  }
  Simulation* simulation = nullptr;
  std::vector<Deed> deeds;
};

TEST_CASE("a drawn run that was written down and read again is the same run, to the last bit") {
  std::size_t deeds = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const Plan plan = draw_plan(seed, seed % 3 == 0 ? 3 : 1);
    Listener listener;
    Simulation drawn(plan, false, &listener);
    listener.simulation = &drawn;
    const Report report = drawn.run();

    std::string wrong;
    const auto run = read_written_run(scenario_text("A run.", plan, listener.deeds), wrong);
    REQUIRE_MESSAGE(run, wrong);
    CHECK(describe(run->plan) == describe(plan));
    REQUIRE(run->deeds.size() == listener.deeds.size());
    Simulation told(run->plan);
    told.play(run->deeds);
    told.conclude();
    CHECK(told.run().hash == report.hash);
    CHECK(told.violation().has_value() == report.violation.has_value());
    deeds += run->deeds.size();
  }
  CHECK(deeds > 1'000);
}

/// A run fails for it if it kills a member behind two certain puts, with a tiny segment, and with the noise of an odd
/// seed.
struct Judge {
  std::optional<std::size_t> first_failing(const std::vector<ShrinkableRun>& runs) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      std::string lines;
      for (const Deed& deed : runs[i].deeds) lines += deed_text(deed.kind) + "\n";
      const std::size_t put = lines.find("put k7 ");
      const std::size_t kill = put == lines.npos ? put : lines.find("kill member=1", lines.find("put k33 ", put));
      const auto plan = runs[i].plan();
      if (kill != lines.npos && lines.find("put k33 ") != lines.npos && plan && plan->keys == 3 &&
          plan->seed % 2 == 1) {
        return i;
      }
    }
    return std::nullopt;
  }
  bool is_late() const { return false; }
  void tell(const ShrinkableRun&) { ++steps; }
  int steps = 0;
};

TEST_CASE("a run that fails is made as small as it gets: what it needs stays, in its order") {
  ShrinkableRun run{.settings = {"clients=2", "keys=3", "members=3", "think_max=3s"}, .deeds = {}, .seed = 1};
  for (int i = 0; i < 60; ++i) {
    std::string reason;
    const std::string put = "put k" + std::to_string(i) + " client=" + std::to_string(1 + i % 2);
    run.deeds.push_back({Instant() + Duration::seconds(i), *parse_deed(split_words(put), reason)});
    if (i % 10 == 5) run.deeds.push_back({run.deeds.back().at, Kill{1}});
  }
  Judge judge;
  REQUIRE(judge.first_failing({run}));
  const ShrinkableRun small = Shrinker(run, judge).shrink();
  CHECK(small.events() == 2);
  CHECK(small.faults() == 1);
  CHECK(small.settings == std::vector<std::string>{"keys=3"});
  CHECK(judge.first_failing({small}));
  CHECK(judge.steps > 3);
}

TEST_CASE("what a scenario cannot say is refused with the place") {
  std::string wrong;
  CHECK_FALSE(read_scenario("cluster\nmembers=1\n", wrong));
  CHECK(wrong == "line 1: no ---- after this command");
  Story story;
  CHECK(story.execute({"status"}, "") == "wrong: a story begins with `cluster`\n");
  CHECK(story.execute({"cluster", "sneakers=3"}, "") == "wrong: no such setting: sneakers\n");
  CHECK(story.execute({"cluster", "members=3"}, "") == "ok\n");
  CHECK(story.execute({"kill", "member=4"}, "") == "wrong: nobody is there for it\n");
  CHECK(story.execute({"kill", "member=x"}, "") == "wrong: nobody is there for it\n");
  CHECK(story.execute({"kill", "members=1"}, "") == "wrong: it makes no sense, beginning with members=1\n");
  CHECK(story.execute({"schedule"}, "1s kill\n0s kill\n") == "wrong: 0s kill: it comes before the line above\n");
  CHECK(story.execute({"schedule"}, "1s walk\n") == "wrong: 1s walk: it makes no sense\n");
}

}  // namespace
}  // namespace metastore::sim
