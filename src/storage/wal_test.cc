// The log as a whole, on files in memory: what is written is recovered, damage is judged rightly at every byte.
#include "storage/wal.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/base/prng.h"
#include "core/replica/checkpoints.h"
#include "storage/engine_memory.h"
#include "storage/files_memory.h"
#include "storage/recovery.h"

namespace metastore::storage {
namespace {

const std::string first_segment = "member/wal/0000000000000000-0000000000000000.wal";

raft::Entry entry(std::uint64_t term, std::uint64_t index, std::string_view data) {
  return {Term(term), LogIndex(index), raft::EntryType::normal, Bytes::copy_of(data)};
}

raft::LogWrite write_of(std::uint64_t id, std::vector<raft::Entry> entries, std::optional<raft::HardState> state) {
  return {LogWriteId(id), state, std::move(entries)};
}

raft::HardState state_of(std::uint64_t term, std::uint64_t vote, std::uint64_t commit) {
  return {Term(term), MemberId(vote), LogIndex(commit)};
}

NewMember new_member() {
  NewMember member;
  member.data_id = 0xabcdef;
  member.metadata = {MemberId(11), ClusterId(22)};
  member.first =
      write_of(0, {{Term(1), LogIndex(1), raft::EntryType::conf_change, Bytes::copy_of("add 11")}}, state_of(1, 0, 1));
  return member;
}

/// An engine with a checkpoint of what is applied up to there, or an empty one.
EnginesMemory engines_at(std::uint64_t index, std::uint64_t term = 2) {
  EnginesMemory engines;
  if (index == 0) return engines;
  std::string value;
  Encoder out(value);
  out.u64(index);
  out.u64(term);
  raft::encode(out, raft::ConfState{});
  engines.tables[Table::state][std::string(row_keys::applied)] = value;
  return engines;
}

Recovery recover_in(MemoryFiles& files, const Limits& limits = {}, std::uint64_t applied = 0) {
  EnginesMemory engines = engines_at(applied);
  port::StorageResult<Recovery> recovery = recover(files, engines, limits, new_member());
  if (!recovery) FAIL(recovery.error().message);
  return std::move(recovery).value();
}

std::string refusal_in(MemoryFiles& files, EnginesMemory engines = {}) {
  const port::StorageResult<Recovery> recovery = recover(files, engines, Limits{}, new_member());
  return recovery ? "" : recovery.error().message;
}

/// A log of a few batches, and where each of them ends in its only segment.
struct Written {
  MemoryFiles files;
  std::vector<std::size_t> ends;
  std::vector<raft::Recovered> states;  ///< What is recovered if the log ends there.
  std::string bytes;                    ///< The segment up to its last batch's end.

  explicit Written(const std::vector<std::vector<raft::LogWrite>>& batches) {
    const Recovery recovery = recover_in(files);
    states.push_back(recovery.recovered.log);
    ends.push_back(files.contents[first_segment].size());
    for (const std::vector<raft::LogWrite>& batch : batches) {
      REQUIRE(recovery.wal->append(batch).ok());
      ends.push_back(files.contents[first_segment].size());
      raft::Recovered next = states.back();
      for (const raft::LogWrite& write : batch) {
        for (const raft::Entry& appended : write.append) {
          next.entries.resize(appended.index.value() - 1);
          next.entries.push_back(appended);
        }
        if (write.hard_state) next.hard_state = *write.hard_state;
      }
      states.push_back(next);
    }
    bytes = files.contents[first_segment];
  }

  /// Boots on `damaged` in place of the segment.
  Recovery recover_from(std::string damaged) {
    files.contents[first_segment] = std::move(damaged);
    return recover_in(files);
  }
  std::string refusal_of(std::string damaged) {
    files.contents[first_segment] = std::move(damaged);
    return refusal_in(files);
  }

  /// How many batches of the log lie wholly before `offset`.
  std::size_t batches_before(std::size_t offset) const {
    std::size_t count = 0;
    while (count + 1 < ends.size() && ends[count + 1] <= offset) ++count;
    return count;
  }
};

bool same(const raft::Recovered& left, const raft::Recovered& right) {
  return left.hard_state == right.hard_state && left.compacted == right.compacted && left.entries == right.entries;
}

std::vector<std::vector<raft::LogWrite>> some_batches() {
  return {
      {write_of(1, {entry(2, 2, "")}, state_of(2, 11, 1))},
      {write_of(2, {entry(2, 3, "put a"), entry(2, 4, std::string(1300, 'x'))}, state_of(2, 11, 2)),
       write_of(3, {entry(2, 5, "put b")}, std::nullopt)},
      {write_of(4, {entry(3, 4, "instead")}, state_of(3, 0, 3))},
      {write_of(5, {}, state_of(4, 11, 4))},
      {write_of(6, {entry(4, 5, std::string("\0\0", 2))}, std::nullopt)},
      {write_of(7, {entry(4, 6, "put c"), entry(4, 7, std::string(700, 'y'))}, state_of(4, 11, 5))},
  };
}

TEST_CASE("a new member's log begins with what it was given, and a member that ran before keeps its own") {
  MemoryFiles files;
  const Recovery first = recover_in(files);
  CHECK(first.created);
  CHECK(first.identity == Identity{0xabcdef, 1});
  CHECK(first.recovered.log.entries == new_member().first.append);
  CHECK(first.recovered.log.hard_state == state_of(1, 0, 1));
  CHECK(first.recovered.log.compacted == raft::Mark{});

  const Recovery second = recover_in(files);
  CHECK_FALSE(second.created);
  CHECK(second.identity == Identity{0xabcdef, 2});
  CHECK(second.metadata == Metadata{MemberId(11), ClusterId(22)});
  CHECK(same(first.recovered.log, second.recovered.log));
}

TEST_CASE("what was written is recovered, and an appended index replaces all after it") {
  Written written(some_batches());
  CHECK(same(recover_in(written.files).recovered.log, written.states.back()));
  CHECK(written.states.back().entries.size() == 7);
  CHECK(written.states.back().entries[3] == entry(3, 4, "instead"));
}

TEST_CASE("a byte flipped before the last batch is refused, with file and offset") {
  Written written(some_batches());
  const std::size_t last_begin = written.ends[written.ends.size() - 2];
  std::size_t frame_begin = 0;
  const auto named = [](const std::string& message, std::size_t offset) {
    return message.find(first_segment + " at offset " + std::to_string(offset) + ":") != std::string::npos;
  };
  for (std::size_t at = 0; at < last_begin; ++at) {
    while (frame_begin + decode_frame(BytesView(written.bytes).substr(frame_begin)).value().size <= at) {
      frame_begin += decode_frame(BytesView(written.bytes).substr(frame_begin)).value().size;
    }
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = written.bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      for (const std::size_t zeros : {0, 2000}) {
        CAPTURE(at);
        CAPTURE(bit);
        CAPTURE(zeros);
        const std::string message = written.refusal_of(flipped + std::string(zeros, '\0'));
        CAPTURE(message);
        CAPTURE(frame_begin);
        // A record whose type became another that its data fits too may show only at the record behind it.
        const std::size_t size = decode_frame(BytesView(written.bytes).substr(frame_begin)).value().size;
        CHECK((named(message, frame_begin) || (at == frame_begin + 9 && named(message, frame_begin + size))));
        CHECK(written.files.contents[first_segment] == flipped + std::string(zeros, '\0'));
      }
    }
  }
}

TEST_CASE("a tail torn at any byte is repaired, and no whole batch is lost") {
  Written written(some_batches());
  for (std::size_t cut = written.ends[0]; cut <= written.bytes.size(); ++cut) {
    // The file ends there; or zeros that were written ahead follow, up to the batch's end or far beyond it.
    const std::string kept = written.bytes.substr(0, cut);
    for (const std::size_t zeros : {std::size_t{0}, written.bytes.size() - cut, std::size_t{5000}}) {
      CAPTURE(cut);
      CAPTURE(zeros);
      const Recovery recovery = written.recover_from(kept + std::string(zeros, '\0'));
      std::size_t whole = written.batches_before(cut);
      // Zeros may have been all that was cut off.
      if (zeros > 0 && whole + 1 < written.ends.size() &&
          written.bytes.find_first_not_of('\0', cut) >= written.ends[whole + 1]) {
        ++whole;
      }
      CHECK(same(recovery.recovered.log, written.states[whole]));
      const std::string& repaired = written.files.contents[first_segment];
      CHECK(repaired.find_first_not_of('\0', written.ends[whole]) == std::string::npos);
      CHECK(repaired.substr(0, written.ends[whole]) == written.bytes.substr(0, written.ends[whole]));
    }
  }
}

TEST_CASE("any sectors of the last batch may be missing") {
  std::vector<std::vector<raft::LogWrite>> batches = some_batches();
  batches.push_back({write_of(8, {entry(4, 8, std::string(900, 'z')), entry(4, 9, "d"), entry(4, 10, "e")}, {}),
                     write_of(9, {entry(4, 11, std::string(600, 'w'))}, state_of(4, 11, 7))});
  Written written(batches);
  const std::size_t begin = written.ends[written.ends.size() - 2];
  const std::size_t first_sector = begin / 512;
  const std::size_t sectors = (written.bytes.size() - 1) / 512 - first_sector + 1;
  REQUIRE(sectors > 3);
  for (std::size_t missing = 1; missing < (std::size_t{1} << sectors); ++missing) {
    CAPTURE(missing);
    std::string torn = written.bytes;
    torn.resize((torn.size() + 511) / 512 * 512);
    for (std::size_t i = 0; i < sectors; ++i) {
      if ((missing >> i & 1) == 0) continue;
      const std::size_t from = std::max(begin, (first_sector + i) * 512);
      torn.replace(from, (first_sector + i + 1) * 512 - from, (first_sector + i + 1) * 512 - from, '\0');
    }
    CHECK(same(written.recover_from(torn).recovered.log, written.states[written.states.size() - 2]));
  }
}

TEST_CASE("a hole with a later batch behind it is no torn tail") {
  Written written(some_batches());
  for (std::size_t batch = 0; batch + 3 < written.ends.size(); ++batch) {
    std::string holed = written.bytes;
    const std::size_t size = written.ends[batch + 1] - written.ends[batch];
    holed.replace(written.ends[batch], size, size, '\0');
    CHECK(written.refusal_of(holed).find("at offset " + std::to_string(written.ends[batch])) != std::string::npos);
  }
}

TEST_CASE("the log is cut into segments at batch boundaries and read through all of them") {
  Prng prng(3, "wal_test");
  for (const std::uint64_t segment_bytes : {1, 300, 4096, 20'000}) {
    MemoryFiles files;
    Limits limits;
    limits.wal_segment_bytes = segment_bytes;
    std::vector<raft::Entry> expected = new_member().first.append;
    std::uint64_t id = 0;
    for (int boot = 0; boot < 4; ++boot) {
      const Recovery recovery = recover_in(files, limits);
      CHECK(recovery.recovered.log.entries == expected);
      Wal& wal = *recovery.wal;
      for (int batch = 0; batch < 20; ++batch) {
        std::vector<raft::LogWrite> writes;
        for (std::uint64_t count = prng.below(4); writes.size() <= count;) {
          const std::string data(prng.chance(1, 8) ? prng.below(9000) : prng.below(60), 'v');
          expected.push_back(entry(2, expected.size() + 1, data));
          writes.push_back(write_of(++id, {expected.back()}, state_of(2, 11, expected.size() - 1)));
        }
        REQUIRE(wal.append(writes).ok());
        while (prng.chance(1, 2) && wal.wants_upkeep()) REQUIRE(wal.upkeep().ok());
      }
    }
    const std::vector<Segment> segments = list_segments(files, "member/wal").value();
    CHECK(segments.size() >= (segment_bytes < 400 ? 80 : 3));
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
      const std::string& bytes = files.contents["member/wal/" + file_name(segments[i])];
      CHECK(bytes.find_last_not_of('\0') + 9 > bytes.size());
    }
  }
}

TEST_CASE("damage in a segment that is not the last, or the loss of one, is refused") {
  MemoryFiles files;
  Limits limits;
  limits.wal_segment_bytes = 1;
  {
    const Recovery recovery = recover_in(files, limits);
    for (std::uint64_t i = 0; i < 4; ++i) {
      const raft::LogWrite write = write_of(i + 1, {entry(2, 2 + i, "put")}, state_of(2, 11, 1 + i));
      REQUIRE(recovery.wal->append({&write, 1}).ok());
    }
  }
  std::string& second = files.contents["member/wal/0000000000000001-0000000000000002.wal"];
  const std::string whole = second;
  REQUIRE(whole.size() > 100);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    second = whole.substr(0, cut);
    const std::string message = refusal_in(files);
    CHECK((message.find("0000000000000001-0000000000000002.wal at offset ") != std::string::npos ||
           message.find("0000000000000002-0000000000000003.wal at offset 0: it does not continue the segment before") !=
               std::string::npos));
  }
  REQUIRE(files.remove("member/wal/0000000000000001-0000000000000002.wal").ok());
  CHECK(refusal_in(files).find("gap") != std::string::npos);
  files.contents["member/wal/0000000000000001-0000000000000002.wal"] = whole;
  CHECK(refusal_in(files).empty());
}

TEST_CASE("segments go when a durable mark stands for them, but for as many as are to be kept") {
  Limits limits;
  limits.wal_segment_bytes = 1;
  const auto segments_after = [&](std::uint64_t kept, std::uint64_t mark, std::uint64_t release) {
    limits.wal_files_kept = kept;
    MemoryFiles files;
    {
      const Recovery recovery = recover_in(files, limits);
      Wal& wal = *recovery.wal;
      for (std::uint64_t i = 0; i < 6; ++i) {
        raft::LogWrite write = write_of(i + 1, {entry(2, 2 + i, "put")}, state_of(2, 11, 1 + i));
        // The mark is in the last segment but one, the release in the last.
        if (i == 4 && mark > 0) write.mark = raft::Mark{LogIndex(mark), Term(2), {}};
        if (i == 5) write.release_to = LogIndex(release);
        REQUIRE(wal.append({&write, 1}).ok());
      }
      while (wal.wants_upkeep()) REQUIRE(wal.upkeep().ok());
    }
    const std::vector<Segment> left = list_segments(files, "member/wal").value();
    const Recovery recovery = recover_in(files, limits, mark);
    CHECK(recovery.recovered.log.compacted.index == LogIndex(mark));
    CHECK(recovery.recovered.log.entries.back().index == LogIndex(7));
    CHECK(recovery.recovered.log.hard_state == state_of(2, 11, 6));
    return left.size();
  };
  const std::size_t all = segments_after(0, 5, 5);
  CHECK(all == 7);
  CHECK(segments_after(1, 0, 5) == all);
  CHECK(segments_after(1, 5, 0) == all);
  CHECK(segments_after(1, 5, 3) == all - 3);
  CHECK(segments_after(1, 5, 5) == all - 5);
  CHECK(segments_after(4, 5, 5) == 4);
  CHECK(segments_after(100, 5, 5) == all);
}

TEST_CASE("a log and a checkpoint that do not fit are refused by name") {
  MemoryFiles files;
  Limits limits;
  limits.wal_segment_bytes = 1;
  limits.wal_files_kept = 1;
  {
    const Recovery recovery = recover_in(files, limits);
    for (std::uint64_t i = 0; i < 6; ++i) {
      raft::LogWrite write = write_of(i + 1, {entry(2, 2 + i, "put")}, state_of(2, 11, 1 + i));
      if (i == 5) write.mark = raft::Mark{LogIndex(4), Term(2), {}};
      if (i == 5) write.release_to = LogIndex(4);
      REQUIRE(recovery.wal->append({&write, 1}).ok());
    }
    while (recovery.wal->wants_upkeep()) REQUIRE(recovery.wal->upkeep().ok());
  }
  const std::map<std::string, std::string, std::less<>> whole = files.contents;
  const auto refused = [&](EnginesMemory engines, std::string_view reason) {
    const std::string message = refusal_in(files, std::move(engines));
    CHECK_MESSAGE(message.find(reason) != std::string::npos, message);
    CHECK(files.contents == whole);
  };
  refused(engines_at(0), "ends at entry 0, but the log in member/wal begins behind entry 4");
  refused(engines_at(3), "ends at entry 3, but the log in member/wal begins behind entry 4");
  refused(engines_at(8), "ends at entry 8, but the log in member/wal ends at entry 7");
  refused(engines_at(6, 1), "ends at entry 6 of term 1, where the log in member/wal has term 2");
  refused(engines_at(4, 3), "ends at entry 4 of term 3, where the log in member/wal has term 2");
  EnginesMemory foreign = engines_at(6);
  foreign.tables[Table::records]["?"] = "?";
  refused(foreign, "member/db holds what no member writes");
  CHECK(refusal_in(files, engines_at(4)).empty());
  CHECK(refusal_in(files, engines_at(7)).empty());
  // The first segment that is left holds entries that no mark stands for.
  const std::string first = files.list("member/wal").value().front();
  REQUIRE(files.remove("member/wal/" + first).ok());
  CHECK(refusal_in(files, engines_at(4)).find("member/wal/") != std::string::npos);
}

TEST_CASE("what a checkpoint holds and nobody needs is not read, but stays until a mark lets it go") {
  MemoryFiles files;
  Limits limits;
  limits.wal_segment_bytes = 1;
  limits.log_entries_kept = 2;
  {
    const Recovery recovery = recover_in(files, limits);
    for (std::uint64_t i = 2; i <= 7; ++i) {
      const raft::LogWrite write = write_of(i, {entry(2, i, "put")}, state_of(2, 11, i));
      REQUIRE(recovery.wal->append({&write, 1}).ok());
    }
  }
  const std::size_t count = list_segments(files, "member/wal").value().size();
  REQUIRE(count == 7);
  const std::map<std::string, std::string, std::less<>> whole = files.contents;
  const auto damaged = [&](const char* name) {
    files.contents = whole;
    files.contents[std::string("member/wal/") + name][40] ^= 1;
  };
  // The checkpoint ends at 6 and the log at 7, of which two entries are kept.
  damaged("0000000000000002-0000000000000003.wal");
  CHECK(refusal_in(files).find("0000000000000002-0000000000000003.wal at offset ") != std::string::npos);
  Recovery recovery = recover_in(files, limits, 6);
  CHECK(recovery.recovered.log.compacted == raft::Mark{LogIndex(5), Term(2), {}});
  CHECK(recovery.recovered.log.entries == std::vector<raft::Entry>{entry(2, 6, "put"), entry(2, 7, "put")});
  CHECK(recovery.recovered.log.hard_state == state_of(2, 11, 7));
  damaged("0000000000000004-0000000000000005.wal");
  EnginesMemory engines = engines_at(6);
  CHECK_FALSE(recover(files, engines, limits, new_member()).ok());

  // What follows lets go of all segments, of those that were not read too.
  files.contents = whole;
  limits.wal_files_kept = 1;
  recovery = recover_in(files, limits, 6);
  for (std::uint64_t i = 8; i <= 9; ++i) {
    raft::LogWrite write = write_of(i, {entry(2, i, "put")}, state_of(2, 11, i));
    if (i == 8) write.mark = raft::Mark{LogIndex(7), Term(2), {}};
    if (i == 9) write.release_to = LogIndex(7);
    REQUIRE(recovery.wal->append({&write, 1}).ok());
  }
  while (recovery.wal->wants_upkeep()) REQUIRE(recovery.wal->upkeep().ok());
  CHECK(list_segments(files, "member/wal").value().size() == 2);
  CHECK(recover_in(files, limits, 8).recovered.log.entries.back() == entry(2, 9, "put"));
}

TEST_CASE("directories that are not ours, or no longer whole, are refused") {
  MemoryFiles files;
  SUBCASE("etcd's own") {
    files.contents["member/snap/db"] = "bolt";
    CHECK(refusal_in(files).find("etcd's own") != std::string::npos);
    CHECK(files.contents.size() == 1);
  }
  SUBCASE("a log without identity") {
    recover_in(files);
    REQUIRE(files.remove("member/identity").ok());
    CHECK(refusal_in(files).find("no member/identity") != std::string::npos);
  }
  SUBCASE("an identity without log") {
    recover_in(files);
    REQUIRE(files.remove(first_segment).ok());
    CHECK(refusal_in(files).find("is gone") != std::string::npos);
  }
  SUBCASE("any byte of the identity flipped") {
    recover_in(files);
    const std::string whole = files.contents["member/identity"];
    for (std::size_t at = 0; at < whole.size(); ++at) {
      files.contents["member/identity"][at] = static_cast<char>(whole[at] ^ 1);
      CHECK(refusal_in(files).find("member/identity is damaged") != std::string::npos);
      files.contents["member/identity"] = whole;
    }
    CHECK(refusal_in(files).empty());
  }
}

TEST_CASE("a log that has lost the batch that it was made with is damaged, though it looks torn") {
  Written written({});
  std::string& segment = written.files.contents["member/wal/0000000000000000-0000000000000000.wal"];
  const std::string whole = segment.substr(0, written.ends.front());
  segment = whole.substr(0, whole.size() - 8) + std::string(8, '\0');
  CHECK(refusal_in(written.files).find("0.wal: it has lost its first entries") != std::string::npos);
  segment = whole;
  CHECK(refusal_in(written.files).empty());
}

}  // namespace
}  // namespace metastore::storage
