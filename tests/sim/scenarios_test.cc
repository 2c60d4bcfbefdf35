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

std::vector<Deed> deeds_of(const std::vector<std::string>& lines) {
  std::vector<Deed> deeds;
  for (const std::string& line : lines) {
    std::string reason;
    const auto kind = parse_deed(split_words(line), reason);
    REQUIRE_MESSAGE(kind, line << ": " << reason);
    deeds.push_back({Instant() + Duration::seconds(static_cast<std::int64_t>(deeds.size())), *kind});
  }
  return deeds;
}

/// A run fails for it if it reads the revision of its last put.
struct RevisionJudge : Judge {
  std::optional<std::size_t> first_failing(const std::vector<ShrinkableRun>& runs) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      std::int64_t revision = 1;
      for (const Deed& deed : runs[i].deeds) {
        const Request& request = std::get<Ask>(deed.kind).request;
        if (std::holds_alternative<Put>(request)) ++revision;
        const auto* get = std::get_if<Get>(&request);
        if (get != nullptr && revision > 1 && get->revision == revision) return i;
      }
    }
    return std::nullopt;
  }
};

TEST_CASE("the revisions that a run names fall with the writes that are taken away before them") {
  std::vector<std::string> lines;
  for (int i = 0; i < 40; ++i) lines.push_back("put k" + std::to_string(i) + " client=1");
  lines.push_back("range k1 revision=41 client=1");
  const ShrinkableRun run{.settings = {}, .deeds = deeds_of(lines), .seed = 1};
  RevisionJudge judge;
  REQUIRE(judge.first_failing({run}));
  const ShrinkableRun small = Shrinker(run, judge).shrink();
  REQUIRE(small.deeds.size() == 2);
  CHECK(std::get<Get>(std::get<Ask>(small.deeds[1].kind).request).revision == 2);
}

TEST_CASE("a run on fewer members keeps what can happen there") {
  const ShrinkableRun run{.settings = {"keys=3", "members=5", "newcomers=1"},
                          .deeds = deeds_of({"boot member=5", "cut 1>3 4>5", "cut 4>5", "add_member target=6 member=1",
                                             "put k client=1 member=4"}),
                          .seed = 1};
  const auto fewer = with_members(run, 3);
  REQUIRE(fewer);
  CHECK(fewer->plan()->machines() == 3);
  std::string lines;
  for (const Deed& deed : fewer->deeds) lines += deed_text(deed.kind) + "\n";
  CHECK(lines.find("boot member=2\ncut 1>3\nput k ") == 0);
  CHECK(lines.find(" member=1 ") != lines.npos);
  CHECK_FALSE(with_members(*fewer, 3));
}

TEST_CASE("a transaction is replaced by what one branch of it does") {
  const auto unfold = [](const std::string& line, bool is_success) {
    const auto request = unfolded(std::get<Ask>(deeds_of({line})[0].kind).request, is_success);
    return request ? describe(*request) : "";
  };
  const auto described = [](const std::string& line) {
    return describe(std::get<Ask>(deeds_of({line})[0].kind).request);
  };
  const std::string txn = "txn if mod k = 7 then { put k value=1 } else { range k } else { delete k } client=1";
  CHECK(unfold(txn, true) == described("put k value=1 client=1"));
  CHECK(unfold(txn, false) == described("txn then { range k } then { delete k } client=1"));
  CHECK(unfold("txn then { range k } then { delete k } client=1", true) == "");
}

TEST_CASE("nobody compacts what the surveyor may have to look at") {
  Story story;
  REQUIRE(story.execute({"cluster"}, "") == "ok\n");
  REQUIRE(story.execute({"boot"}, "") == "ok\n");
  CHECK(story.execute({"compact", "2"}, "") == "it was not asked\n");
  CHECK(story.execute({"compact", "1000000000"}, "") ==
        "refused: etcdserver: mvcc: required revision is a future revision\n");
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
