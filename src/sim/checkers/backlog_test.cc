// Tests of the tester: the oracle of what piles up is fed what it must accept, and each excess that it must see.
#include "sim/checkers/backlog.h"

#include <doctest/doctest.h>

namespace metastore::sim {
namespace {

Instant at(std::int64_t seconds) { return Instant() + Duration::seconds(seconds); }

TEST_CASE("O10 rejects a log of which more stays in memory than it may, once a checkpoint and the disk hold it") {
  const auto judged = [](std::uint64_t checkpointed, std::uint64_t compacted, std::uint64_t persisted, bool is_held) {
    Limits limits;
    limits.log_entries_kept = 5;
    BacklogChecker checker(limits);
    checker.on_checkpoint(LogIndex(checkpointed));
    return checker.on_turn(at(1), LogIndex(20), LogIndex(compacted), LogIndex(persisted), is_held).has_value();
  };
  CHECK(judged(20, 14, 20, false));
  CHECK_FALSE(judged(20, 15, 20, false));
  CHECK_FALSE(judged(20, 14, 20, true));
  CHECK_FALSE(judged(14, 14, 20, false));
  CHECK_FALSE(judged(20, 14, 14, false));
}

TEST_CASE("O10 names more proposals than may wait, and more bytes than may wait for a peer") {
  Limits limits;
  limits.proposals_pending_max = 3;
  limits.peer_bulk_bytes_max = 100;
  limits.peer_urgent_bytes_max = 10;
  BacklogChecker checker(limits);
  CHECK_FALSE(checker.on_proposals(at(1), 4));
  CHECK(checker.on_proposals(at(1), 5)->message == "5 proposals wait, the limit allows 3");
  CHECK_FALSE(checker.on_queue(at(1), false, 2, 10));
  CHECK_FALSE(checker.on_queue(at(1), true, 2, 100));
  CHECK_FALSE(checker.on_queue(at(1), false, 1, 1'000));
  CHECK(checker.on_queue(at(1), false, 2, 11)->message == "11 bytes wait for a peer, the limit allows 10");
  CHECK(checker.on_queue(at(1), true, 2, 101)->oracle == "O10");
}

TEST_CASE("O10 names a file of the log that stays though a durable mark stands for it") {
  Limits limits;
  limits.wal_files_kept = 2;
  BacklogChecker checker(limits);
  checker.on_log_write(LogWriteId(1), LogIndex(10));
  const LogFiles three = {.count = 3, .oldest = 7, .second_first = LogIndex(10)};
  // The mark is not durable.
  CHECK_FALSE(checker.on_files(at(1), three));
  CHECK_FALSE(checker.on_files(at(2), three));
  for (int write = 1; write < 8; ++write) CHECK_FALSE(checker.on_log_written(LogWriteId(1)));
  CHECK(checker.on_log_written(LogWriteId(1)));
  CHECK_FALSE(checker.on_files(at(3), {.count = 2, .oldest = 7, .second_first = LogIndex(10)}));
  CHECK_FALSE(checker.on_files(at(3), {.count = 3, .oldest = 7, .second_first = LogIndex(11)}));
  CHECK_FALSE(checker.on_files(at(4), three));
  CHECK_FALSE(checker.on_files(at(5), {.count = 3, .oldest = 8, .second_first = LogIndex(10)}));
  CHECK_FALSE(checker.on_files(at(6), three));
  CHECK(checker.on_files(at(7), three)->message ==
        "3 files of the log stay, the limit allows 2, and a mark stands for all entries up to 10");
  CHECK(checker.counts().files == 4);
  limits.wal_files_kept = 0;
  BacklogChecker keeps_all(limits);
  for (int write = 0; write < 20; ++write) CHECK_FALSE(keeps_all.on_log_written(LogWriteId(1)));
}

}  // namespace
}  // namespace metastore::sim
