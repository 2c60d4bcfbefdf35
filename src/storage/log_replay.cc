#include "storage/log_replay.h"

#include <cstddef>

#include "core/base/assert.h"

namespace metastore::storage {

using Refusal = std::optional<std::string_view>;

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
  if (!based_ && added.index <= log_.compacted.index) {
    log_.entries.clear();
    log_.compacted.index = added.index.previous();
  }
  if (added.index <= log_.compacted.index) return "an entry stands before the log's mark";
  if (added.index > last_index().next()) return "an entry leaves a gap before it";
  if (added.index <= last_index() && entry(added.index).term == added.term) return "an entry replaces its own like";
  const LogIndex before = added.index.previous();
  const Term term_before = before == log_.compacted.index ? log_.compacted.term : entry(before).term;
  if (added.term < term_before) return "an entry's term is lower than that of the entry before";
  log_.entries.resize(before.value() - log_.compacted.index.value());
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
  return std::nullopt;
}

Refusal LogReplay::take(const raft::Mark& mark) {
  // A later mark let the segments before go; this one does not reach to their end.
  if (!based_ && mark.index < log_.compacted.index) return std::nullopt;
  if (mark.index < log_.compacted.index) return "a mark stands before an earlier one";
  const bool held =
      mark.index > log_.compacted.index && mark.index <= last_index() && entry(mark.index).term == mark.term;
  if (held) {
    const std::size_t dropped = mark.index.value() - log_.compacted.index.value();
    log_.entries.erase(log_.entries.begin(), log_.entries.begin() + static_cast<std::ptrdiff_t>(dropped));
  } else if (mark.index != log_.compacted.index || (based_ && mark.term != log_.compacted.term)) {
    log_.entries.clear();
  }
  log_.compacted = mark;
  based_ = true;
  return std::nullopt;
}

Refusal LogReplay::finish() const {
  if (!based_) return "its first segments are gone and no mark stands for them";
  if (log_.hard_state.commit > last_index()) return "the log ends before its commit index";
  return std::nullopt;
}

}  // namespace metastore::storage
