// Which configuration rules. A change rules from the moment its entry is in the log, committed or not (thesis 4.1), and
// stops ruling when its entry is replaced. The rules of simple and joint changes are etcd's (raftpb.ConfChangeV2).
// It never decides whether a change may be proposed; that is the leader's business.
#ifndef METASTORE_CORE_RAFT_MEMBERSHIP_H_
#define METASTORE_CORE_RAFT_MEMBERSHIP_H_

#include <vector>

#include "core/raft/types.h"

namespace metastore::raft {

class Membership {
 public:
  Membership(LogIndex index, ConfState conf_state) : history_{{index, std::move(conf_state)}} {}

  const ConfState& current() const { return history_.back().conf_state; }
  /// The entry that made current() rule.
  LogIndex index() const { return history_.back().index; }
  /// What ruled before it; null once that is forgotten (compact()).
  const ConfState* former() const { return history_.size() < 2 ? nullptr : &history_[history_.size() - 2].conf_state; }

  /// Returns whether another configuration rules now. Requires: entries come in the order of their indexes.
  bool append(const Entry& entry);
  /// Entries from `first` on have been replaced. Returns whether another configuration rules now.
  bool truncate_from(LogIndex first);
  /// What ruled when the log ended at `index`. Requires: compact() was called with no larger one.
  const ConfState& at(LogIndex index) const;
  /// Entries up to `index` stay for good.
  void compact(LogIndex index);

 private:
  struct Version {
    LogIndex index;
    ConfState conf_state;
  };
  std::vector<Version> history_;  ///< Indexes rise; never empty.
};

/// The configuration that `entry` makes of `before`. A change that cannot be decoded, or that would leave no voter,
/// changes nothing, on every member alike.
ConfState changed(const ConfState& before, const Entry& entry);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_MEMBERSHIP_H_
