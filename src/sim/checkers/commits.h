// O1, on what is committed. What a leader commits is an entry of its own term (older ones are committed with it, not by
// counting), and durable at a quorum of the voters; what others commit is what some leader has committed, and the same.
// Source: Ongaro's thesis, 3.6.2 and figure 3.7.
#ifndef METASTORE_SIM_CHECKERS_COMMITS_H_
#define METASTORE_SIM_CHECKERS_COMMITS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/atlas.h"
#include "sim/checkers/log_outline.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// Where a member stands at the end of a turn.
struct CommitContext {
  Term term;
  LogIndex commit;
  /// Of the entries up to there that were not committed at the end of its last turn, and that its log, or its mark,
  /// has.
  const std::vector<Term>& risen;
  bool is_leader = false;
  const std::vector<MemberId>& voters;  ///< As its log has them.
};

class CommitChecker {
 public:
  /// A new cluster begins with an entry of term 1 for each of its `founders`, which nobody needs to commit.
  CommitChecker(const Atlas& disks, std::uint64_t founders);

  /// At the end of a turn of `member`.
  std::optional<Violation> on_turn(Instant now, MemberId member, const CommitContext& context);
  /// Another life of `member` begins.
  void on_crash(MemberId member) { logs_[member].led = false; }

  /// How often a leader committed what nobody had, and how often others followed.
  std::uint64_t by_leaders() const { return by_leaders_; }
  std::uint64_t by_others() const { return by_others_; }

 private:
  struct Log {
    bool led = false;  ///< At the end of its last turn.
    /// Of the newest configuration, and of those before it that may commit it, too: the last one stands at the end.
    std::vector<std::vector<MemberId>> voters;
  };

  std::optional<Violation> on_risen(Instant now, MemberId member, const Log& log, const CommitContext& context);

  const Atlas& disks_;
  std::map<MemberId, Log> logs_;
  LogOutline committed_;
  std::uint64_t by_leaders_ = 0;
  std::uint64_t by_others_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_COMMITS_H_
