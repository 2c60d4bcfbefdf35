#include "core/raft/log.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore::raft {

std::uint64_t size_bytes(const Entry& entry) {
  constexpr std::uint64_t overhead = 64;
  return overhead + entry.data.size();
}

Log::Log(LogIndex compacted_index, Term compacted_term, std::vector<Entry> entries)
    : compacted_index_(compacted_index), compacted_term_(compacted_term), applied_(compacted_index) {
  for (Entry& entry : entries) append(std::move(entry));
  written_ = persisted_ = last_index();
}

Term Log::term_at(LogIndex index) const { return index == compacted_index_ ? compacted_term_ : entry(index).term; }

const Entry& Log::entry(LogIndex index) const {
  ASSERT(index > compacted_index_);
  ASSERT(index <= last_index());
  return entries_[index.value() - compacted_index_.value() - 1];
}

bool Log::matches(LogIndex index, Term term) const {
  return index >= compacted_index_ && index <= last_index() && term_at(index) == term;
}

LogIndex Log::newest_not_above(LogIndex limit, Term term) const {
  const auto above =
      std::partition_point(entries_.begin(), entries_.end(), [term](const Entry& entry) { return entry.term <= term; });
  const LogIndex newest = compacted_index_.plus(static_cast<std::uint64_t>(above - entries_.begin()));
  return std::min(std::max(limit, compacted_index_), newest);
}

std::vector<Entry> Log::slice(LogIndex first, std::uint64_t bytes_max) const {
  std::vector<Entry> entries;
  std::uint64_t bytes = 0;
  for (LogIndex index = first; index <= last_index(); index = index.next()) {
    const Entry& next = entry(index);
    bytes += size_bytes(next);
    if (!entries.empty() && bytes > bytes_max) break;
    entries.push_back(next);
  }
  return entries;
}

void Log::append(Entry entry) {
  ASSERT(entry.index == last_index().next());
  ASSERT(entry.term >= last_term());
  entries_.push_back(std::move(entry));
}

void Log::truncate_from(LogIndex first) {
  ASSERT(first > applied_);
  ASSERT(first <= last_index());
  entries_.resize(first.value() - compacted_index_.value() - 1);
  const LogIndex kept = first.previous();
  written_ = std::min(written_, kept);
  persisted_ = std::min(persisted_, kept);
  for (Batch& batch : batches_) batch.last = std::min(batch.last, kept);
}

std::vector<Entry> Log::take_unwritten(LogWriteId id) {
  std::vector<Entry> entries(
      entries_.begin() + static_cast<std::ptrdiff_t>(written_.value() - compacted_index_.value()), entries_.end());
  written_ = last_index();
  batches_.push_back({id, written_});
  return entries;
}

void Log::on_written(LogWriteId id) {
  while (!batches_.empty() && batches_.front().id <= id) {
    persisted_ = std::max(persisted_, batches_.front().last);
    batches_.pop_front();
  }
}

LogWriteId Log::write_of(LogIndex index, LogWriteId next) const {
  if (index <= persisted_) return LogWriteId();
  for (const Batch& batch : batches_) {
    if (batch.last >= index) return batch.id;
  }
  return next;
}

void Log::on_applied(LogIndex index, LogIndex checkpointed, LogIndex held, const Limits& limits) {
  ASSERT(checkpointed <= index);
  ASSERT(index >= applied_);
  ASSERT(index <= last_index());
  for (; applied_ < index; applied_ = applied_.next()) applied_bytes_ += size_bytes(entry(applied_.next()));
  compact(checkpointed, held, limits);
}

bool Log::is_kept_after(LogIndex index, const Limits& limits) const {
  if (index < compacted_index_ || index.plus(limits.log_entries_kept / 2) < last_index()) return false;
  std::uint64_t bytes = 0;
  while (index < last_index() && bytes <= limits.log_bytes_max / 2) bytes += size_bytes(entry(index = index.next()));
  return bytes <= limits.log_bytes_max / 2;
}

void Log::restart_at(LogIndex index, Term term) {
  ASSERT(!matches(index, term));
  ASSERT(index > applied_);
  entries_.clear();
  // What these writes hold counts for nothing any more.
  batches_.clear();
  compacted_index_ = applied_ = written_ = persisted_ = index;
  compacted_term_ = term;
  applied_bytes_ = 0;
}

void Log::compact(LogIndex checkpointed, LogIndex held, const Limits& limits) {
  while (compacted_index_ < std::min(checkpointed, persisted_)) {
    if (compacted_index_ >= held && applied_bytes_ <= limits.log_held_bytes_max) return;
    const std::uint64_t applied_entries = applied_.value() - compacted_index_.value();
    if (applied_entries <= limits.log_entries_kept && applied_bytes_ <= limits.log_bytes_max) return;
    applied_bytes_ -= size_bytes(entries_.front());
    compacted_term_ = entries_.front().term;
    compacted_index_ = compacted_index_.next();
    entries_.pop_front();
  }
}

void Log::check_invariants() const {
  ASSERT(compacted_index_ <= applied_);
  ASSERT(applied_ <= last_index());
  ASSERT(compacted_index_ <= persisted_);
  ASSERT(persisted_ <= written_);
  ASSERT(written_ <= last_index());
  LogIndex index = compacted_index_;
  Term term = compacted_term_;
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries_) {
    ASSERT(entry.index == index.next());
    ASSERT(entry.term >= term);
    index = entry.index;
    term = entry.term;
    if (index <= applied_) bytes += size_bytes(entry);
  }
  ASSERT(bytes == applied_bytes_);
  LogWriteId id;
  LogIndex last;
  for (const Batch& batch : batches_) {
    ASSERT(batch.id > id);
    ASSERT(batch.last >= last);
    ASSERT(batch.last <= written_);
    id = batch.id;
    last = batch.last;
  }
}

}  // namespace metastore::raft
