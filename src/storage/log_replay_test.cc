// The folding of a log's records into what Raft starts from: marks, what a checkpoint stands for, what Raft never
// writes.
#include "storage/log_replay.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace metastore::storage {
namespace {

raft::Entry entry(std::uint64_t term, std::uint64_t index, std::string_view data) {
  return {Term(term), LogIndex(index), raft::EntryType::normal, Bytes::copy_of(data)};
}

raft::HardState state_of(std::uint64_t term, std::uint64_t vote, std::uint64_t commit) {
  return {Term(term), MemberId(vote), LogIndex(commit)};
}

}  // namespace

TEST_CASE("a mark drops what the log holds before it, or all if the log does not hold it at that term") {
  const auto replayed = [](const raft::Mark& mark) {
    LogReplay replay(LogIndex(0), {}, false, {});
    for (std::uint64_t i = 1; i <= 5; ++i) CHECK_FALSE(replay.take(Record(entry(1, i, "put"))));
    CHECK_FALSE(replay.take(Record(state_of(1, 11, 2))));
    CHECK_FALSE(replay.take(Record(mark)));
    return replay.release();
  };
  const raft::ConfState members{{MemberId(11)}, {}, {}, {}, false};
  const raft::Recovered held = replayed({LogIndex(3), Term(1), members});
  CHECK(held.compacted == raft::Mark{LogIndex(3), Term(1), members});
  CHECK(held.entries == std::vector<raft::Entry>{entry(1, 4, "put"), entry(1, 5, "put")});
  CHECK(replayed({LogIndex(3), Term(2), members}).entries.empty());
  CHECK(replayed({LogIndex(9), Term(1), members}).entries.empty());
}

TEST_CASE("of what a checkpoint holds, a replay keeps what limits say and knows who ruled before it") {
  const raft::ConfState members{{MemberId(11)}, {}, {}, {}, false};
  Limits limits;
  limits.log_entries_kept = 10;
  const auto replayed = [&](std::uint64_t checkpoint, std::uint64_t change, std::uint64_t first) {
    LogReplay replay(LogIndex(first), {LogIndex(checkpoint), Term(1), members}, false, limits);
    for (std::uint64_t i = std::max<std::uint64_t>(first, 1); i <= 100; ++i) {
      raft::Entry added = entry(1, i, "put");
      if (i == change) added.type = raft::EntryType::conf_change;
      CHECK_FALSE(replay.take(Record(added)));
      if (i == 95) CHECK_FALSE(replay.take(Record(raft::Mark{LogIndex(50), Term(1), {}})));
      CHECK_FALSE(replay.take(Record(state_of(1, 11, i - 1))));
    }
    CHECK_FALSE(replay.finish());
    return replay.release();
  };
  const auto check = [&](const raft::Recovered& log, std::uint64_t compacted) {
    CHECK(log.compacted == raft::Mark{LogIndex(compacted), Term(1), members});
    CHECK(log.entries.front().index == LogIndex(compacted + 1));
    CHECK(log.entries.back().index == LogIndex(100));
  };
  check(replayed(99, 0, 0), 90);
  check(replayed(90, 0, 0), 90);
  check(replayed(70, 0, 0), 70);
  check(replayed(99, 95, 0), 95);
  check(replayed(93, 95, 0), 90);
  check(replayed(99, 0, 30), 90);
  CHECK(replayed(0, 0, 0).compacted == raft::Mark{LogIndex(50), Term(1), {}});
}

TEST_CASE("entries that replace some of segments that were not read are taken") {
  LogReplay replay(LogIndex(42), {LogIndex(43), Term(3), {}}, true, {});
  CHECK_FALSE(replay.take(Record(state_of(2, 11, 39))));
  CHECK_FALSE(replay.take(Record(entry(3, 40, "instead"))));
  CHECK_FALSE(replay.take(Record(entry(3, 41, "put"))));
  CHECK_FALSE(replay.take(Record(entry(3, 42, "put"))));
  CHECK_FALSE(replay.take(Record(entry(3, 43, "put"))));
  CHECK_FALSE(replay.take(Record(state_of(3, 11, 43))));
  CHECK_FALSE(replay.finish());
  const raft::Recovered log = replay.release();
  CHECK(log.compacted == raft::Mark{LogIndex(40), Term(3), {}});
  CHECK(log.entries.size() == 3);
}

TEST_CASE("a log whose first segments are gone needs a mark") {
  LogReplay replay(LogIndex(42), {}, false, {});
  CHECK_FALSE(replay.take(Record(state_of(2, 11, 40))));
  CHECK_FALSE(replay.take(Record(raft::Mark{LogIndex(40), Term(2), {}})));
  CHECK_FALSE(replay.take(Record(entry(2, 42, "put"))));
  CHECK(replay.finish().has_value());
  CHECK_FALSE(replay.take(Record(raft::Mark{LogIndex(42), Term(2), {}})));
  CHECK_FALSE(replay.take(Record(entry(2, 43, "put"))));
  CHECK_FALSE(replay.finish().has_value());
  CHECK(replay.release().entries == std::vector<raft::Entry>{entry(2, 43, "put")});
}

TEST_CASE("what Raft never writes is refused though its checksum is right") {
  const auto refused = [](const Record& record) {
    LogReplay replay(LogIndex(0), {}, false, {});
    CHECK_FALSE(replay.take(Record(entry(1, 1, "a"))));
    CHECK_FALSE(replay.take(Record(entry(2, 2, "b"))));
    CHECK_FALSE(replay.take(Record(entry(2, 3, "c"))));
    CHECK_FALSE(replay.take(Record(state_of(2, 11, 2))));
    return replay.take(record).has_value();
  };
  CHECK(refused(entry(2, 5, "gap")));
  CHECK(refused(entry(2, 2, "committed")));
  CHECK(refused(entry(2, 3, "the same again")));
  CHECK(refused(entry(1, 4, "an older term")));
  CHECK(refused(entry(0, 4, "no term")));
  CHECK(refused(raft::Entry{Term(2), LogIndex(4), raft::EntryType::conf_change, {}}));
  CHECK(refused(state_of(1, 11, 2)));
  CHECK(refused(state_of(2, 12, 2)));
  CHECK(refused(state_of(2, 11, 1)));
  CHECK(refused(state_of(2, 11, 4)));
  CHECK_FALSE(refused(entry(3, 3, "another leader's")));
  CHECK_FALSE(refused(state_of(3, 12, 3)));
}

}  // namespace metastore::storage
