// O3: what was acknowledged survives every crash. Judged as replies come in, with a revision a key and no model, so
// that a lost write is named the moment somebody could have seen it.
#ifndef METASTORE_SIM_CHECKERS_DURABILITY_H_
#define METASTORE_SIM_CHECKERS_DURABILITY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/checkers/violation.h"
#include "sim/operation.h"

namespace metastore::sim {

class DurabilityChecker {
 public:
  /// To be told of each operation before it is sent.
  void on_invoked(const Operation& operation);
  /// To be told of each operation that was answered, in order of time. An unknown outcome may be left out.
  std::optional<Violation> on_returned(const Operation& operation);
  std::uint64_t judged() const { return judged_; }

 private:
  struct Written {
    std::int64_t revision = 0;
    Instant returned;
  };
  /// Keys that may go away until the deletion is answered; those of an unknown outcome, for ever.
  struct OpenDeletion {
    std::uint64_t operation = 0;
    std::vector<KeyRange> ranges;
  };
  struct EndedDeletion {
    Instant ended;
    std::vector<KeyRange> ranges;
  };

  std::int64_t acknowledged_before(Instant when) const;
  void end_deletion(const Operation& operation);
  void record(const Put& put, const Operation& operation);
  std::optional<Violation> judge_read(const Get& get, const Operation& operation) const;

  /// Replies that raised the newest revision, by time.
  std::vector<Written> acknowledged_;
  std::map<std::string, Written, std::less<>> written_;
  std::set<std::string, std::less<>> leased_;  ///< Keys that hung on a lease, and may have gone with it.
  std::vector<OpenDeletion> open_;
  std::deque<EndedDeletion> ended_;  ///< The latest ones; older than every open operation is of no interest.
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_DURABILITY_H_
