#include "core/mvcc/store.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/base/encoder.h"
#include "core/mvcc/hash.h"

namespace metastore::mvcc {

Status<> Store::check_readable(Revision revision) const {
  if (revision > current_) return ErrorCode::future_revision;
  if (revision < compacted_) return ErrorCode::compacted;
  return Done{};
}

Record Store::newest_at(Record newest, Revision revision) const {
  Record record = newest;
  while (record && record.mod_revision() > revision) {
    // The target of a far link is newer than what we look for, and so than what may have been compacted, or unread.
    const Record::Far far = record.far();
    record = far.target != nullptr && far.main > revision ? Record(far.target) : record.previous();
  }
  return record;
}

Record Store::get(BytesView key, Revision revision) const { return at(index_.newest(key), revision); }

std::uint64_t Store::count(const KeyRange& range, Revision revision) const {
  std::uint64_t budget = std::numeric_limits<std::uint64_t>::max();
  return count_some(range, revision, budget).keys;
}

KeyIndex::Count Store::count_some(const KeyRange& range, Revision revision, std::uint64_t& budget) const {
  if (range.is_single()) return {.keys = get(range.key, revision) ? 1u : 0u, .rest = {}};
  return index_.count(range, revision, budget, [&](Record newest) { return static_cast<bool>(at(newest, revision)); });
}

std::size_t Store::first_event(Revision from) const {
  const auto first = std::partition_point(history_.begin(), history_.end(),
                                          [&](const Event& event) { return event.record.mod_revision() < from; });
  return static_cast<std::size_t>(first - history_.begin());
}

std::size_t Store::first_event(RevisionPair from) const {
  const auto first = std::partition_point(history_.begin(), history_.end(),
                                          [&](const Event& event) { return event.record.revision() < from; });
  return static_cast<std::size_t>(first - history_.begin());
}

Status<> Store::compact(Revision revision) {
  ASSERT(!open_);
  if (revision <= compacted_) return ErrorCode::compacted;
  if (revision > current_) return ErrorCode::future_revision;
  const std::size_t behind = first_event(revision.next());
  if (behind > 0) released_bytes_ = history_[behind - 1].released_bytes;
  compacted_ = revision;
  swept_ = 0;
  return Done{};
}

bool Store::compact_some(std::size_t budget) {
  for (; swept_ < history_.size(); --budget) {
    Record record = history_[swept_].record;
    if (record.mod_revision() > compacted_) return true;
    if (budget == 0) return false;
    const Record previous = record.previous();
    if (previous && previous.mod_revision() < compacted_) {
      record.forget_previous();
      give_up(previous);
    }
    if (record.mod_revision() == compacted_) {
      ++swept_;
    } else {
      history_.pop_front();
      if (record.tombstone()) erase_tombstone(record);
    }
  }
  return true;
}

void Store::erase_tombstone(Record tombstone) {
  const KeyIndex::Position position = index_.lower_bound(tombstone.key());
  Record newer = index_.newest(position, tombstone.key());
  if (newer == tombstone) {
    index_.erase(position);
  } else {
    const Revision revision = tombstone.mod_revision();
    for (;;) {
      const Record::Far far = newer.far();
      const Record next = far.target != nullptr && far.main > revision ? Record(far.target) : newer.previous();
      if (next == tombstone) break;
      newer = next;
    }
    newer.forget_previous();
  }
  give_up(tombstone);
}

void Store::give_up(Record record) {
  ++freed_records_;
  freed_bytes_ += bytes_of(record);
  const RevisionPair revision = record.revision();
  if (revision.main <= saved_) {
    freed_.push_back(revision);
  } else {
    // It leaves without ever having been saved.
    auto place = std::partition_point(unsaved_.begin(), unsaved_.end(),
                                      [&](const Unsaved& unsaved) { return unsaved.main < revision.main; });
    while (place->record != record) ++place;
    ASSERT(place->main == revision.main);
    place->record = Record();
  }
  free(record);
}

void Store::free(Record record) { arena_.free(record.data(), record.allocation_size()); }

std::uint64_t Store::encoded_bytes() const { return base_bytes + written_bytes_ - released_bytes_; }

std::uint64_t Store::hash() const {
  std::string state;
  Encoder encoder(state);
  encoder.tagged(current_);
  encoder.tagged(compacted_);
  encoder.u64(live_hash_);
  return hash_of(state);
}

MemoryUse Store::memory() const {
  return {arena_.held_bytes(), index_.memory_bytes(), history_.size() * sizeof(Event)};
}

}  // namespace metastore::mvcc
