#include "sim/checkers/commits.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace metastore::sim {
namespace {

constexpr MemberId one = MemberId(1), two = MemberId(2), three = MemberId(3);

/// Three founders, whose logs begin with an entry of term 1 for each; and what they write behind them.
class Cluster {
 public:
  Cluster() {
    for (const MemberId member : voters) {
      atlas.on_boot(member, LogIndex(), Term());
      for (std::uint64_t index = 1; index <= 3; ++index) found(member, index, 1);
      CHECK(turn(member, 1, 3, false) == "");
    }
  }

  void found(MemberId member, std::uint64_t index, std::uint64_t term) {
    atlas.on_found(member, LogIndex(index), Term(term));
    terms[member][LogIndex(index)] = Term(term);
  }
  std::string turn(MemberId member, std::uint64_t term, std::uint64_t commit, bool is_leader) {
    std::vector<Term> risen;
    for (; committed[member] < commit; ++committed[member]) {
      risen.push_back(terms[member][LogIndex(committed[member] + 1)]);
    }
    const auto violation = checker.on_turn(Instant(), member, {Term(term), LogIndex(commit), risen, is_leader, voters});
    return violation ? violation->message : "";
  }

  std::vector<MemberId> voters = {one, two, three};
  std::map<MemberId, std::map<LogIndex, Term>> terms;
  std::map<MemberId, std::uint64_t> committed;
  Atlas atlas;
  CommitChecker checker{atlas, 3};
};

TEST_CASE("O1 accepts what a leader commits of its own term at a quorum, and that others follow") {
  Cluster cluster;
  for (const MemberId member : {one, two}) {
    cluster.found(member, 4, 2);
    cluster.found(member, 5, 3);
  }
  CHECK(cluster.turn(one, 3, 3, true) == "");
  CHECK(cluster.turn(one, 3, 5, true) == "");
  CHECK(cluster.turn(two, 3, 4, false) == "");
  CHECK(cluster.turn(two, 3, 5, false) == "");
  CHECK(cluster.checker.by_leaders() == 1);
  // With the beginning, which each has found.
  CHECK(cluster.checker.by_others() == 5);
}

TEST_CASE("O1 names an entry of a former term that is committed by counting") {
  Cluster cluster;
  for (const MemberId member : {one, two}) cluster.found(member, 4, 2);
  cluster.found(one, 5, 3);
  CHECK(cluster.turn(one, 3, 4, true) == "entry 4 of term 2 is committed in term 3 before anything of that term");
}

TEST_CASE("O1 names what is committed before a quorum has it, and by who does not lead") {
  Cluster cluster;
  cluster.found(one, 4, 2);
  CHECK(cluster.turn(one, 2, 4, true) == "entry 4 of term 2 is committed, and not on the disks of a quorum");
  Cluster other;
  for (const MemberId member : {one, two}) other.found(member, 4, 2);
  CHECK(other.turn(two, 2, 4, false) == "entry 4 of term 2 is committed by who does not lead, before any leader");
}

TEST_CASE("O1 names a follower that commits another entry than a leader has") {
  Cluster cluster;
  for (const MemberId member : {one, two}) cluster.found(member, 4, 3);
  cluster.found(three, 4, 2);
  CHECK(cluster.turn(one, 3, 4, true) == "");
  CHECK(cluster.turn(three, 3, 4, false) == "entry 4 of term 2 is committed, where one of term 3 is");
}

TEST_CASE("O1 lets a leader commit its own removal, and by the voters that ruled before") {
  Cluster cluster;
  for (const MemberId member : {one, two}) cluster.found(member, 4, 2);
  CHECK(cluster.turn(one, 2, 3, true) == "");
  cluster.voters = {two, three};
  CHECK(cluster.turn(one, 2, 4, false) == "");
}

TEST_CASE("O1 lets who has nobody to count on commit what it finds") {
  Atlas atlas;
  CommitChecker checker(atlas, 1);
  const std::vector<MemberId> voters = {one};
  atlas.on_boot(one, LogIndex(), Term());
  for (std::uint64_t index = 1; index <= 2; ++index) atlas.on_found(one, LogIndex(index), Term(index));
  CHECK_FALSE(checker.on_turn(Instant(), one, {Term(3), LogIndex(2), {Term(1), Term(2)}, false, voters}));
  CHECK(checker.on_turn(Instant(), one, {Term(3), LogIndex(3), {Term(3)}, false, voters})->message ==
        "entry 3 of term 3 is committed, and not on the disks of a quorum");
}

}  // namespace
}  // namespace metastore::sim
