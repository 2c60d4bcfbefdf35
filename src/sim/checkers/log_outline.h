// The terms of a log's entries, and nothing else of them: a few runs, however long the log is.
#ifndef METASTORE_SIM_CHECKERS_LOG_OUTLINE_H_
#define METASTORE_SIM_CHECKERS_LOG_OUTLINE_H_

#include <optional>
#include <vector>

#include "core/base/tagged.h"

namespace metastore::sim {

/// Invariants: 1. runs begin later one by one, the first at the log's base. 2. No run begins behind the last entry.
class LogOutline {
 public:
  /// It begins behind entry `base`, of which it knows the term as well.
  explicit LogOutline(LogIndex base = LogIndex(), Term term = Term()) : runs_{{base, term}}, last_(base) {}

  LogIndex base() const { return runs_.front().begin; }
  LogIndex last() const { return last_; }
  /// None outside base() to last().
  std::optional<Term> term_at(LogIndex index) const;

  /// What stood there, and behind it, goes. Requires: base() < index, which is at most one behind last().
  void put(LogIndex index, Term term);
  void cut_behind(LogIndex index);
  /// What is before `base` is not known any more; nor is what is behind it, if another term was known there.
  void begin_at(LogIndex base, Term term);

 private:
  struct Run {
    LogIndex begin;
    Term term;
  };

  std::vector<Run> runs_;
  LogIndex last_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_LOG_OUTLINE_H_
