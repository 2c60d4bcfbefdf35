#include "core/mvcc/hash.h"
#include "core/mvcc/store.h"

namespace metastore::mvcc {

Transaction::Transaction(Store& store)
    : store_(store),
      released_bytes_(store.next_released_bytes_),
      former_written_bytes_(store.written_bytes_),
      former_live_hash_(store.live_hash_),
      former_live_keys_(store.live_keys_) {
  ASSERT(!store_.open_);
  store_.open_ = true;
}

Transaction::~Transaction() {
  if (open_) roll_back();
}

Transaction::Change Transaction::put(BytesView key, BytesView value, LeaseId lease) {
  const KeyIndex::Position position = store_.index_.lower_bound(key);
  const Record newest = store_.index_.newest(position, key);
  const bool exists = newest && !newest.tombstone();
  RecordFields fields;
  fields.key = key;
  fields.create_revision = exists ? newest.create_revision() : revision();
  fields.version = exists ? newest.version() + 1 : 1;
  fields.value = value;
  fields.lease = lease;
  const Record record = append(fields, newest);
  place(record, !newest, position);
  return {record, exists ? newest : Record()};
}

void Transaction::place(Record record, bool is_new, KeyIndex::Position position) {
  if (is_new) {
    store_.index_.insert(position, record);
  } else {
    store_.index_.replace(position, record);
  }
}

void Transaction::append_tombstone(Record newest, KeyIndex::Position position) {
  RecordFields fields;
  fields.key = newest.key();
  fields.tombstone = true;
  store_.index_.replace(position, append(fields, newest));
}

Record Transaction::append(RecordFields fields, Record previous) {
  ASSERT(open_);
  fields.mod = {revision(), next_sub_++};
  const std::size_t size = Record::allocation_size(fields, previous);
  const Record record = Record::write(store_.arena_.allocate(size), fields, previous, store_.compacted_);
  store_.written_bytes_ += Store::bytes_of(record);
  if (previous && !previous.tombstone()) {
    store_.live_hash_ -= hash_of(previous);
    --store_.live_keys_;
    // Whatever a compaction's own revision wrote, it retains; only the next one gives it up.
    (previous.mod_revision() < revision() ? released_bytes_ : released_later_bytes_) += Store::bytes_of(previous);
  }
  if (record.tombstone()) {
    released_later_bytes_ += Store::bytes_of(record);
  } else {
    store_.live_hash_ += hash_of(record);
    ++store_.live_keys_;
  }
  store_.history_.push_back({record, released_bytes_});
  ++appended_;
  return record;
}

void Transaction::commit() {
  ASSERT(open_);
  if (changed()) {
    const Revision main = revision();
    store_.current_ = main;
    store_.next_released_bytes_ = released_bytes_ + released_later_bytes_;
    const auto first = store_.history_.end() - static_cast<std::ptrdiff_t>(appended_);
    for (auto event = first; event != store_.history_.end(); ++event) {
      store_.unsaved_.push_back({main, event->record});
      store_.unsaved_bytes_ += Store::bytes_of(event->record);
    }
  }
  open_ = store_.open_ = false;
}

void Transaction::roll_back() {
  for (; appended_ > 0; --appended_) {
    const Record record = store_.history_.back().record;
    const KeyIndex::Position position = store_.index_.lower_bound(record.key());
    ASSERT(store_.index_.newest(position, record.key()) == record);
    if (const Record previous = record.previous()) {
      store_.index_.replace(position, previous);
    } else {
      store_.index_.erase(position);
    }
    store_.history_.pop_back();
    store_.free(record);
  }
  store_.written_bytes_ = former_written_bytes_;
  store_.live_hash_ = former_live_hash_;
  store_.live_keys_ = former_live_keys_;
  open_ = store_.open_ = false;
}

}  // namespace metastore::mvcc
