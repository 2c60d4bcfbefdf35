#include "core/mvcc/hash.h"
#include "core/mvcc/store.h"

namespace metastore::mvcc {

bool Restoration::add(RevisionPair revision, bool tombstone, BytesView message) {
  RecordFields fields;
  if (!parse(message, fields) || fields.mod.main != revision.main || revision.sub < 0) return false;
  if (revision <= last_ || revision.main <= Revision(1)) return false;
  if (tombstone != (fields.version == 0)) return false;
  fields.tombstone = tombstone;
  if (transaction_.has_value() && last_.main != revision.main) end_revision();
  if (!transaction_.has_value()) {
    store_.current_ = revision.main.previous();
    transaction_.emplace(store_);
  }
  last_ = revision;
  const KeyIndex::Position position = store_.index_.lower_bound(fields.key);
  const Record newest = store_.index_.newest(position, fields.key);
  // Those between may have been compacted.
  transaction_->next_sub_ = revision.sub;
  transaction_->place(transaction_->append(fields, newest), !newest, position);
  return true;
}

bool Restoration::settle(RevisionPair revision, BytesView message) {
  RecordFields fields;
  if (!parse(message, fields) || fields.mod.main != revision.main || revision.sub < 0) return false;
  if (revision.main <= Revision(1) || fields.version <= 0 || last_ != RevisionPair{}) return false;
  fields.mod = revision;
  const KeyIndex::Position position = store_.index_.lower_bound(fields.key);
  if (store_.index_.newest(position, fields.key)) return false;
  char* const memory = store_.arena_.allocate(Record::allocation_size(fields, Record()));
  const Record record = Record::write(memory, fields, Record(), store_.compacted_);
  store_.index_.insert(position, record);
  store_.written_bytes_ += Store::bytes_of(record);
  store_.live_hash_ += hash_of(record);
  ++store_.live_keys_;
  return true;
}

void Restoration::end_revision() {
  transaction_->commit();
  transaction_.reset();
}

bool Restoration::finish(Revision current, Revision compacted) {
  if (transaction_.has_value()) end_revision();
  if (current < store_.current_ || compacted > current) return false;
  store_.current_ = current;
  // What is back is saved; what the compaction gives up is to be erased.
  store_.take_changes([](Record) {}, [](RevisionPair) {});
  if (compacted == never_compacted) return true;
  return store_.compact(compacted).ok() && store_.compact_some(static_cast<std::size_t>(-1));
}

}  // namespace metastore::mvcc
