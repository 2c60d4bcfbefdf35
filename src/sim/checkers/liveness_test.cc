// O8 and O9 are fed runs that they must accept, and broken ones that they must reject; and whoever may stay broken is
// never one too many.
#include "sim/checkers/liveness.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/checkers/atlas.h"
#include "sim/quorum.h"

namespace metastore::sim {
namespace {

constexpr Duration bound = Duration::seconds(10);
constexpr Served all = {
    .is_written = true, .is_read = true, .have_leases_ended = true, .have_watchers_been_told = true};

Instant at(std::int64_t second) { return Instant::from_nanoseconds(second * 1'000'000'000); }

std::string said(const std::optional<Violation>& violation) {
  if (!violation) return "";
  CHECK(violation->oracle == "O8");
  return violation->message;
}

TEST_CASE("O8 rejects a run in which nothing is left to happen, one that never ends, and one that spins") {
  LivenessChecker checker;
  CHECK(said(checker.on_event(at(1), true)).empty());
  CHECK(said(checker.on_event(at(1), false)) == "nothing is left to happen, but requests wait");
  CHECK(said(checker.on_event(at(8 * 24 * 3600), true)) == "the workload does not end");
  for (int i = 0; i < 1'000'000; ++i) REQUIRE(said(checker.on_event(at(9), true)).empty());
  CHECK(said(checker.on_event(at(10), true)).empty());
  bool has_spun = false;
  for (int i = 0; i < 3'000'000 && !has_spun; ++i) {
    has_spun = said(checker.on_event(at(10), true)) == "it spins and time stands still";
  }
  CHECK(has_spun);
}

TEST_CASE("O8 names what is owed first, once the bound has passed without an answer") {
  for (const bool is_rest_broken : {false, true}) {
    LivenessChecker checker;
    checker.on_faults_ended(at(100), bound, is_rest_broken);
    const auto owed = [&](Served served) { return said(checker.on_served(at(111), served)); };
    const std::string begin = is_rest_broken ? "a quorum is whole again, but " : "the faults have ended, but ";
    Served served = all;
    CHECK(said(checker.on_served(at(110), Served())).empty());
    CHECK(owed(served) == begin + "a member stays behind");
    served.have_watchers_been_told = false;
    CHECK(owed(served) == begin + "a watcher is not told everything");
    served.have_leases_ended = false;
    CHECK(owed(served) == begin + "a lease does not");
    served.is_read = false;
    CHECK(owed(served) == begin + "the newest revision cannot be read");
    served.is_written = false;
    CHECK(owed(served) == begin + "no write commits");
  }
}

TEST_CASE("O8 prolongs its bound by each answer, and begins anew when the rest is whole") {
  LivenessChecker checker;
  checker.on_faults_ended(at(100), bound, true);
  CHECK(said(checker.on_served(at(109), {.answers = 1})).empty());
  CHECK(said(checker.on_served(at(119), {.answers = 1})).empty());
  CHECK_FALSE(said(checker.on_served(at(120), {.answers = 1})).empty());
  CHECK_FALSE(checker.recovery());
  checker.on_answer(at(107));
  checker.on_answer(at(117));
  CHECK(checker.recovery() == Duration::seconds(7));
  checker.on_faults_ended(at(200), bound, false);
  CHECK(said(checker.on_served(at(210), all)).empty());
  CHECK_FALSE(said(checker.on_served(at(211), all)).empty());
  CHECK(checker.recovery() == Duration::seconds(7));
}

constexpr MemberId one = MemberId(1), two = MemberId(2), three = MemberId(3);

/// Entries 1 to 3 of term 1, durable as far as that.
void write(Atlas& atlas, MemberId member, std::uint64_t durable) {
  for (std::uint64_t index = 1; index <= 3; ++index) {
    atlas.on_entry(member, LogWriteId(index), LogIndex(index), Term(1));
  }
  atlas.on_written(member, LogWriteId(durable));
}

TEST_CASE("O9 knows whether anybody who runs has on disk what was committed") {
  const std::vector<std::vector<MemberId>> voters = {{one, two, three}};
  Atlas atlas;
  CHECK(atlas.verdict({one, two}, voters) == "recoverable: nothing was committed yet");
  write(atlas, one, 3);
  write(atlas, two, 3);
  write(atlas, three, 2);
  atlas.on_committed(one, LogIndex(3));
  CHECK(atlas.verdict({two, three}, voters) ==
        "recoverable: entry 3 of term 1 is the last that is committed, and durable at 2 (log 0 to 3)");
  CHECK(atlas.verdict({two}, voters) == "not recoverable: 1 of 3 voters are there");
  CHECK(
      atlas.verdict({one, two, three}, {{one, two, three}, {one, two, three, MemberId(4), MemberId(5), MemberId(6)}}) ==
      "not recoverable: 3 of 6 voters are there");
  // An entry of another term in its place is another entry, until that is found to be gone.
  atlas.on_entry(two, LogWriteId(4), LogIndex(3), Term(2));
  CHECK(atlas.verdict({two, three}, voters) ==
        "not recoverable: entry 3 of term 1 is committed, and on no disk for certain");
  atlas.on_written(two, LogWriteId(4));
  CHECK(atlas.verdict({two, three}, voters).starts_with("not recoverable: entry 3 of term 1"));
  CHECK(atlas.verdict({one, three}, voters).starts_with("recoverable: "));
}

TEST_CASE("O9 counts nothing that a crash may have taken, until it is found") {
  const std::vector<std::vector<MemberId>> voters = {{one}};
  Atlas atlas;
  write(atlas, one, 2);
  atlas.on_committed(one, LogIndex(3));
  atlas.on_crash(one);
  CHECK(atlas.verdict({one}, voters).starts_with("not recoverable: entry 3 of term 1"));
  atlas.on_boot(one, LogIndex(), Term());
  for (std::uint64_t index = 1; index <= 3; ++index) atlas.on_found(one, LogIndex(index), Term(1));
  CHECK(atlas.verdict({one}, voters).starts_with("recoverable: entry 3 of term 1"));
  // A checkpoint, or an image, stands for all before it.
  atlas.on_mark(two, LogWriteId(1), LogIndex(5), Term(1));
  CHECK(atlas.verdict({two}, {{two}}).starts_with("not recoverable: "));
  atlas.on_written(two, LogWriteId(1));
  CHECK(atlas.verdict({two}, {{two}}).ends_with("durable at 2 (log 5 to 5)"));
}

TEST_CASE("whoever may stay broken leaves a majority by every configuration, and is drawn") {
  Prng prng(1, "quorum");
  const std::vector<std::optional<MemberId>> members = {one, std::nullopt, two, three, MemberId(4), MemberId(5)};
  const std::vector<MemberId> former = {one, two, three};
  const std::vector<MemberId> latter = {one, two, three, MemberId(4)};
  std::vector<bool> was_spared(members.size());
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    const std::vector<std::size_t> dispensable = draw_dispensable(members, {former, latter}, prng);
    std::size_t former_left = former.size(), latter_left = latter.size();
    for (const std::size_t place : dispensable) {
      CHECK(place != 1);
      was_spared[place] = true;
      if (place <= 3) --former_left;
      if (place <= 4) --latter_left;
    }
    CHECK(former_left >= 2);
    CHECK(latter_left >= 3);
    most = std::max(most, dispensable.size());
  }
  CHECK(most == 2);
  CHECK(was_spared == std::vector<bool>{true, false, true, true, true, true});
}

}  // namespace
}  // namespace metastore::sim
