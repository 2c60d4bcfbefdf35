// Every key of the store in order, each with its newest record. The key is read from the record, and older records hang
// on the newest as a chain. An entry also says when its key was last changed and whether it was deleted then, so that
// keys are counted without touching their records. A deleted key stays until compaction.
#ifndef METASTORE_CORE_MVCC_KEY_INDEX_H_
#define METASTORE_CORE_MVCC_KEY_INDEX_H_

#include <absl/container/btree_set.h>

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/mvcc/key_range.h"
#include "core/mvcc/record.h"

namespace metastore::mvcc {

class KeyIndex {
  struct Entry {
    explicit Entry(Record record) : newest(record), change(change_of(record)) {}
    static std::int64_t change_of(Record record) {
      return record.mod_revision().value() * 2 + (record.tombstone() ? 1 : 0);
    }
    bool is_tombstone() const { return change % 2 != 0; }
    bool changed_after(Revision revision) const { return change / 2 > revision.value(); }

    // Another record of the same key may take the place, since the order is by key.
    mutable Record newest;
    mutable std::int64_t change;  ///< Twice the mod_revision, and one more for a tombstone.
  };
  struct Less {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.newest.key() < b.newest.key(); }
    bool operator()(const Entry& a, BytesView b) const { return a.newest.key() < b; }
    bool operator()(BytesView a, const Entry& b) const { return a < b.newest.key(); }
  };
  using Set = absl::btree_set<Entry, Less>;

 public:
  /// Where a key stands or would stand. Good until the next insert or erase.
  using Position = Set::iterator;

  Position lower_bound(BytesView key) { return entries_.lower_bound(key); }
  /// The newest record of `key` at its lower bound, or none if the key is not there.
  Record newest(Position position, BytesView key) const {
    return position != entries_.end() && position->newest.key() == key ? position->newest : Record();
  }
  Record newest(BytesView key) const {
    auto found = entries_.find(key);
    return found == entries_.end() ? Record() : found->newest;
  }
  void insert(Position hint, Record record) { entries_.insert(hint, Entry{record}); }
  void replace(Position position, Record record) {
    position->newest = record;
    position->change = Entry::change_of(record);
  }
  void erase(Position position) { entries_.erase(position); }

  /// Visits the newest record of each key of `range`, in order, until `visit(Record)` returns false.
  template <typename Visit>
  void visit(const KeyRange& range, Visit&& visit) const {
    for (auto i = entries_.lower_bound(range.key); i != entries_.end() && range.contains(i->newest.key()); ++i) {
      if (!visit(i->newest)) return;
    }
  }
  /// The same; `visit(Record, Position)` may replace what it visits.
  template <typename Visit>
  void visit_mutable(const KeyRange& range, Visit&& visit) {
    for (auto i = entries_.lower_bound(range.key); i != entries_.end() && range.contains(i->newest.key()); ++i) {
      visit(i->newest, i);
    }
  }

  /// How many keys of `range` exist at `revision`. `existed(Record)` tells it of a key that has changed since, given
  /// its newest record.
  template <typename Existed>
  std::uint64_t count(const KeyRange& range, Revision revision, Existed&& existed) const {
    if (!range.is_open() && range.end <= range.key) return 0;
    const auto end = range.is_open() ? entries_.end() : entries_.lower_bound(range.end);
    std::uint64_t count = 0;
    for (auto i = entries_.lower_bound(range.key); i != end; ++i) {
      const bool exists = i->changed_after(revision) ? existed(i->newest) : !i->is_tombstone();
      count += exists ? 1 : 0;
    }
    return count;
  }

  std::size_t size() const { return entries_.size(); }
  /// An estimate: the tree does not tell. Its nodes are between half full and full.
  std::size_t memory_bytes() const { return entries_.size() * sizeof(Entry) * 3 / 2; }

 private:
  Set entries_;
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_KEY_INDEX_H_
