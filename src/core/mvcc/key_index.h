// Every key of the store in order, each with its newest record. The key is read from the record, and older records hang
// on the newest as a chain. An entry also says when its key was last changed and whether it was deleted then, and a
// leaf how many of its keys exist, so that keys are counted without touching their records, and at the newest revision
// without touching their entries. A deleted key stays until compaction.
//
// Entries stand in leaves, and a tree of the leaves' lower bounds, which are copies, leads to them: that tree is small
// enough for the processor's caches, so that a look-up among millions of keys misses them for a few records only. A
// tree of the records alone misses them at each of some twenty comparisons.
#ifndef METASTORE_CORE_MVCC_KEY_INDEX_H_
#define METASTORE_CORE_MVCC_KEY_INDEX_H_

#include <absl/container/btree_map.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/mvcc/key_range.h"
#include "core/mvcc/record.h"

namespace metastore::mvcc {

/// 1. A leaf is never empty.
/// 2. Its keys are not below its bound, and below the next leaf's.
/// 3. The first leaf's bound is empty, so that every key has a leaf.
/// 4. A leaf knows how many of its keys exist by their newest records, and a change none of them is behind.
class KeyIndex {
  struct Entry {
    Entry() = default;
    explicit Entry(Record record)
        : newest(record), change(record.mod_revision().value() * 2 + (record.tombstone() ? 1 : 0)) {}
    bool is_tombstone() const { return change % 2 != 0; }
    bool changed_after(Revision revision) const { return change / 2 > revision.value(); }

    Record newest;
    std::int64_t change = 0;  ///< Twice the mod_revision, and one more for a tombstone.
  };
  struct Leaf {
    void add(const Entry& entry) {
      existing += entry.is_tombstone() ? 0 : 1;
      newest_change = std::max(newest_change, entry.change);
    }
    void remove(const Entry& entry) { existing -= entry.is_tombstone() ? 0 : 1; }
    bool changed_after(Revision revision) const { return newest_change / 2 > revision.value(); }

    std::uint32_t size = 0;
    std::uint32_t existing = 0;
    std::int64_t newest_change = 0;
    std::array<Entry, 64> entries;
  };
  struct BoundLess {
    using is_transparent = void;
    bool operator()(BytesView a, BytesView b) const { return a < b; }
  };
  using Leaves = absl::btree_map<std::string, std::unique_ptr<Leaf>, BoundLess>;

 public:
  /// Where a key stands, or before which entry it would. Good until the next insert or erase.
  struct Position {
    Leaves::const_iterator leaf;
    std::size_t slot = 0;
    bool operator==(const Position&) const = default;
  };

  struct Count {
    std::uint64_t keys = 0;
    std::optional<BytesView> rest;  ///< The key at which to go on, if there was more to count.
  };

  Position lower_bound(BytesView key) const;
  /// The newest record of `key` at its lower bound, or none if the key is not there.
  Record newest(Position position, BytesView key) const;
  Record newest(BytesView key) const { return newest(lower_bound(key), key); }

  /// Requires: `position` is the lower bound of the record's key, which is not there yet.
  void insert(Position position, Record record);
  /// Requires: a record of the same key stands at `position`.
  void replace(Position position, Record record) {
    Leaf& leaf = *position.leaf->second;
    Entry& entry = leaf.entries[position.slot];
    leaf.remove(entry);
    entry = Entry(record);
    leaf.add(entry);
  }
  void erase(Position position);

  /// Visits the newest record of each key of `range`, in order, until `visit(Record, Position)` returns false. It may
  /// replace what it visits.
  template <typename Visit>
  void visit(const KeyRange& range, Visit&& visit) const {
    Position at = lower_bound(range.key);
    for (; at.leaf != leaves_.end(); ++at.leaf, at.slot = 0) {
      const Leaf& leaf = *at.leaf->second;
      for (; at.slot < leaf.size; ++at.slot) {
        const Record newest = leaf.entries[at.slot].newest;
        if (!range.contains(newest.key()) || !visit(newest, at)) return;
      }
    }
  }

  /// How many keys of `range` exist at `revision`, until `budget` leaves and keys have been looked at: each takes one
  /// of it. `existed(Record)` tells of a key that has changed since, given its newest record.
  /// Bounds: O(leaves), and O(keys) in those leaves that have changed since.
  template <typename Existed>
  Count count(const KeyRange& range, Revision revision, std::uint64_t& budget, Existed&& existed) const {
    if (!range.is_open() && range.end <= range.key) return {};
    const Position end = range.is_open() ? Position{leaves_.end()} : lower_bound(range.end);
    Count count;
    Position at = lower_bound(range.key);
    for (bool is_last = false; !is_last && at.leaf != leaves_.end(); ++at.leaf, at.slot = 0) {
      is_last = at.leaf == end.leaf;
      const Leaf& leaf = *at.leaf->second;
      const std::size_t behind = is_last ? end.slot : leaf.size;
      while (at.slot < behind) {
        const Entry& entry = leaf.entries[at.slot];
        if (budget == 0) {
          count.rest = entry.newest.key();
          return count;
        }
        --budget;
        if (at.slot == 0 && behind == leaf.size && !leaf.changed_after(revision)) {
          count.keys += leaf.existing;
          break;
        }
        const bool exists = entry.changed_after(revision) ? existed(entry.newest) : !entry.is_tombstone();
        count.keys += exists ? 1 : 0;
        ++at.slot;
      }
    }
    return count;
  }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;
  void check_invariants() const;

 private:
  Leaves leaves_;
  std::size_t size_ = 0;
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_KEY_INDEX_H_
