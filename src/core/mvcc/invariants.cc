#include <algorithm>
#include <vector>

#include "core/mvcc/hash.h"
#include "core/mvcc/store.h"

namespace metastore::mvcc {

/// Computes from the chains alone what the store keeps up incrementally.
void Store::check_invariants() const {
  ASSERT(compacted_ <= current_);
  index_.check_invariants();
  const RevisionPair oldest_in_history =
      history_.empty() ? RevisionPair{current_.next()} : history_.front().record.revision();
  const bool swept = swept_ == history_.size() || history_[swept_].record.mod_revision() > compacted_;
  std::vector<Record> recent;
  std::uint64_t retained_bytes = 0;
  std::uint64_t held_bytes = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t live_hash = 0;
  std::uint64_t live_keys = 0;
  index_.visit(KeyRange::all(), [&](Record newest, KeyIndex::Position) {
    if (!newest.tombstone()) {
      live_hash += hash_of(newest);
      ++live_keys;
    }
    Record newer;
    for (Record record = newest; record; newer = record, record = record.previous()) {
      const bool superseded = newer && newer.mod_revision() <= compacted_;
      const bool retained = record.mod_revision() >= compacted_ || (!record.tombstone() && !superseded);
      ASSERT(retained || !swept);
      ASSERT(!newer || (newer.key() == record.key() && newer.revision() > record.revision()));
      ASSERT(!newer || newer.ordinal() == record.ordinal() + 1);
      ASSERT(record.mod_revision() <= current_ || open_);
      held_bytes += bytes_of(record);
      if (retained) retained_bytes += bytes_of(record);
      allocated_bytes += record.allocation_size();
      if (record.revision() >= oldest_in_history) recent.push_back(record);
    }
    return true;
  });
  ASSERT(retained_bytes == written_bytes_ - released_bytes_);
  ASSERT(held_bytes == written_bytes_ - freed_bytes_);
  ASSERT(allocated_bytes == arena_.used_bytes());
  ASSERT(live_hash == live_hash_);
  ASSERT(live_keys == live_keys_);

  // Revisions are unique: a total order.
  std::sort(recent.begin(), recent.end(), [](Record a, Record b) { return a.revision() < b.revision(); });
  ASSERT(std::equal(recent.begin(), recent.end(), history_.begin(), history_.end(),
                    [](Record record, const Event& event) { return record == event.record; }));
}

}  // namespace metastore::mvcc
