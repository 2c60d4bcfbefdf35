#include "core/replica/members.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/assert.h"
#include "core/proto/raft.pb.h"

namespace metastore {
namespace {

// A configuration change's context is etcd's JSON of the member.
std::string to_context(const Member& member) {
  nlohmann::json context;
  context["id"] = member.id.value();
  context["peerURLs"] = member.peer_urls;
  if (!member.name.empty()) context["name"] = member.name;
  if (member.is_learner) context["isLearner"] = true;
  return context.dump();
}

Member from_context(MemberId id, const std::string& text) {
  const nlohmann::json context = nlohmann::json::parse(text, nullptr, false);
  ASSERT(context.is_object());
  Member member{.id = id};
  if (const auto found = context.find("name"); found != context.end() && found->is_string()) member.name = *found;
  if (const auto found = context.find("peerURLs"); found != context.end() && found->is_array()) {
    for (const nlohmann::json& url : *found) {
      ASSERT(url.is_string());
      member.peer_urls.push_back(url);
    }
  }
  return member;
}

}  // namespace

void Members::apply_conf_change(const raft::Entry& entry) {
  ASSERT(entry.type == raft::EntryType::conf_change);
  ++version_;
  raftpb::ConfChange change;
  ASSERT(change.ParseFromArray(entry.data.data(), static_cast<int>(entry.data.size())));
  const MemberId id(change.node_id());
  switch (change.type()) {
    case raftpb::ConfChangeAddNode:
    case raftpb::ConfChangeAddLearnerNode: {
      ASSERT(!removed_.contains(id));
      Member member = from_context(id, change.context());
      member.is_learner = change.type() == raftpb::ConfChangeAddLearnerNode;
      members_[id] = std::move(member);
      return;
    }
    case raftpb::ConfChangeRemoveNode:
      members_.erase(id);
      removed_.insert(id);
      return;
    case raftpb::ConfChangeUpdateNode:
      if (const auto found = members_.find(id); found != members_.end()) {
        found->second.peer_urls = from_context(id, change.context()).peer_urls;
      }
      return;
  }
  UNREACHABLE();
}

void Members::publish(kv::MemberAttributes attributes) {
  const auto found = members_.find(attributes.member);
  if (found == members_.end()) return;
  ++version_;
  found->second.name = std::move(attributes.name);
  found->second.client_urls = std::move(attributes.client_urls);
  found->second.data_id = attributes.data_id;
}

const Member* Members::find(MemberId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

std::vector<raft::Entry> bootstrap_entries(std::vector<Member> members) {
  // Ids are unique: a total order.
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.id < b.id; });
  std::vector<raft::Entry> entries;
  for (const Member& member : members) {
    raftpb::ConfChange change;
    change.set_type(raftpb::ConfChangeAddNode);
    change.set_node_id(member.id.value());
    change.set_context(to_context(member));
    entries.push_back({Term(1), LogIndex(entries.size() + 1), raft::EntryType::conf_change,
                       Bytes::copy_of(change.SerializeAsString())});
  }
  return entries;
}

}  // namespace metastore
