#include "core/mvcc/key_index.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"

namespace metastore::mvcc {
namespace {

/// An index whose records this class owns, and the same in a map.
class Pair {
 public:
  void insert(const std::string& key) {
    const KeyIndex::Position position = index_.lower_bound(key);
    if (index_.newest(position, key)) return;
    RecordFields fields;
    fields.key = key;
    fields.mod = {Revision(2), 0};
    std::vector<char> memory(Record::allocation_size(fields, Record()));
    const Record record = Record::write(memory.data(), fields, Record(), never_compacted);
    map_.emplace(key, std::move(memory));
    index_.insert(position, record);
  }
  void erase(const std::string& key) {
    const KeyIndex::Position position = index_.lower_bound(key);
    CHECK(static_cast<bool>(index_.newest(position, key)) == map_.contains(key));
    if (!index_.newest(position, key)) return;
    index_.erase(position);
    map_.erase(key);
  }
  /// Counts and visits [key, end), and looks both up.
  void check(const std::string& key, const std::string& end) const {
    CHECK(static_cast<bool>(index_.newest(key)) == map_.contains(key));
    const KeyRange range{key, end};
    auto expected = map_.lower_bound(key);
    std::uint64_t visited = 0;
    index_.visit(range, [&](Record record, KeyIndex::Position) {
      REQUIRE(expected != map_.end());
      CHECK(record.key() == expected->first);
      ++expected;
      ++visited;
      return true;
    });
    CHECK((expected == map_.end() || !range.contains(expected->first)));
    std::uint64_t budget = 1'000'000;
    CHECK(index_.count(range, Revision(2), budget, [](Record) { return false; }).keys == visited);
    CHECK(index_.size() == map_.size());
  }
  void check_invariants() const { index_.check_invariants(); }
  const KeyIndex& index() const { return index_; }

 private:
  std::map<std::string, std::vector<char>> map_;
  KeyIndex index_;
};

std::string padded(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(6 - digits.size(), '0') + digits;
}

TEST_CASE("an index agrees with a map while it grows and shrinks") {
  Pair pair;
  Prng prng(1, "key index");
  const auto draw = [&] { return padded(prng.below(4'000)); };
  for (int i = 0; i < 60'000; ++i) {
    // It grows, shrinks to nothing, and grows again.
    const bool growing = i / 20'000 % 2 == 0;
    if (prng.chance(growing ? 3 : 1, 4)) {
      pair.insert(draw());
    } else {
      pair.erase(draw());
    }
    if (i % 50 == 0) pair.check(draw(), prng.chance(1, 5) ? std::string(1, '\0') : draw());
    if (i % 1'000 == 0) pair.check_invariants();
  }
  for (std::uint64_t i = 0; i < 4'000; ++i) pair.erase(padded(i));
  pair.check("0", std::string(1, '\0'));
  pair.check_invariants();
}

TEST_CASE("a key may go to every place of a full leaf") {
  for (std::uint64_t at = 0; at <= 64; ++at) {
    Pair pair;
    for (std::uint64_t i = 0; i < 64; ++i) pair.insert(padded(2 * i + 1));
    pair.insert(padded(2 * at));
    pair.check_invariants();
    pair.check("0", std::string(1, '\0'));
    for (std::uint64_t i = 0; i < 130; ++i) pair.check(padded(i), padded(i + 7));
  }
}

TEST_CASE("keys in ascending order take little more than their entries") {
  Pair pair;
  for (std::uint64_t i = 0; i < 10'000; ++i) pair.insert(padded(i));
  CHECK(pair.index().memory_bytes() < 10'000 * 20);
}

}  // namespace
}  // namespace metastore::mvcc
