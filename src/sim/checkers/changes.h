// Contract 5.8, on changes of members that a member refuses before anybody else hears of them: it does so if and only
// if too few voters have started, or too few of those who would vote are there, connected for long enough.
// Source: etcd 887c8486d, where a cluster that had a quorum refused another member.
#ifndef METASTORE_SIM_CHECKERS_CHANGES_H_
#define METASTORE_SIM_CHECKERS_CHANGES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

enum class ChangeAnswer : std::uint8_t { done, not_enough_started, unhealthy, otherwise };

/// A row of a member's table.
struct MemberSeen {
  MemberId id;
  bool is_learner = false;
  bool has_started = false;
};

/// Of one member, in one life. Times are the member's; turns are counted.
class ChangeChecker {
 public:
  ChangeChecker(MemberId self, Duration settling) : self_(self), settling_(settling) {}

  void on_connected(Instant now, MemberId peer) { connected_.emplace(peer, now); }
  void on_disconnected(MemberId peer) { connected_.erase(peer); }

  /// Somebody asks to add a member,
  void on_addition(Instant now, std::uint64_t turn, RequestId id, bool is_learner,
                   const std::vector<MemberSeen>& members);
  /// or to remove one.
  void on_removal(Instant now, std::uint64_t turn, RequestId id, MemberId target,
                  const std::vector<MemberSeen>& members);
  std::optional<Violation> on_answered(Instant now, std::uint64_t turn, RequestId id, ChangeAnswer answer);

  std::uint64_t judged() const { return judged_; }

 private:
  struct Asked {
    std::uint64_t turn = 0;
    ChangeAnswer due = ChangeAnswer::done;
  };

  bool is_there(Instant now, MemberId member) const;

  MemberId self_;
  Duration settling_;
  std::map<MemberId, Instant> connected_;  ///< And since when.
  std::map<RequestId, Asked> asked_;
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_CHANGES_H_
