#include "sim/checkers/leaderless.h"

#include <doctest/doctest.h>

namespace metastore::sim {
namespace {

constexpr RequestId id = RequestId(7);

Instant at(std::int64_t seconds) { return Instant() + Duration::seconds(seconds); }

/// Its election timeout is a second.
struct Member {
  Member() { checker.on_boot(Duration::seconds(1)); }

  /// Whether a turn is right that ends nothing.
  bool passes(std::int64_t seconds, bool has_leader, Instant wake_at = Instant()) {
    checker.on_turn(at(seconds), has_leader);
    return !checker.on_turn_over(at(seconds), wake_at);
  }
  /// Whether one is that ends the stream.
  bool ends(std::int64_t seconds, bool has_leader, bool is_for_want_of_leader = true) {
    checker.on_turn(at(seconds), has_leader);
    return !checker.on_ended(at(seconds), id, is_for_want_of_leader) && !checker.on_turn_over(at(seconds), Instant());
  }

  LeaderlessChecker checker;
};

TEST_CASE("a stream that requires a leader ends three election timeouts behind the last one, and not before") {
  for (const std::int64_t seconds : {4, 5, 6}) {
    Member member;
    member.checker.on_opened(id, true, true);
    CHECK(member.passes(1, true));
    CHECK(member.passes(2, false));
    CHECK(member.ends(seconds, false) == (seconds >= 5));
    CHECK(member.checker.ended() == (seconds >= 5 ? 1 : 0));
  }
  Member member;
  member.checker.on_opened(id, true, true);
  CHECK(member.passes(2, false));
  CHECK(member.passes(4, false));
  CHECK_FALSE(member.passes(5, false));
}

TEST_CASE("the time without a leader is counted anew behind each") {
  Member member;
  member.checker.on_opened(id, true, true);
  CHECK(member.passes(2, false));
  // A paused process may hear of one as late as that.
  CHECK(member.passes(6, true));
  CHECK(member.passes(7, false));
  CHECK(member.passes(9, false));
  CHECK_FALSE(member.ends(9, false));
}

TEST_CASE("the member wants to be woken in time") {
  Member member;
  CHECK(member.passes(2, false, Instant::never()));
  member.checker.on_opened(id, true, true);
  CHECK(member.passes(3, false, at(5)));
  CHECK_FALSE(member.passes(3, false, at(6)));
  CHECK(member.passes(3, true, at(6)));
}

TEST_CASE("a stream that requires a leader where none is known is refused at once, for that reason or another") {
  for (const bool has_leader : {false, true}) {
    // Somebody may begin to lead in that same turn.
    Member member;
    member.checker.on_opened(id, true, false);
    CHECK_FALSE(member.passes(1, has_leader));
    CHECK(member.ends(1, has_leader));
    CHECK(member.checker.refused() == 1);
    CHECK(member.checker.ended() == 0);
  }
  Member learner;
  learner.checker.on_opened(id, true, false);
  CHECK(learner.ends(1, false, false));
  CHECK(learner.checker.refused() == 0);
}

TEST_CASE("a stream that requires none outlives every leader, and may end for other reasons") {
  Member member;
  member.checker.on_opened(id, false, false);
  CHECK(member.passes(1, false, Instant::never()));
  CHECK(member.passes(9, false, Instant::never()));
  CHECK(member.ends(9, false, false));
  member.checker.on_opened(id, false, true);
  CHECK_FALSE(member.ends(10, false));
}

TEST_CASE("a stream that was closed, or belongs to a former life, ends no more") {
  Member member;
  member.checker.on_opened(id, true, true);
  CHECK(member.passes(1, false));
  member.checker.on_closed(id);
  CHECK(member.passes(9, false, Instant::never()));
  member.checker.on_opened(id, true, false);
  member.checker.on_closed(id);
  CHECK(member.passes(9, false, Instant::never()));
  member.checker.on_opened(id, true, true);
  member.checker.on_boot(Duration::seconds(2));
  CHECK(member.passes(10, false, Instant::never()));
  member.checker.on_opened(id, true, true);
  CHECK_FALSE(member.ends(15, false));
}

}  // namespace
}  // namespace metastore::sim
