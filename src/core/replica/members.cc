#include "core/replica/members.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/encoder.h"
#include "core/mvcc/hash.h"
#include "core/replica/membership_changes.h"

namespace metastore {

MembershipChange Members::apply_conf_change(const raft::Entry& entry) {
  ASSERT(entry.type == raft::EntryType::conf_change);
  ++version_;
  hash_.reset();
  std::optional<MembershipChange> decoded = decode_membership_change(entry.data.view());
  ASSERT(decoded.has_value());
  const MembershipChange& change = *decoded;
  const MemberId id = change.member.id;
  switch (change.kind) {
    case MembershipChange::Kind::add:
    case MembershipChange::Kind::add_learner:
      ASSERT(!removed_.contains(id));
      members_[id] = change.member;
      break;
    case MembershipChange::Kind::promote:
      if (const auto found = members_.find(id); found != members_.end()) found->second.is_learner = false;
      break;
    case MembershipChange::Kind::remove:
      members_.erase(id);
      removed_.insert(id);
      break;
    case MembershipChange::Kind::update:
      if (const auto found = members_.find(id); found != members_.end()) {
        found->second.peer_urls = change.member.peer_urls;
      }
      break;
  }
  return *std::move(decoded);
}

void Members::publish(kv::MemberAttributes attributes) {
  const auto found = members_.find(attributes.member);
  if (found == members_.end()) return;
  ++version_;
  hash_.reset();
  found->second.name = std::move(attributes.name);
  found->second.client_urls = std::move(attributes.client_urls);
  found->second.data_id = attributes.data_id;
  found->second.version = std::move(attributes.version);
}

const Member* Members::find(MemberId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

std::uint64_t Members::hash() const {
  if (!hash_.has_value()) hash_ = computed_hash();
  return *hash_;
}

std::uint64_t Members::computed_hash() const {
  std::string state;
  Encoder out(state);
  const auto put_urls = [&](const std::vector<std::string>& urls) {
    out.u64(urls.size());
    for (const std::string& url : urls) out.bytes(url);
  };
  out.u64(members_.size());
  for (const auto& [id, member] : members_) {
    out.tagged(id);
    out.bytes(member.name);
    put_urls(member.peer_urls);
    put_urls(member.client_urls);
    out.boolean(member.is_learner);
    out.u64(member.data_id);
    out.bytes(member.version);
  }
  for (const MemberId id : removed_) out.tagged(id);
  return mvcc::hash_of(state);
}

std::vector<raft::Entry> bootstrap_entries(std::vector<Member> members) {
  // Ids are unique: a total order.
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.id < b.id; });
  std::vector<raft::Entry> entries;
  for (const Member& member : members) {
    const MembershipChange change{MembershipChange::Kind::add, member};
    entries.push_back({Term(1), LogIndex(entries.size() + 1), raft::EntryType::conf_change, encode(change, 0)});
  }
  return entries;
}

}  // namespace metastore
