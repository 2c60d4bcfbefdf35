#include "storage/log_replay.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/base/assert.h"

namespace metastore::storage {

using Refusal = std::optional<std::string_view>;

namespace {

/// Entries are forgotten when they exceed what is kept by this part, so that each is moved a few times at most.
constexpr std::uint64_t excess_part = 4;

}  // namespace

LogReplay::LogReplay(LogIndex first_index, raft::Mark checkpoint, bool stands_before, const Limits& limits)
    : checkpoint_(std::move(checkpoint)),
      stands_before_(stands_before),
      entries_kept_(limits.log_entries_kept),
      bytes_kept_(limits.log_bytes_max),
      based_(first_index == LogIndex(0)) {
  ASSERT(!stands_before || first_index <= checkpoint_.index);
  if (!based_) floor_ = first_index.previous();
  log_.compacted.index = floor_;
}

LogIndex LogReplay::last_index() const {
  return log_.entries.empty() ? log_.compacted.index : log_.entries.back().index;
}

const raft::Entry& LogReplay::entry(LogIndex index) const {
  return log_.entries[index.value() - log_.compacted.index.value() - 1];
}

Refusal LogReplay::take(const Record& record) {
  if (const raft::Entry* entry = std::get_if<raft::Entry>(&record)) return take(*entry);
  if (const raft::HardState* state = std::get_if<raft::HardState>(&record)) return take(*state);
  if (const raft::Mark* mark = std::get_if<raft::Mark>(&record)) return take(*mark);
  return std::nullopt;
}

Refusal LogReplay::take(const raft::Entry& added) {
  if (added.index == LogIndex(0) || added.term == Term(0)) return "an entry without index or term";
  if (added.index <= log_.hard_state.commit) return "an entry replaces a committed one";
  if (added.type == raft::EntryType::conf_change && added.data.empty()) return "a configuration change without data";
  // An entry may replace some that went with the segments before.
  if (!based_ && added.index <= floor_) {
    drop(log_.entries.size());
    floor_ = added.index.previous();
    log_.compacted.index = floor_;
  }
  if (added.index <= log_.compacted.index) return "an entry stands before the log's mark";
  if (added.index > last_index().next()) return "an entry leaves a gap before it";
  if (added.index <= last_index() && entry(added.index).term == added.term) return "an entry replaces its own like";
  const LogIndex before = added.index.previous();
  const Term term_before = before == log_.compacted.index ? log_.compacted.term : entry(before).term;
  if (added.term < term_before) return "an entry's term is lower than that of the entry before";
  while (last_index() > before) {
    bytes_ -= log_.entries.back().data.size();
    log_.entries.pop_back();
  }
  bytes_ += added.data.size();
  log_.entries.push_back(added);
  return std::nullopt;
}

Refusal LogReplay::take(const raft::HardState& state) {
  const raft::HardState& current = log_.hard_state;
  if (state.term < current.term) return "the term falls";
  if (state.term == current.term && current.vote != MemberId(0) && state.vote != current.vote) {
    return "a second vote in one term";
  }
  if (state.commit < current.commit) return "the commit index falls";
  if (based_ && state.commit > last_index()) return "the log ends before its commit index";
  if (!log_.entries.empty() && state.term < log_.entries.back().term) return "the term is lower than the last entry's";
  log_.hard_state = state;
  if (has_excess()) trim();
  return std::nullopt;
}

Refusal LogReplay::take(const raft::Mark& mark) {
  // A later mark let the segments before go; this one does not reach to their end.
  if (!based_ && mark.index < floor_) return std::nullopt;
  if (mark.index < marked_) return "a mark stands before an earlier one";
  const bool was_based = based_;
  based_ = true;
  marked_ = mark.index;
  // What it stands for was forgotten already.
  if (mark.index < log_.compacted.index) return std::nullopt;
  const bool held =
      mark.index > log_.compacted.index && mark.index <= last_index() && entry(mark.index).term == mark.term;
  if (held) {
    drop(mark.index.value() - log_.compacted.index.value());
  } else if (mark.index != log_.compacted.index || (was_based && mark.term != log_.compacted.term)) {
    drop(log_.entries.size());
  }
  log_.compacted = mark;
  return std::nullopt;
}

void LogReplay::drop(std::size_t count) {
  if (count == 0) return;
  for (std::size_t i = 0; i < count; ++i) bytes_ -= log_.entries[i].data.size();
  const raft::Entry& last = log_.entries[count - 1];
  log_.compacted = {last.index, last.term, {}};
  log_.entries.erase(log_.entries.begin(), log_.entries.begin() + static_cast<std::ptrdiff_t>(count));
}

bool LogReplay::has_excess() const {
  return log_.entries.size() > entries_kept_ + entries_kept_ / excess_part ||
         bytes_ > bytes_kept_ + bytes_kept_ / excess_part;
}

void LogReplay::trim() {
  const LogIndex end = std::min(checkpoint_.index, log_.hard_state.commit);
  std::uint64_t bytes = bytes_;
  std::size_t count = 0;
  while (count < log_.entries.size() && log_.entries[count].index <= end &&
         (log_.entries.size() - count > entries_kept_ || bytes > bytes_kept_)) {
    bytes -= log_.entries[count++].data.size();
  }
  drop(count);
}

raft::Recovered LogReplay::release() {
  trim();
  if (log_.compacted.index > marked_) {
    // Who ruled there is known from the checkpoint, if nothing up to it changed that. What stands before the first
    // entry that was read has no term that is known.
    std::size_t count = log_.compacted.term == Term(0) && !log_.entries.empty() ? 1 : 0;
    for (std::size_t i = 0; i < log_.entries.size() && log_.entries[i].index <= checkpoint_.index; ++i) {
      if (log_.entries[i].type != raft::EntryType::normal) count = i + 1;
    }
    drop(count);
    log_.compacted.conf_state = checkpoint_.conf_state;
  }
  return std::move(log_);
}

Refusal LogReplay::finish() const {
  if (!based_ && !stands_before_) return "its first segments are gone and no mark stands for them";
  if (log_.hard_state.commit > last_index()) return "the log ends before its commit index";
  return std::nullopt;
}

}  // namespace metastore::storage
