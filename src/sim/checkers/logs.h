// O1, on what logs are told to hold. Within its term a leader only appends; and whoever is in its term writes nothing
// but what the leader's log has.
// Source: leader append-only and log matching (Ongaro's thesis, figure 3.2).
#ifndef METASTORE_SIM_CHECKERS_LOGS_H_
#define METASTORE_SIM_CHECKERS_LOGS_H_

#include <cstdint>
#include <map>
#include <optional>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/atlas.h"
#include "sim/checkers/log_outline.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

class LogChecker {
 public:
  /// `logs` has heard of what a turn wrote before this has.
  explicit LogChecker(const Atlas& logs) : logs_(logs) {}

  /// In a turn of `member`, at whose end it is in `term`, it writes an entry.
  std::optional<Violation> on_entry(Instant now, MemberId member, Term term, LogIndex index, Term of);
  /// At the end of the turn, behind its entries.
  void on_turn(MemberId member, Term term, bool is_leader);
  /// Another life of `member` begins.
  void on_crash(MemberId member) { terms_.erase(member); }

  /// Entries that were looked up in the log of a leader.
  std::uint64_t judged() const { return judged_; }

 private:
  struct Lead {
    MemberId leader;
    LogOutline log;  ///< As it was when the term began, and what the leader has appended since.
  };

  const Atlas& logs_;
  std::map<MemberId, Term> terms_;  ///< At the end of the last turn.
  std::map<Term, Lead> leads_;
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_LOGS_H_
