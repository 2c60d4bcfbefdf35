// Every key of the store in order, each with its newest record. An entry is one pointer: the key is read from the
// record, and older records hang on the newest as a chain. Keys whose newest record is a tombstone stay until
// compaction.
#ifndef METASTORE_CORE_MVCC_KEY_INDEX_H_
#define METASTORE_CORE_MVCC_KEY_INDEX_H_

#include <absl/container/btree_set.h>

#include <cstddef>

#include "core/base/bytes.h"
#include "core/mvcc/key_range.h"
#include "core/mvcc/record.h"

namespace metastore::mvcc {

class KeyIndex {
  struct Entry {
    mutable Record newest;  ///< Any record of the same key may replace it, since the order is by key.
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
  void replace(Position position, Record record) { position->newest = record; }
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

  std::size_t size() const { return entries_.size(); }
  /// An estimate: the tree does not tell. Its nodes are between half full and full.
  std::size_t memory_bytes() const { return entries_.size() * sizeof(Entry) * 3 / 2; }

 private:
  Set entries_;
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_KEY_INDEX_H_
