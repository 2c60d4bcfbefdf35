// Runs long random lives of a store against a model that keeps every change forever in plain maps, and against a second
// store that is compacted in other steps.
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/crc32c.h"
#include "core/base/encoder.h"
#include "core/base/prng.h"
#include "core/mvcc/hash_scan.h"
#include "core/mvcc/store.h"

namespace metastore::mvcc {
namespace {

struct ModelRecord {
  std::int64_t main = 0;
  std::int64_t sub = 0;
  std::int64_t create = 0;
  std::int64_t version = 0;  ///< 0 for a tombstone.
  std::string value;
  std::int64_t lease = 0;

  /// mvccpb.KeyValue, written anew from contract 1.2.
  std::string encoded(const std::string& key) const {
    std::string out;
    const auto bytes = [&](int field, const std::string& data) {
      if (data.empty()) return;
      append_varint(out, static_cast<std::uint64_t>(field) << 3 | 2);
      append_varint(out, data.size());
      out += data;
    };
    const auto integer = [&](int field, std::int64_t number) {
      if (number == 0) return;
      append_varint(out, static_cast<std::uint64_t>(field) << 3);
      append_varint(out, static_cast<std::uint64_t>(number));
    };
    bytes(1, key);
    if (version > 0) integer(2, create);
    integer(3, main);
    integer(4, version);
    bytes(5, value);
    integer(6, lease);
    return out;
  }
};

class Model {
 public:
  std::int64_t current = 1;
  std::int64_t compacted = -1;
  std::map<std::string, std::vector<ModelRecord>> keys;

  const ModelRecord* get(const std::string& key, std::int64_t revision) const {
    const ModelRecord* found = nullptr;
    const auto records = keys.find(key);
    if (records == keys.end()) return nullptr;
    for (const ModelRecord& record : records->second) {
      if (record.main <= revision) found = &record;
    }
    return found == nullptr || found->version == 0 ? nullptr : found;
  }
  void put(const std::string& key, const std::string& value, std::int64_t lease, std::int64_t sub) {
    const ModelRecord* former = get(key, current + 1);
    const std::int64_t create = former != nullptr ? former->create : current + 1;
    const std::int64_t version = former != nullptr ? former->version + 1 : 1;
    keys[key].push_back({current + 1, sub, create, version, value, lease});
  }
  void erase(const std::string& key, std::int64_t sub) { keys[key].push_back({current + 1, sub, 0, 0, "", 0}); }

  /// Every change from `from` on, in order, and the encoded size of all that a store compacted like this one retains.
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> history(std::int64_t from) const {
    std::map<std::pair<std::int64_t, std::int64_t>, std::string> events;
    for (const auto& [key, records] : keys) {
      for (const ModelRecord& record : records) {
        if (record.main >= from) events[{record.main, record.sub}] = record.encoded(key);
      }
    }
    return events;
  }
  /// What etcd would tell, from its definition.
  std::uint32_t hash_kv(std::int64_t revision) const {
    std::map<std::pair<std::int64_t, std::int64_t>, std::string> messages;
    const bool is_empty =
        std::none_of(keys.begin(), keys.end(), [&](const auto& key) { return get(key.first, revision); });
    for (const auto& [key, records] : keys) {
      for (const ModelRecord& record : records) {
        if (record.main > revision) continue;
        if (record.main <= compacted && get(key, is_empty ? compacted : revision) != &record) continue;
        std::string& text = messages[{record.main, record.sub}];
        for (const std::int64_t number : {record.main, record.sub}) {
          for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(number >> shift);
        }
        text.insert(8, "_");
        if (record.version > 0) {
          text += record.encoded(key);
        } else {
          text += std::string("t\n") + static_cast<char>(key.size()) + key;
        }
      }
    }
    std::string all = "key";
    for (const auto& [place, text] : messages) all += text;
    return crc32c_extend(0, all);
  }
  std::uint64_t retained_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [key, records] : keys) {
      for (const ModelRecord& record : records) {
        if (record.main >= compacted || get(key, compacted) == &record) bytes += record.encoded(key).size() + 16;
      }
    }
    return bytes;
  }
};

class Life {
 public:
  explicit Life(std::uint64_t seed) : prng_(seed, "mvcc model") {
    // Many keys for the index, few for long chains.
    key_count_ = prng_.chance(1, 8) ? 600 : prng_.between(1, 30);
    value_bytes_ = prng_.chance(1, 8) ? 20'000 : 40;
    empty_bytes_ = store_.encoded_bytes();
  }

  void step() {
    switch (prng_.below(20)) {
      case 0:
        compact();
        break;
      case 1:
        store_.compact_some(prng_.below(20));
        break;
      default:
        transaction(prng_.chance(1, 10));
    }
    other_.compact_some(prng_.below(3));
    CHECK(store_.current_revision().value() == model_.current);
    CHECK(store_.hash() == other_.hash());
    CHECK(store_.encoded_bytes() == other_.encoded_bytes());
  }

  void check() const {
    store_.check_invariants();
    other_.check_invariants();
    CHECK(store_.encoded_bytes() - empty_bytes_ == model_.retained_bytes());
    const std::int64_t oldest = std::max<std::int64_t>(model_.compacted, 1);
    for (std::int64_t revision = oldest; revision <= model_.current; ++revision) check_at(Revision(revision));
    for (const std::int64_t revision : {oldest, (oldest + model_.current) / 2, model_.current}) {
      CHECK(hash_kv(store_, Revision(revision)) == model_.hash_kv(revision));
    }
    CHECK_FALSE(store_.check_readable(Revision(model_.current + 1)).ok());
    CHECK_FALSE(store_.check_readable(Revision(model_.compacted - 1)).ok());

    const auto expected = model_.history(oldest);
    auto next = expected.begin();
    store_.history(Revision(oldest), [&](Record record) {
      REQUIRE(next != expected.end());
      CHECK(record.revision() == RevisionPair{Revision(next->first.first), next->first.second});
      CHECK(record.encoded() == next->second);
      ++next;
      return true;
    });
    CHECK(next == expected.end());
  }

  /// A checkpoint takes what has changed; the rows that it leaves make the same store again.
  void save_and_restore() {
    store_.take_changes(
        [&](Record record) {
          const bool is_new =
              rows_.emplace(record.revision(), Row{record.tombstone(), std::string(record.encoded())}).second;
          CHECK(is_new);
        },
        [&](RevisionPair revision) { CHECK(rows_.erase(revision) == 1); });
    CHECK(store_.unsaved_bytes() == 0);
    Store restored;
    Restoration restoration(restored);
    for (const auto& [revision, row] : rows_) REQUIRE(restoration.add(revision, row.tombstone, row.message));
    REQUIRE(restoration.finish(store_.current_revision(), store_.compact_revision()));
    restored.check_invariants();
    CHECK(restored.hash() == store_.hash());
    CHECK(restored.encoded_bytes() == store_.encoded_bytes());
    CHECK(restored.key_count() <= store_.key_count());
    const Revision oldest(std::max<std::int64_t>(model_.compacted, 1));
    for (const Revision revision : {oldest, store_.current_revision()}) {
      CHECK(hash_kv(restored, revision) == hash_kv(store_, revision));
    }
    const auto history = [&](const Store& store) {
      std::vector<std::string> records;
      store.history(oldest, [&](Record record) {
        records.emplace_back(record.encoded());
        return true;
      });
      return records;
    };
    CHECK(history(restored) == history(store_));
  }

 private:
  std::string draw_key() { return "key" + std::to_string(prng_.below(static_cast<std::uint64_t>(key_count_))); }

  /// A random range of one of the three kinds, as owned strings.
  std::pair<std::string, std::string> draw_range() {
    const std::string key = draw_key();
    switch (prng_.below(4)) {
      case 0:
        return {key, std::string(1, '\0')};
      case 1:
        return {key, draw_key()};
      default:
        return {key, ""};
    }
  }

  void transaction(bool abandon) {
    const Model former = abandon ? model_ : Model{};
    const std::uint64_t former_hash = store_.hash();
    const std::uint64_t former_bytes = store_.encoded_bytes();
    {
      Transaction txn(store_);
      Transaction other(other_);
      std::int64_t sub = 0;
      for (std::uint64_t changes = prng_.chance(1, 4) ? prng_.below(6) : 1; changes > 0; --changes) {
        if (prng_.chance(1, 5)) {
          const auto [key, end] = draw_range();
          std::vector<std::string> doomed;
          for (const auto& [candidate, records] : model_.keys) {
            if (KeyRange{key, end}.contains(candidate) && model_.get(candidate, model_.current + 1) != nullptr) {
              doomed.push_back(candidate);
            }
          }
          auto next = doomed.begin();
          const std::uint64_t deleted = txn.delete_range({key, end}, [&](Record record) {
            REQUIRE(next != doomed.end());
            CHECK(record.encoded() == model_.get(*next, model_.current + 1)->encoded(*next));
            ++next;
          });
          CHECK(deleted == doomed.size());
          for (const std::string& candidate : doomed) model_.erase(candidate, sub++);
          if (!abandon) other.delete_range({key, end});
        } else {
          const std::string key = draw_key();
          const std::string value(prng_.below(value_bytes_), static_cast<char>('a' + prng_.below(26)));
          const auto lease = static_cast<std::int64_t>(prng_.chance(1, 4) ? prng_.next() : 0);
          const ModelRecord* former_record = model_.get(key, model_.current + 1);
          const std::string previous = former_record == nullptr ? "" : former_record->encoded(key);
          const Transaction::Change change = txn.put(key, value, LeaseId(lease));
          CHECK((change.previous ? std::string(change.previous.encoded()) : "") == previous);
          model_.put(key, value, lease, sub++);
          if (!abandon) other.put(key, value, LeaseId(lease));
        }
      }
      CHECK(txn.changed() == (sub > 0));
      if (abandon) {
        model_ = former;
      } else {
        txn.commit();
        other.commit();
        if (sub > 0) ++model_.current;
      }
    }
    if (abandon) {
      CHECK(store_.hash() == former_hash);
      CHECK(store_.encoded_bytes() == former_bytes);
    }
  }

  void compact() {
    const Revision revision(prng_.between(model_.compacted - 1, model_.current + 1));
    const bool allowed = revision.value() > model_.compacted && revision.value() <= model_.current;
    CHECK(store_.compact(revision).ok() == allowed);
    CHECK(other_.compact(revision).ok() == allowed);
    if (!allowed) return;
    model_.compacted = revision.value();
    // What was freed already makes no difference.
    for (const Revision at : {revision, store_.current_revision()}) {
      const std::uint32_t hash = model_.hash_kv(at.value());
      CHECK(hash_kv(store_, at) == hash);
      store_.compact_some(prng_.below(100));
      CHECK(hash_kv(store_, at) == hash);
      CHECK(hash_kv(other_, at) == hash);
      HashScan scan(store_, at);
      const std::uint64_t slice = prng_.between(1, 3'000);
      while (!scan.go_on(store_, slice)) store_.compact_some(prng_.below(2));
      CHECK(scan.result().hash == hash);
    }
  }

  void check_at(Revision revision) const {
    std::uint64_t count = 0;
    auto next = model_.keys.begin();
    const auto skip_missing = [&] {
      while (next != model_.keys.end() && model_.get(next->first, revision.value()) == nullptr) ++next;
    };
    store_.range(KeyRange::all(), revision, [&](Record record) {
      skip_missing();
      REQUIRE(next != model_.keys.end());
      const ModelRecord& expected = *model_.get(next->first, revision.value());
      CHECK(record.encoded() == expected.encoded(next->first));
      CHECK(record.key() == next->first);
      CHECK(record.value() == expected.value);
      CHECK(record.create_revision() == Revision(expected.create));
      CHECK(record.version() == expected.version);
      CHECK(record.lease() == LeaseId(expected.lease));
      CHECK(store_.get(next->first, revision) == record);
      ++count;
      ++next;
      return true;
    });
    skip_missing();
    CHECK(next == model_.keys.end());
    CHECK(store_.count(KeyRange::all(), revision) == count);
    // Between any key and any other, and behind any key.
    Prng prng(static_cast<std::uint64_t>(revision.value()), "ranges to count");
    for (int i = 0; i < 4 && !model_.keys.empty(); ++i) {
      const auto draw = [&] { return std::next(model_.keys.begin(), prng.between(0, std::ssize(model_.keys) - 1)); };
      const auto first = draw();
      const std::string end = i == 0 ? std::string(1, '\0') : draw()->first;
      const KeyRange range{first->first, end};
      std::uint64_t within = 0;
      for (auto key = first; key != model_.keys.end() && range.contains(key->first); ++key) {
        within += model_.get(key->first, revision.value()) != nullptr ? 1 : 0;
      }
      CHECK(store_.count(range, revision) == within);
      CHECK(in_slices(range, revision, [&](const KeyRange& rest, std::uint64_t& budget, std::uint64_t& counted) {
              const KeyIndex::Count slice = store_.count_some(rest, revision, budget);
              counted += slice.keys;
              return slice.rest;
            }) == within);
      CHECK(in_slices(range, revision, [&](const KeyRange& rest, std::uint64_t& budget, std::uint64_t& visited) {
              return store_.range_some(rest, revision, budget, [&](Record) {
                if (visited % 7 == 3 && budget % 2 == 0) return false;  // It comes again with the next slice.
                ++visited;
                return true;
              });
            }) == within);
    }
  }

  /// What `slice` adds up to while it is given some keys of `range` after another.
  template <typename Slice>
  static std::uint64_t in_slices(KeyRange range, Revision revision, Slice slice) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0;; ++i) {
      REQUIRE(i < 100'000);
      std::uint64_t budget = 1 + (i + static_cast<std::uint64_t>(revision.value())) % 9;
      const std::uint64_t given = budget;
      const std::optional<BytesView> rest = slice(range, budget, sum);
      CHECK(budget <= given);
      if (!rest) return sum;
      CHECK(range.contains(*rest));
      range.key = *rest;
    }
  }

  struct Row {
    bool tombstone = false;
    std::string message;
  };
  std::map<RevisionPair, Row> rows_;
  Prng prng_;
  std::int64_t key_count_ = 0;
  std::uint64_t value_bytes_ = 0;
  std::uint64_t empty_bytes_ = 0;
  Store store_;
  Store other_;
  Model model_;
};

TEST_CASE("a store agrees with plain maps at every readable revision, whatever happens to it") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Life life(seed);
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 60; ++i) life.step();
      life.check();
      life.save_and_restore();
    }
  }
}

}  // namespace
}  // namespace metastore::mvcc
