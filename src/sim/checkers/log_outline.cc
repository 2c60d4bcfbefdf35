#include "sim/checkers/log_outline.h"

#include <algorithm>
#include <iterator>

#include "core/base/assert.h"

namespace metastore::sim {

std::optional<Term> LogOutline::term_at(LogIndex index) const {
  if (index < base() || index > last_) return std::nullopt;
  const auto later = std::upper_bound(runs_.begin(), runs_.end(), index,
                                      [](LogIndex wanted, const Run& run) { return wanted < run.begin; });
  return std::prev(later)->term;
}

void LogOutline::put(LogIndex index, Term term) {
  ASSERT(index > base());
  ASSERT(index <= last_.next());
  cut_behind(index.previous());
  if (runs_.back().term != term) runs_.push_back({index, term});
  last_ = index;
}

void LogOutline::cut_behind(LogIndex index) {
  last_ = std::clamp(index, base(), last_);
  while (runs_.back().begin > last_) runs_.pop_back();
}

void LogOutline::begin_at(LogIndex base, Term term) {
  if (term_at(base) != term) {
    *this = LogOutline(base, term);
    return;
  }
  while (runs_.size() > 1 && runs_[1].begin <= base) runs_.erase(runs_.begin());
  runs_.front().begin = base;
}

}  // namespace metastore::sim
