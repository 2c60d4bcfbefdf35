#include "core/raft/log.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace metastore::raft {
namespace {

Entry entry(std::uint64_t index, std::uint64_t term, std::size_t size = 0) {
  return {Term(term), LogIndex(index), EntryType::normal, Bytes::copy_of(std::string(size, 'x'))};
}

std::vector<Entry> of_terms(const std::vector<std::uint64_t>& terms) {
  std::vector<Entry> entries;
  for (const std::uint64_t term : terms) entries.push_back(entry(entries.size() + 1, term));
  return entries;
}

TEST_CASE("a write proves only what has not been replaced since") {
  Log log(LogIndex(), Term(), of_terms({1, 1}));
  log.append(entry(3, 1));
  log.append(entry(4, 1));
  CHECK(log.take_unwritten(LogWriteId(1)).size() == 2);
  CHECK_FALSE(log.has_unwritten());
  CHECK(log.write_of(LogIndex(2), LogWriteId(2)) == LogWriteId());
  CHECK(log.write_of(LogIndex(4), LogWriteId(2)) == LogWriteId(1));

  log.truncate_from(LogIndex(4));
  log.append(entry(4, 2));
  CHECK(log.has_unwritten());
  CHECK(log.write_of(LogIndex(4), LogWriteId(2)) == LogWriteId(2));
  CHECK(log.take_unwritten(LogWriteId(2)) == std::vector<Entry>{entry(4, 2)});
  log.check_invariants();

  log.on_written(LogWriteId(1));
  CHECK(log.persisted() == LogIndex(3));
  log.on_written(LogWriteId(2));
  CHECK(log.persisted() == LogIndex(4));
  log.check_invariants();
}

TEST_CASE("replacing what was durable takes it back") {
  Log log(LogIndex(), Term(), of_terms({1, 1, 1}));
  CHECK(log.persisted() == LogIndex(3));
  log.truncate_from(LogIndex(2));
  log.append(entry(2, 2));
  CHECK(log.persisted() == LogIndex(1));
  log.check_invariants();
}

TEST_CASE("applied entries leave memory past a count or past a size, unpersisted ones never") {
  Limits limits;
  limits.log_entries_kept = 2;
  Log log(LogIndex(), Term(), of_terms({1, 1, 2, 2}));
  log.append(entry(5, 3));
  log.append(entry(6, 3));
  log.on_applied(LogIndex(3), LogIndex(3), LogIndex(1000), limits);
  CHECK(log.compacted() == LogIndex(1));
  CHECK(log.term_at(LogIndex(1)) == Term(1));
  log.on_applied(LogIndex(6), LogIndex(6), LogIndex(1000), limits);
  CHECK(log.compacted() == LogIndex(4));
  limits.log_entries_kept = 0;
  log.on_applied(LogIndex(6), LogIndex(6), LogIndex(1000), limits);
  CHECK(log.compacted() == LogIndex(4));
  CHECK(log.last_index() == LogIndex(6));
  CHECK(log.take_unwritten(LogWriteId(1)).size() == 2);
  log.on_written(LogWriteId(1));
  log.on_applied(LogIndex(6), LogIndex(6), LogIndex(1000), limits);
  CHECK(log.compacted() == LogIndex(6));
  CHECK(log.last_term() == Term(3));
  log.check_invariants();

  limits.log_entries_kept = 100;
  limits.log_bytes_max = 2000;
  for (std::uint64_t index = 7; index <= 12; ++index) log.append(entry(index, 3, 900));
  log.take_unwritten(LogWriteId(2));
  log.on_written(LogWriteId(2));
  log.on_applied(LogIndex(12), LogIndex(12), LogIndex(1000), limits);
  CHECK(log.compacted() == LogIndex(10));
  log.check_invariants();
}

TEST_CASE("entries that a snapshot stream will need stay in memory, up to a size of their own") {
  Limits limits;
  limits.log_entries_kept = 0;
  limits.log_held_bytes_max = 3 * size_bytes(entry(1, 1));
  Log log(LogIndex(), Term(), of_terms({1, 1, 1, 1, 1}));
  log.on_applied(LogIndex(5), LogIndex(5), LogIndex(3), limits);
  CHECK(log.compacted() == LogIndex(3));
  for (std::uint64_t index = 6; index <= 8; ++index) log.append(entry(index, 1));
  log.take_unwritten(LogWriteId(1));
  log.on_written(LogWriteId(1));
  log.on_applied(LogIndex(8), LogIndex(8), LogIndex(3), limits);
  CHECK(log.compacted() == LogIndex(5));
  log.check_invariants();
}

TEST_CASE("what follows an index is near its end by count and by size") {
  Limits limits;
  limits.log_entries_kept = 8;
  Log log(LogIndex(), Term(), of_terms({1, 1, 1, 1, 1, 1}));
  CHECK(log.is_kept_after(LogIndex(2), limits));
  CHECK_FALSE(log.is_kept_after(LogIndex(1), limits));
  limits.log_bytes_max = 4 * size_bytes(entry(1, 1));
  CHECK(log.is_kept_after(LogIndex(4), limits));
  CHECK_FALSE(log.is_kept_after(LogIndex(3), limits));
  limits.log_bytes_max = 1;
  CHECK(log.is_kept_after(LogIndex(6), limits));
  CHECK_FALSE(log.is_kept_after(LogIndex(5), limits));
  limits.log_entries_kept = 0;
  log.on_applied(LogIndex(6), LogIndex(6), LogIndex(6), limits);
  CHECK_FALSE(log.is_kept_after(LogIndex(5), limits));
}

TEST_CASE("a mark stands for all before it, and nothing that was written or under way remains") {
  Log log(LogIndex(), Term(), of_terms({1, 1}));
  log.append(entry(3, 1));
  log.take_unwritten(LogWriteId(1));
  log.append(entry(4, 1));
  log.restart_at(LogIndex(4), Term(2));
  CHECK(log.last_index() == LogIndex(4));
  CHECK(log.last_term() == Term(2));
  CHECK_FALSE(log.has_unwritten());
  log.on_written(LogWriteId(1));
  log.append(entry(5, 2));
  CHECK(log.persisted() == LogIndex(4));
  CHECK(log.take_unwritten(LogWriteId(3)).size() == 1);
  log.on_written(LogWriteId(3));
  CHECK(log.persisted() == LogIndex(5));
  log.check_invariants();
}

TEST_CASE("the newest entry that can agree is found by its term") {
  const Log log(LogIndex(), Term(), of_terms({1, 1, 2, 2, 4}));
  CHECK(log.newest_not_above(LogIndex(9), Term(9)) == LogIndex(5));
  CHECK(log.newest_not_above(LogIndex(5), Term(3)) == LogIndex(4));
  CHECK(log.newest_not_above(LogIndex(3), Term(3)) == LogIndex(3));
  CHECK(log.newest_not_above(LogIndex(5), Term(1)) == LogIndex(2));
  CHECK(log.newest_not_above(LogIndex(5), Term(0)) == LogIndex(0));
  CHECK(log.matches(LogIndex(0), Term(0)));
  CHECK_FALSE(log.matches(LogIndex(6), Term(4)));
  CHECK_FALSE(log.matches(LogIndex(5), Term(2)));
}

TEST_CASE("a slice has at least one entry and otherwise keeps to its bytes") {
  Log log(LogIndex(), Term(), {});
  for (std::uint64_t index = 1; index <= 4; ++index) log.append(entry(index, 1, 100));
  CHECK(log.slice(LogIndex(1), 1).size() == 1);
  CHECK(log.slice(LogIndex(1), 2 * size_bytes(log.entry(LogIndex(1)))).size() == 2);
  CHECK(log.slice(LogIndex(3), 1'000'000).size() == 2);
  CHECK(log.slice(LogIndex(5), 1'000'000).empty());
}

}  // namespace
}  // namespace metastore::raft
