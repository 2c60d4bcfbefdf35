#include "sim/checkers/changes.h"

#include <doctest/doctest.h>

#include <vector>

namespace metastore::sim {
namespace {

constexpr MemberId self = MemberId(1);
constexpr RequestId id = RequestId(7);

Instant at(std::int64_t seconds) { return Instant() + Duration::seconds(seconds); }

/// Of `started` members that have started and `others` that have not, who are connected up to this one since `at(0)`.
struct Cluster {
  Cluster(std::uint64_t started, std::uint64_t others, std::uint64_t connected) {
    for (std::uint64_t number = 1; number <= started + others; ++number) {
      members.push_back({MemberId(number), false, number <= started});
      if (number > 1 && number <= connected) checker.on_connected(at(0), MemberId(number));
    }
  }

  bool accepts_addition(ChangeAnswer answer, bool is_learner = false, std::int64_t seconds = 5) {
    checker.on_addition(at(seconds), 1, id, is_learner, members);
    return !checker.on_answered(at(seconds), 1, id, answer);
  }
  bool accepts_removal(ChangeAnswer answer, std::uint64_t target) {
    checker.on_removal(at(5), 1, id, MemberId(target), members);
    return !checker.on_answered(at(5), 1, id, answer);
  }

  ChangeChecker checker{self, Duration::seconds(5)};
  std::vector<MemberSeen> members;
};

TEST_CASE("a member may be added while a quorum with it is there, and only then") {
  Cluster four(4, 0, 3);
  CHECK(four.accepts_addition(ChangeAnswer::done));
  CHECK_FALSE(four.accepts_addition(ChangeAnswer::unhealthy));
  CHECK_FALSE(four.accepts_addition(ChangeAnswer::done, false, 4));
  CHECK(four.accepts_addition(ChangeAnswer::unhealthy, true, 4));
  four.checker.on_disconnected(MemberId(2));
  CHECK(four.accepts_addition(ChangeAnswer::unhealthy));
  CHECK_FALSE(four.accepts_addition(ChangeAnswer::done, true));
  CHECK(four.checker.judged() == 6);
}

TEST_CASE("a voter may be added while a quorum with it has started; who is alone may have company") {
  Cluster three(2, 1, 3);
  CHECK(three.accepts_addition(ChangeAnswer::not_enough_started));
  CHECK_FALSE(three.accepts_addition(ChangeAnswer::done));
  CHECK(three.accepts_addition(ChangeAnswer::done, true));
  Cluster one(1, 0, 1);
  CHECK(one.accepts_addition(ChangeAnswer::done, false, 0));
  CHECK_FALSE(one.accepts_addition(ChangeAnswer::unhealthy));
  Cluster unheard(0, 0, 0);
  CHECK(unheard.accepts_addition(ChangeAnswer::not_enough_started));
  CHECK(unheard.accepts_addition(ChangeAnswer::done, true));
}

TEST_CASE("a voter that is there may be removed while the others are a quorum; others may always go") {
  Cluster three(3, 0, 2);
  CHECK(three.accepts_removal(ChangeAnswer::unhealthy, 2));
  CHECK_FALSE(three.accepts_removal(ChangeAnswer::done, 1));
  CHECK(three.accepts_removal(ChangeAnswer::done, 3));
  three.members[1].is_learner = true;
  CHECK(three.accepts_removal(ChangeAnswer::done, 2));
  Cluster waiting(1, 1, 2);
  CHECK(waiting.accepts_removal(ChangeAnswer::not_enough_started, 1));
  CHECK_FALSE(waiting.accepts_removal(ChangeAnswer::unhealthy, 2));
}

TEST_CASE("what a leader refuses later it judges by another table, and other refusals are not looked at") {
  Cluster three(3, 0, 3);
  three.checker.on_addition(at(5), 1, id, false, three.members);
  CHECK_FALSE(three.checker.on_answered(at(6), 2, id, ChangeAnswer::not_enough_started));
  CHECK(three.accepts_addition(ChangeAnswer::otherwise));
  CHECK(three.checker.judged() == 0);
  CHECK_FALSE(three.accepts_addition(ChangeAnswer::not_enough_started));
}

}  // namespace
}  // namespace metastore::sim
