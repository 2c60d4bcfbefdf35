#include "storage/wal_record.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/base/crc32c.h"
#include "core/base/prng.h"

namespace metastore::storage {
namespace {

std::string bytes_of_hex(std::string_view hex) {
  const auto digit = [](char c) { return std::string_view("0123456789abcdef").find(c); };
  std::string bytes;
  std::string digits;
  for (const char c : hex) {
    if (digit(c) != std::string_view::npos) digits.push_back(c);
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(digits[i]) << 4 | digit(digits[i + 1])));
  }
  return bytes;
}

std::string joined(FrameBuffer& frames) {
  std::string all;
  for (const BytesView part : frames.parts()) all.append(part);
  CHECK(all.size() == frames.size());
  return all;
}

raft::Entry entry(std::uint64_t term, std::uint64_t index, std::string_view data) {
  return {Term(term), LogIndex(index), raft::EntryType::normal, Bytes::copy_of(data)};
}

TEST_CASE("the checksum is CRC-32C, and of a whole what it is of its parts one after another") {
  CHECK(crc32c_extend(0, "") == 0);
  CHECK(crc32c_extend(0, "123456789") == 0xe3069283);              // The catalogue's check value.
  CHECK(crc32c_extend(0, std::string(32, '\0')) == 0x8a9136aa);    // RFC 3720, B.4.
  CHECK(crc32c_extend(0, std::string(32, '\xff')) == 0x62a8ab43);  // RFC 3720, B.4.
  const std::string text = "one revision after another, and none before its time";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CHECK(crc32c_extend(crc32c_extend(0, text.substr(0, cut)), text.substr(cut)) == crc32c_extend(0, text));
  }
}

// Written by hand from the format; the checksums are from an independent bit-by-bit computation.
constexpr std::string_view golden_crc = "04 00 00 00 00 00 00 84  08 04 10 00  00 00 00 00";
constexpr std::string_view golden_metadata =
    "0e 00 00 00 00 00 00 82  08 01 10 a9 f6 f0 ac 0c 1a 04  08 01 10 02  00 00";
constexpr std::string_view golden_first_mark =
    "0e 00 00 00 00 00 00 82  08 05 10 99 cf ff fd 0d 1a 04  08 00 10 00  00 00";
constexpr std::string_view golden_entry =
    "15 00 00 00 00 00 00 83  08 02 10 e2 a0 ae 93 09 1a 0b  08 00 10 02 18 05 22 03 70 75 74  00 00 00";
constexpr std::string_view golden_empty_entry =
    "10 00 00 00 00 00 00 00  08 02 10 a9 e4 93 c5 0f 1a 06  08 00 10 02 18 06";
constexpr std::string_view golden_hard_state =
    "10 00 00 00 00 00 00 00  08 03 10 8b 9f ad 95 0c 1a 06  08 02 10 01 18 04";
constexpr std::string_view golden_mark =
    "1d 00 00 00 00 00 00 83  08 05 10 c6 d4 d3 a4 0e 1a 13  08 ac 02 10 03 1a 0c 08 01 08 02 10 03 18 04 20 05 28 01"
    "  00 00 00";

const raft::Mark mark_of_all_kinds{
    LogIndex(300),
    Term(3),
    {{MemberId(1), MemberId(2)}, {MemberId(3)}, {MemberId(4)}, {MemberId(5)}, true},
};

TEST_CASE("the checksum by instruction and by table is the same, of every length, place and beginning") {
  Prng prng(1, "crc32c");
  std::string bytes(300, 0);
  for (char& byte : bytes) byte = static_cast<char>(prng.below(256));
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t size = 0; begin + size <= bytes.size(); ++size) {
      const BytesView part = BytesView(bytes).substr(begin, size);
      const auto crc = static_cast<std::uint32_t>(prng.below(std::uint64_t{1} << 32));
      REQUIRE(crc32c_extend(crc, part) == crc32c_extend_by_table(crc, part));
    }
  }
  CHECK(crc32c_extend_by_table(0, "123456789") == 0xe3069283);
}

TEST_CASE("records have exactly etcd's bytes") {
  FrameBuffer frames(0);
  const auto take = [&frames] {
    const std::string bytes = joined(frames);
    frames.clear();
    return bytes;
  };
  frames.add_crc();
  CHECK(take() == bytes_of_hex(golden_crc));
  frames.add(Metadata{MemberId(1), ClusterId(2)});
  CHECK(take() == bytes_of_hex(golden_metadata));
  frames.add(raft::Mark{});
  CHECK(take() == bytes_of_hex(golden_first_mark));
  frames.add(entry(2, 5, "put"));
  CHECK(take() == bytes_of_hex(golden_entry));
  frames.add(entry(2, 6, ""));
  CHECK(take() == bytes_of_hex(golden_empty_entry));
  frames.add(raft::HardState{Term(2), MemberId(1), LogIndex(4)});
  CHECK(take() == bytes_of_hex(golden_hard_state));
  frames.add(mark_of_all_kinds);
  CHECK(take() == bytes_of_hex(golden_mark));
}

TEST_CASE("what is encoded is decoded, and the chain holds") {
  const std::string log = bytes_of_hex(std::string(golden_crc)
                                           .append(golden_metadata)
                                           .append(golden_first_mark)
                                           .append(golden_entry)
                                           .append(golden_empty_entry)
                                           .append(golden_hard_state)
                                           .append(golden_mark));
  BytesView rest = log;
  std::uint32_t crc = 0;
  const auto next = [&] {
    const Result<Frame, Damage> frame = decode_frame(rest);
    REQUIRE(frame.ok());
    CHECK(follows(frame.value(), crc));
    CHECK((frame.value().data.empty() || !follows(frame.value(), crc + 1)));
    crc = frame.value().crc;
    rest.remove_prefix(frame.value().size);
    return frame.value();
  };
  CHECK(next().type == RecordType::crc);
  CHECK(decode_metadata(next().data) == Metadata{MemberId(1), ClusterId(2)});
  CHECK(decode_mark(next().data) == raft::Mark{});
  CHECK(decode_entry(next().data) == entry(2, 5, "put"));
  CHECK(decode_entry(next().data) == entry(2, 6, ""));
  CHECK(decode_hard_state(next().data) == raft::HardState{Term(2), MemberId(1), LogIndex(4)});
  CHECK(decode_mark(next().data) == mark_of_all_kinds);
  CHECK(rest.empty());
}

TEST_CASE("entries of every size come back, and large ones are written without a copy") {
  Prng prng(1, "wal_record_test");
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t crc = static_cast<std::uint32_t>(prng.next());
    FrameBuffer frames(crc);
    std::vector<raft::Entry> entries;
    for (std::uint64_t count = prng.below(6); entries.size() <= count;) {
      std::string data(prng.chance(1, 3) ? prng.below(20'000) : prng.below(40), '\0');
      for (char& c : data) c = static_cast<char>(prng.next());
      entries.push_back(entry(prng.next() >> prng.below(64), prng.next() >> prng.below(64), data));
      entries.back().type = static_cast<raft::EntryType>(prng.below(3));
      const std::size_t before = frames.size();
      frames.add(entries.back());
      CHECK(frames.size() - before <= FrameBuffer::frame_size_bound(data.size()));
      if (data.size() >= 4096) {
        bool viewed = false;
        for (const BytesView part : frames.parts()) viewed = viewed || part.data() == entries.back().data.data();
        CHECK(viewed);
      }
    }
    const std::string bytes = joined(frames);
    BytesView rest = bytes;
    std::uint32_t chain = crc;
    for (const raft::Entry& written : entries) {
      const Result<Frame, Damage> frame = decode_frame(rest);
      REQUIRE(frame.ok());
      REQUIRE(follows(frame.value(), chain));
      CHECK(decode_entry(frame.value().data) == written);
      chain = frame.value().crc;
      rest.remove_prefix(frame.value().size);
    }
    CHECK(rest.empty());
    CHECK(chain == frames.crc());
  }
}

TEST_CASE("no bit of a frame can be flipped unseen, but for the type of a record whose data fits two") {
  for (const std::string_view golden : {golden_metadata, golden_entry, golden_hard_state, golden_mark}) {
    const std::string whole = bytes_of_hex(golden);
    const Frame original = decode_frame(whole).value();
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      const Result<Frame, Damage> frame = decode_frame(flipped);
      if (!frame) continue;
      const bool same_chain = frame.value().crc == original.crc && frame.value().data == original.data;
      CHECK((!same_chain || frame.value().type != original.type));
    }
  }
}

TEST_CASE("a length that no record has is malformed, not one whose rest was lost") {
  std::string word = bytes_of_hex("0000000800000000");
  CHECK(decode_length_word(word) == std::size_t{134'217'728});
  word[5] = '\x01';
  CHECK(!decode_length_word(word).has_value());
  CHECK(decode_frame(word).error().reason == "a length word is malformed");
}

TEST_CASE("data that no encoder writes is refused") {
  CHECK_FALSE(decode_hard_state(bytes_of_hex("10 01 08 02 18 04")));        // Out of order.
  CHECK_FALSE(decode_hard_state(bytes_of_hex("08 02 10 01 18 04 18 04")));  // Twice.
  CHECK_FALSE(decode_hard_state(bytes_of_hex("08 02 10 01 18 04 00")));     // Field number 0.
  CHECK_FALSE(decode_hard_state(bytes_of_hex("08 02 10 01 18")));           // Cut off.
  CHECK_FALSE(decode_entry(bytes_of_hex("08 03 10 02 18 05")));             // No such type.
  CHECK_FALSE(decode_entry(bytes_of_hex("08 00 10 02 18 05 22 04 70")));    // Longer than it is.
  CHECK_FALSE(decode_mark(bytes_of_hex("08 01 10 02 1a 02 30 01")));        // Unknown field within.
  CHECK(decode_hard_state("") == raft::HardState{});                        // Newer writers leave zeros out.
}

}  // namespace
}  // namespace metastore::storage
