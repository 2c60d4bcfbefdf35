// The multi-version store: every key's records since the last compaction, in memory (design D2). Pure: it knows no
// leases, watchers, protobuf runtime or disks, and equal sequences of calls make equal stores on every member. The
// model of revisions, generations and tombstones is etcd's (contract 5.1, 5.2, 5.4).
//
//      compact_revision        current_revision
//   ---------|----------------------|-------------> revision
//    one     | every record         | records of an open transaction
//    record  | (history)            |
//    a key   |
#ifndef METASTORE_CORE_MVCC_STORE_H_
#define METASTORE_CORE_MVCC_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/tagged.h"
#include "core/mvcc/arena.h"
#include "core/mvcc/key_index.h"
#include "core/mvcc/key_range.h"
#include "core/mvcc/record.h"
#include "core/mvcc/revision.h"

namespace metastore::mvcc {

/// Bytes of memory, for status pages and tests; no decision may depend on them.
struct MemoryUse {
  std::size_t records = 0;  ///< What the arena holds, free blocks included.
  std::size_t index = 0;
  std::size_t history = 0;
  std::size_t total() const { return records + index + history; }
};

class Transaction;

/// 1. current_revision() is 1 in an empty store and rises by one with each transaction that changed something.
/// 2. Records and history stand in revision order, without gaps above compact_revision().
/// 3. A record is retained iff its revision is >= compact_revision(), or it is no tombstone and the newest of its key
///    up to compact_revision(). Deviates: of several changes of one key in one revision etcd keeps the last alone, we
///    all, so that history from compact_revision() is whole.
/// 4. What 3. does not retain is invisible at once and freed by compact_some().
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Revision current_revision() const { return current_; }
  /// never_compacted (-1) until the first compact().
  Revision compact_revision() const { return compacted_; }

  /// Whether a read at `revision` can be answered: compacted, future_revision or done.
  Status<> check_readable(Revision revision) const;

  /// The record of `key` at `revision`, or none if it does not exist there.
  /// Requires: check_readable(revision), or the open transaction's revision.   Bounds: O(log keys + log versions).
  Record get(BytesView key, Revision revision) const;

  /// Visits the records of `range` at `revision` in key order until `visit(Record)` returns false.
  /// To go on later, ask again from the last key plus a zero byte.   Requires: as get().
  template <typename Visit>
  void range(const KeyRange& range, Revision revision, Visit&& visit) const {
    index_.visit(range, [&](Record newest, KeyIndex::Position) {
      Record record = at(newest, revision);
      return !record || visit(record);
    });
  }

  /// Visits every key of `range` that the index knows, existing or not, by its newest record and the one at `revision`,
  /// until `visit(Record newest, Record)` returns false. A key whose newest record is a compacted tombstone may be
  /// there or not.   Requires: as get().
  template <typename Visit>
  void keys(const KeyRange& range, Revision revision, Visit&& visit) const {
    index_.visit(range, [&](Record newest, KeyIndex::Position) { return visit(newest, at(newest, revision)); });
  }

  /// The same as range(), until `budget` keys have been looked at, existing or not: each takes one of it. A record for
  /// which `visit` returns false counts as not visited. Returns the key at which to go on, if there is more in the
  /// range.
  template <typename Visit>
  std::optional<BytesView> range_some(const KeyRange& range, Revision revision, std::uint64_t& budget,
                                      Visit&& visit) const {
    std::optional<BytesView> rest;
    index_.visit(range, [&](Record newest, KeyIndex::Position) {
      const Record record = budget == 0 ? Record() : at(newest, revision);
      if (budget > 0 && (!record || visit(record))) {
        --budget;
        return true;
      }
      rest = newest.key();
      return false;
    });
    return rest;
  }

  /// How many keys `range` holds at `revision`.
  /// Bounds: O(leaves of the index in range), some nanoseconds each, and O(keys) in those that changed after
  /// `revision`.
  std::uint64_t count(const KeyRange& range, Revision revision) const;
  /// The same, until so many leaves and keys have been looked at as `budget` has: each takes one of it.
  KeyIndex::Count count_some(const KeyRange& range, Revision revision, std::uint64_t& budget) const;

  /// Visits every record, tombstones included, of the revisions [from, current_revision()] in the order of the changes
  /// until `visit(Record)` returns false. It may begin within a revision, at the change `sub` of it.
  /// Requires: from >= compact_revision(), and > if `sub` is not 0.
  template <typename Visit>
  void history(Revision from, Visit&& visit, std::int64_t sub = 0) const {
    ASSERT(from >= compacted_);
    for (std::size_t i = first_event(from) + static_cast<std::size_t>(sub); i < history_.size(); ++i) {
      if (history_[i].record.mod_revision() > current_ || !visit(history_[i].record)) return;
    }
  }

  /// The same for whoever reads a former state and keeps it from being freed: from any change on that compact_some()
  /// has not given up, whatever compact() said.
  template <typename Visit>
  void unfreed_history(RevisionPair from, Visit&& visit) const {
    for (std::size_t i = first_event(from); i < history_.size(); ++i) {
      if (history_[i].record.mod_revision() > current_ || !visit(history_[i].record)) return;
    }
  }

  /// Makes `revision` the oldest that can be read, at once: compacted, future_revision or done.
  Status<> compact(Revision revision);
  /// Frees what compact() gave up, looking at no more than `budget` records; true once nothing is left to free.
  bool compact_some(std::size_t budget);
  /// Whether nothing is left to free.
  bool is_compacted() const { return swept_ == history_.size() || history_[swept_].record.mod_revision() > compacted_; }

  /// What compact() gave up and compact_some() has not freed.
  std::uint64_t unfreed_bytes() const { return released_bytes_ - freed_bytes_; }

  /// What has changed since the last call, for a checkpoint: `put(Record)` for each record that was written and is
  /// still there, in revision order, then `erase(RevisionPair)` for each that an earlier call put and that was freed.
  template <typename Put, typename Erase>
  void take_changes(Put&& put, Erase&& erase) {
    for (const Unsaved& unsaved : unsaved_) {
      if (unsaved.record) put(unsaved.record);
    }
    for (const RevisionPair revision : freed_) erase(revision);
    // A burst leaves no memory behind.
    unsaved_ = {};
    freed_ = {};
    unsaved_bytes_ = 0;
    saved_ = current_;
  }
  /// About what take_changes() will give.
  std::uint64_t unsaved_bytes() const { return unsaved_bytes_; }
  std::size_t unsaved_count() const { return unsaved_.size() + freed_.size(); }

  /// dbSizeInUse: what the retained records take when encoded, plus a fixed base. It follows from the calls so far
  /// alone, not from what compact_some() has freed yet, so it is equal on all members.
  std::uint64_t encoded_bytes() const;

  /// How many keys there are now.
  std::uint64_t live_keys() const { return live_keys_; }
  /// How many records compactions have freed since the start; a figure for status pages.
  std::uint64_t freed_records() const { return freed_records_; }
  /// Counts on where the store that this one replaces has ended.
  void continue_figures(const Store& former) { freed_records_ += former.freed_records_; }

  /// Hash of the revision, the compact revision and all keys as they are now.
  /// Bounds: O(1), kept up with each change; check_invariants() computes it again.
  std::uint64_t hash() const;

  std::size_t key_count() const { return index_.size(); }
  MemoryUse memory() const;
  void check_invariants() const;

 private:
  friend class Transaction;
  friend class Restoration;

  struct Event {
    Record record;
    /// Bytes that compact(record.mod_revision()) gives up, of all records up to this one and since the beginning.
    std::uint64_t released_bytes;
  };

  /// What a store takes that holds nothing, and what the place of a record takes beside its message: both reckoned,
  /// so that they are equal everywhere.
  static constexpr std::uint64_t base_bytes = 16 * 1024;
  static constexpr std::uint64_t place_bytes = 16;
  static std::uint64_t bytes_of(Record record) { return place_bytes + record.encoded().size(); }

  /// The newest record of the chain up to `revision`, if any.
  Record newest_at(Record newest, Revision revision) const;
  /// The same, unless it is a tombstone.
  Record at(Record newest, Revision revision) const {
    const Record record = newest_at(newest, revision);
    return record && record.tombstone() ? Record() : record;
  }
  std::size_t first_event(Revision from) const;
  std::size_t first_event(RevisionPair from) const;
  void free(Record record);
  /// The same, and notes it for the next checkpoint.
  void give_up(Record record);
  void erase_tombstone(Record tombstone);

  Revision current_{1};
  Revision compacted_ = never_compacted;
  Arena arena_;
  KeyIndex index_;
  std::deque<Event> history_;
  /// The events at the front that compact_some() has looked at but that stay, because they are at compact_revision().
  std::size_t swept_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::uint64_t released_bytes_ = 0;       ///< By compact_revision(),
  std::uint64_t freed_bytes_ = 0;          ///< and of that by compact_some().
  std::uint64_t next_released_bytes_ = 0;  ///< What compact(current + 1) would give up if that changed nothing.
  std::uint64_t live_hash_ = 0;
  std::uint64_t live_keys_ = 0;
  std::uint64_t freed_records_ = 0;
  bool open_ = false;

  struct Unsaved {
    Revision main;
    Record record;  ///< None if it was freed since.
  };
  std::vector<Unsaved> unsaved_;     ///< Written behind `saved_`, in revision order.
  std::vector<RevisionPair> freed_;  ///< Of those up to `saved_`.
  std::uint64_t unsaved_bytes_ = 0;
  Revision saved_{1};
};

/// The changes of one request. They share one revision and are seen by reads at revision(), while reads at
/// current_revision() do not see them until commit(). Only one may be open; dropped without commit() it leaves no
/// trace. It may stay open over several steps of the replica.
class Transaction {
 public:
  explicit Transaction(Store& store);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  /// The revision of this transaction's changes, at which its own reads see them.
  Revision revision() const { return store_.current_.next(); }
  bool changed() const { return next_sub_ > 0; }
  /// current_revision() while nothing has changed, then revision(): etcd's header of an inner reply (contract 5.1).
  Revision header_revision() const { return changed() ? revision() : store_.current_; }

  struct Change {
    Record record;
    Record previous;  ///< None if the key did not exist.
  };
  Change put(BytesView key, BytesView value, LeaseId lease);
  /// Deletes all keys of `range` and calls `visit(Record previous)` for each in key order; returns their number.
  template <typename Visit>
  std::uint64_t delete_range(const KeyRange& range, Visit&& visit) {
    std::uint64_t deleted = 0;
    store_.index_.visit(range, [&](Record newest, KeyIndex::Position position) {
      if (newest.tombstone()) return true;
      visit(newest);
      append_tombstone(newest, position);
      ++deleted;
      return true;
    });
    return deleted;
  }
  std::uint64_t delete_range(const KeyRange& range) {
    return delete_range(range, [](Record) {});
  }

  Record get(BytesView key) const { return store_.get(key, revision()); }
  const Store& store() const { return store_; }

  /// Makes the changes visible; the store's revision rises iff there are any.
  void commit();

 private:
  void append_tombstone(Record newest, KeyIndex::Position position);
  friend class Restoration;
  /// Writes the next record of this revision; the caller puts it into the index.
  Record append(RecordFields fields, Record previous);
  void place(Record record, bool is_new, KeyIndex::Position position);
  void roll_back();

  Store& store_;
  std::uint64_t released_bytes_;            ///< What a compaction at revision() would give up ...
  std::uint64_t released_later_bytes_ = 0;  ///< ... and what only one behind it.
  std::uint64_t former_written_bytes_;
  std::uint64_t former_live_hash_;
  std::uint64_t former_live_keys_;
  std::int64_t next_sub_ = 0;
  std::size_t appended_ = 0;  ///< Records of this revision.
  bool open_ = true;
};

/// Puts the records of a checkpoint back into an empty store. It refuses what take_changes() never gave. The records of
/// a snapshot come otherwise: first those before the compaction, in the order of their keys, then those behind it.
class Restoration {
 public:
  explicit Restoration(Store& store) : store_(store) {}

  /// Requires: revisions rise. The message is a record's. False if it makes no sense.
  [[nodiscard]] bool add(RevisionPair revision, bool tombstone, BytesView message);
  /// One that is its key's only one from before the compaction. Requires: `revision` lies before it. False as above, or
  /// after the first add().
  [[nodiscard]] bool settle(RevisionPair revision, BytesView message);
  /// All are back, of a store that stood at these revisions. False if they cannot be.
  [[nodiscard]] bool finish(Revision current, Revision compacted);

 private:
  void end_revision();

  Store& store_;
  RevisionPair last_;
  std::optional<Transaction> transaction_;  ///< Of the revision that is being put back.
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_STORE_H_
