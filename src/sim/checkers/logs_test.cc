#include "sim/checkers/logs.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sim/checkers/log_outline.h"

namespace metastore::sim {
namespace {

constexpr MemberId one = MemberId(1), two = MemberId(2);

struct Place {
  std::uint64_t index;
  std::uint64_t term;
};

/// Two members, each with entries 1 and 2 of term 1; the first one leads term 3, which begins with entry 3.
class Cluster {
 public:
  Cluster() {
    for (const MemberId member : {one, two}) {
      logs.on_boot(member, LogIndex(), Term());
      for (std::uint64_t index = 1; index <= 2; ++index) logs.on_found(member, LogIndex(index), Term(1));
    }
    CHECK(turn(two, 3, {}, false) == "");
    CHECK(turn(one, 3, {{3, 3}}, true) == "");
  }

  /// What is said of it.
  std::string turn(MemberId member, std::uint64_t term, const std::vector<Place>& places, bool is_leader) {
    std::string said;
    const LogWriteId write = LogWriteId(++writes_);
    for (const Place& place : places) logs.on_entry(member, write, LogIndex(place.index), Term(place.term));
    for (const Place& place : places) {
      const auto violation = checker.on_entry(Instant(), member, Term(term), LogIndex(place.index), Term(place.term));
      if (violation) said += violation->message;
    }
    checker.on_turn(member, Term(term), is_leader);
    return said;
  }

  Atlas logs;
  LogChecker checker{logs};

 private:
  std::uint64_t writes_ = 0;
};

TEST_CASE("O1 accepts that a leader appends, and that others write what it has") {
  Cluster cluster;
  CHECK(cluster.turn(one, 3, {{4, 3}, {5, 3}}, true) == "");
  CHECK(cluster.turn(two, 3, {{2, 1}, {3, 3}}, false) == "");
  CHECK(cluster.turn(two, 3, {{4, 3}}, false) == "");
  CHECK(cluster.checker.judged() == 3);
}

TEST_CASE("O1 names an entry that a member has from the leader of a former term") {
  Cluster cluster;
  CHECK(cluster.turn(two, 3, {{3, 2}}, false) ==
        "entry 3 of term 2 is written in term 3, whose leader does not have it");
}

TEST_CASE("O1 names an entry that a leader has not appended yet") {
  Cluster cluster;
  CHECK(cluster.turn(two, 3, {{3, 3}, {4, 3}}, false) ==
        "entry 4 of term 3 is written in term 3, whose leader does not have it");
}

TEST_CASE("O1 names a leader that writes over its log") {
  Cluster cluster;
  CHECK(cluster.turn(one, 3, {{3, 3}}, true) == "the leader of term 3 writes entry 3 of term 3 over its log");
  CHECK(cluster.turn(one, 3, {{4, 2}}, true) == "the leader of term 3 writes entry 4 of term 2 over its log");
}

TEST_CASE("O1 lets a leader that is one no longer be told otherwise, and knows what it had appended before") {
  Cluster cluster;
  // Within one turn: appended and sent, and then deposed by whoever leads term 4.
  CHECK(cluster.turn(one, 4, {{4, 3}, {3, 4}}, false) == "");
  CHECK(cluster.turn(two, 3, {{3, 3}, {4, 3}}, false) == "");
  CHECK(cluster.turn(one, 4, {{4, 4}}, false) == "");
  cluster.checker.on_crash(two);
  CHECK(cluster.turn(two, 4, {{3, 4}}, false) == "");
}

TEST_CASE("the outline of a log says what it holds where") {
  LogOutline log(LogIndex(4), Term(2));
  for (const Place place : {Place{5, 2}, Place{6, 3}, Place{7, 3}, Place{8, 5}}) {
    log.put(LogIndex(place.index), Term(place.term));
  }
  CHECK_FALSE(log.term_at(LogIndex(3)));
  CHECK(log.term_at(LogIndex(4)) == Term(2));
  CHECK(log.term_at(LogIndex(5)) == Term(2));
  CHECK(log.term_at(LogIndex(7)) == Term(3));
  CHECK(log.term_at(LogIndex(8)) == Term(5));
  CHECK_FALSE(log.term_at(LogIndex(9)));
  log.put(LogIndex(7), Term(4));
  CHECK(log.last() == LogIndex(7));
  CHECK(log.term_at(LogIndex(6)) == Term(3));
  CHECK(log.term_at(LogIndex(7)) == Term(4));
  log.cut_behind(LogIndex(6));
  CHECK(log.last() == LogIndex(6));
  // Known there, with this term: the rest stays.
  log.begin_at(LogIndex(5), Term(2));
  CHECK(log.base() == LogIndex(5));
  CHECK_FALSE(log.term_at(LogIndex(4)));
  CHECK(log.term_at(LogIndex(6)) == Term(3));
  log.cut_behind(LogIndex(1));
  CHECK(log.last() == LogIndex(5));
  log.begin_at(LogIndex(9), Term(6));
  CHECK(log.base() == LogIndex(9));
  CHECK(log.last() == LogIndex(9));
  CHECK(log.term_at(LogIndex(9)) == Term(6));
}

}  // namespace
}  // namespace metastore::sim
