#include "core/raft/membership.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/proto/raft.pb.h"
#include "core/raft/quorum.h"

namespace metastore::raft {
namespace {

void insert(std::vector<MemberId>& members, MemberId id) {
  if (contains(members, id)) return;
  members.insert(std::lower_bound(members.begin(), members.end(), id), id);
}

void erase(std::vector<MemberId>& members, MemberId id) { std::erase(members, id); }

/// Etcd's rule for a voter that becomes a learner in a joint configuration: it keeps its vote in the outgoing half, so
/// it waits in learners_next until that half is left.
void make_learner(ConfState& conf, MemberId id) {
  erase(conf.voters, id);
  erase(conf.learners, id);
  erase(conf.learners_next, id);
  insert(contains(conf.voters_outgoing, id) ? conf.learners_next : conf.learners, id);
}

void apply(ConfState& conf, raftpb::ConfChangeType type, MemberId id) {
  if (id == MemberId()) return;
  switch (type) {
    case raftpb::ConfChangeAddNode:
      erase(conf.learners, id);
      erase(conf.learners_next, id);
      insert(conf.voters, id);
      return;
    case raftpb::ConfChangeAddLearnerNode:
      make_learner(conf, id);
      return;
    case raftpb::ConfChangeRemoveNode:
      erase(conf.voters, id);
      erase(conf.learners, id);
      erase(conf.learners_next, id);
      return;
    case raftpb::ConfChangeUpdateNode:
      return;
  }
}

ConfState left_joint(ConfState conf) {
  for (const MemberId id : conf.learners_next) insert(conf.learners, id);
  conf.learners_next.clear();
  conf.voters_outgoing.clear();
  conf.auto_leave = false;
  return conf;
}

ConfState changed_by(const ConfState& before, const raftpb::ConfChangeV2& change) {
  const bool is_joint = !before.voters_outgoing.empty();
  if (change.changes_size() == 0) return is_joint ? left_joint(before) : before;
  // A second change on top of a joint one would need a third half.
  if (is_joint) return before;
  ConfState after = before;
  const bool is_simple = change.transition() == raftpb::ConfChangeTransitionAuto && change.changes_size() == 1;
  if (!is_simple) {
    after.voters_outgoing = before.voters;
    after.auto_leave = change.transition() != raftpb::ConfChangeTransitionJointExplicit;
  }
  for (const raftpb::ConfChangeSingle& single : change.changes()) {
    apply(after, single.type(), MemberId(single.node_id()));
  }
  return after;
}

}  // namespace

ConfState changed(const ConfState& before, const Entry& entry) {
  raftpb::ConfChangeV2 change;
  if (entry.type == EntryType::conf_change) {
    raftpb::ConfChange single;
    if (!single.ParseFromArray(entry.data.data(), static_cast<int>(entry.data.size()))) return before;
    raftpb::ConfChangeSingle& only = *change.add_changes();
    only.set_type(single.type());
    only.set_node_id(single.node_id());
  } else if (!change.ParseFromArray(entry.data.data(), static_cast<int>(entry.data.size()))) {
    return before;
  }
  ConfState after = changed_by(before, change);
  return after.voters.empty() ? before : after;
}

bool Membership::append(const Entry& entry) {
  ASSERT(entry.index > index());
  if (entry.type == EntryType::normal) return false;
  ConfState after = changed(current(), entry);
  const bool is_other = after != current();
  history_.push_back({entry.index, std::move(after)});
  return is_other;
}

bool Membership::truncate_from(LogIndex first) {
  const ConfState before = current();
  while (index() >= first) {
    ASSERT(history_.size() > 1);
    history_.pop_back();
  }
  return before != current();
}

const ConfState& Membership::at(LogIndex index) const {
  auto version = history_.rbegin();
  while (version->index > index) {
    ++version;
    ASSERT(version != history_.rend());
  }
  return version->conf_state;
}

void Membership::compact(LogIndex index) {
  const auto rules_there = std::find_if(history_.rbegin(), history_.rend(),
                                        [index](const Version& version) { return version.index <= index; });
  if (rules_there != history_.rend()) history_.erase(history_.begin(), rules_there.base() - 1);
}

}  // namespace metastore::raft
