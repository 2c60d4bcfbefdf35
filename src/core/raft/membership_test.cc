#include "core/raft/membership.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "core/proto/raft.pb.h"

namespace metastore::raft {
namespace {

using Changes = std::initializer_list<std::pair<raftpb::ConfChangeType, std::uint64_t>>;

constexpr auto add = raftpb::ConfChangeAddNode;
constexpr auto remove = raftpb::ConfChangeRemoveNode;
constexpr auto update = raftpb::ConfChangeUpdateNode;
constexpr auto learner = raftpb::ConfChangeAddLearnerNode;
constexpr auto by_itself = raftpb::ConfChangeTransitionAuto;
constexpr auto joint_explicit = raftpb::ConfChangeTransitionJointExplicit;

Entry single(std::uint64_t index, raftpb::ConfChangeType type, std::uint64_t id) {
  raftpb::ConfChange change;
  change.set_type(type);
  change.set_node_id(id);
  return {Term(1), LogIndex(index), EntryType::conf_change, Bytes::copy_of(change.SerializeAsString())};
}

Entry several(std::uint64_t index, raftpb::ConfChangeTransition transition, Changes changes) {
  raftpb::ConfChangeV2 change;
  if (transition != by_itself) change.set_transition(transition);
  for (const auto& [type, id] : changes) {
    raftpb::ConfChangeSingle& one = *change.add_changes();
    one.set_type(type);
    one.set_node_id(id);
  }
  return {Term(1), LogIndex(index), EntryType::conf_change_v2, Bytes::copy_of(change.SerializeAsString())};
}

ConfState voters(std::initializer_list<std::uint64_t> ids) {
  ConfState conf;
  for (const std::uint64_t id : ids) conf.voters.push_back(MemberId(id));
  return conf;
}

std::string after(const ConfState& before, const Entry& entry) { return describe(changed(before, entry)); }

TEST_CASE("a single change adds, promotes, demotes and removes at once") {
  CHECK(after({}, single(1, add, 7)) == "voters=7");
  CHECK(after(voters({2}), single(1, add, 1)) == "voters=1,2");
  CHECK(after(voters({1, 2}), single(1, add, 2)) == "voters=1,2");
  CHECK(after(voters({1}), single(1, learner, 2)) == "voters=1 learners=2");
  CHECK(after(changed(voters({1}), single(1, learner, 2)), single(2, add, 2)) == "voters=1,2");
  CHECK(after(voters({1, 2}), single(1, learner, 2)) == "voters=1 learners=2");
  CHECK(after(voters({1, 2}), single(1, remove, 1)) == "voters=2");
  CHECK(after(voters({1, 2}), single(1, remove, 3)) == "voters=1,2");
  CHECK(after(voters({1, 2}), single(1, update, 2)) == "voters=1,2");
  CHECK(after(voters({1, 2}), several(1, by_itself, {{add, 3}})) == "voters=1,2,3");
}

TEST_CASE("several changes are joint: both halves vote until it is left") {
  const ConfState joint = changed(voters({1, 2, 3}), several(1, by_itself, {{add, 4}, {remove, 1}, {learner, 2}}));
  CHECK(describe(joint) == "voters=3,4 outgoing=1,2,3 learners_next=2 auto_leave");
  CHECK(after(joint, several(2, by_itself, {})) == "voters=3,4 learners=2");
  // Another change does not fit on top of a joint one.
  CHECK(changed(joint, single(2, add, 9)) == joint);
  const ConfState asked = changed(voters({1}), several(1, joint_explicit, {{add, 2}}));
  CHECK(describe(asked) == "voters=1,2 outgoing=1");
  CHECK(after(asked, several(2, by_itself, {})) == "voters=1,2");
}

TEST_CASE("what cannot be decoded, or would leave no voter, changes nothing") {
  const Bytes garbage = Bytes::copy_of("\xff\xff");
  CHECK(after(voters({1}), {Term(1), LogIndex(1), EntryType::conf_change, garbage}) == "voters=1");
  CHECK(after(voters({1}), {Term(1), LogIndex(1), EntryType::conf_change_v2, garbage}) == "voters=1");
  CHECK(after(voters({1}), single(1, remove, 1)) == "voters=1");
  CHECK(after(voters({1}), several(1, by_itself, {})) == "voters=1");
  CHECK(after({}, single(1, learner, 1)) == "voters=");
}

TEST_CASE("the newest change in the log rules, and a replaced one no longer") {
  Membership membership(LogIndex(3), voters({1, 2, 3}));
  CHECK_FALSE(membership.append({Term(1), LogIndex(4), EntryType::normal, Bytes()}));
  CHECK(membership.append(single(5, add, 4)));
  CHECK_FALSE(membership.append(single(6, update, 4)));
  CHECK(membership.append(single(7, remove, 1)));
  CHECK(membership.index() == LogIndex(7));
  CHECK(membership.current() == voters({2, 3, 4}));

  CHECK_FALSE(membership.truncate_from(LogIndex(8)));
  CHECK(membership.truncate_from(LogIndex(7)));
  CHECK(membership.current() == voters({1, 2, 3, 4}));
  membership.compact(LogIndex(5));
  CHECK_FALSE(membership.truncate_from(LogIndex(6)));
  CHECK(membership.index() == LogIndex(5));
  CHECK(membership.current() == voters({1, 2, 3, 4}));
}

}  // namespace
}  // namespace metastore::raft
