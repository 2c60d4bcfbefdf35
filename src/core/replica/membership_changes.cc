#include "core/replica/membership_changes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "core/base/urls.h"
#include "core/proto/raft.pb.h"
#include "core/replica/member_id.h"

namespace metastore {
namespace {

using Kind = MembershipChange::Kind;

raftpb::ConfChangeType type_of(Kind kind) {
  switch (kind) {
    case Kind::add:
    case Kind::promote:
      return raftpb::ConfChangeAddNode;
    case Kind::add_learner:
      return raftpb::ConfChangeAddLearnerNode;
    case Kind::remove:
      return raftpb::ConfChangeRemoveNode;
    case Kind::update:
      return raftpb::ConfChangeUpdateNode;
  }
  UNREACHABLE();
}

std::string to_context(const MembershipChange& change) {
  nlohmann::json context;
  context["id"] = change.member.id.value();
  context["peerURLs"] = change.member.peer_urls;
  if (!change.member.name.empty()) context["name"] = change.member.name;
  if (change.kind == Kind::add_learner) context["isLearner"] = true;
  if (change.kind == Kind::promote) context["isPromote"] = true;
  return context.dump();
}

/// As parse_url() reads them, sorted, so that one URL has one spelling; what is no URL stays as it came.
std::vector<std::string> spelled_alike(const std::vector<BytesView>& urls) {
  std::vector<std::string> texts;
  for (const BytesView text : urls) {
    const Result<Url, std::string> url = parse_url(text);
    texts.push_back(url ? to_string(url.value()) : std::string(text));
  }
  // Texts have a total order.
  std::sort(texts.begin(), texts.end());
  return texts;
}

struct Voters {
  std::size_t all = 0;
  std::size_t started = 0;

  void count(bool has_started) {
    ++all;
    if (has_started) ++started;
  }
  std::size_t quorum() const { return all / 2 + 1; }
};

/// Without it nobody would be left to lead. Deviates: etcd, unless it checks strictly, takes its removal and panics.
bool is_only_voter(const Members& members, MemberId id) {
  return std::all_of(members.all().begin(), members.all().end(),
                     [id](const auto& entry) { return entry.second.is_learner == (entry.first != id); });
}

std::size_t settled(const Members& members, const Connections& connections, Instant settled_by) {
  std::size_t count = 0;
  for (const auto& [id, member] : members.all()) {
    const auto found = connections.since.find(id);
    const bool is_settled = found != connections.since.end() && found->second <= settled_by;
    if (!member.is_learner && (id == connections.self || is_settled)) ++count;
  }
  return count;
}

}  // namespace

Bytes encode(const MembershipChange& change, std::uint64_t proposal_id) {
  raftpb::ConfChange message;
  if (proposal_id != 0) message.set_id(proposal_id);
  message.set_type(type_of(change.kind));
  message.set_node_id(change.member.id.value());
  if (change.kind != Kind::remove) message.set_context(to_context(change));
  return Bytes::copy_of(message.SerializeAsString());
}

std::optional<MembershipChange> decode_membership_change(BytesView entry) {
  raftpb::ConfChange message;
  if (!message.ParseFromArray(entry.data(), static_cast<int>(entry.size()))) return std::nullopt;
  MembershipChange change{.kind = Kind::remove, .member = {.id = MemberId(message.node_id())}};
  if (message.type() == raftpb::ConfChangeRemoveNode) return change;

  const nlohmann::json context = nlohmann::json::parse(message.context(), nullptr, false);
  if (!context.is_object()) return std::nullopt;
  if (const auto found = context.find("name"); found != context.end() && found->is_string()) {
    change.member.name = *found;
  }
  if (const auto found = context.find("peerURLs"); found != context.end() && found->is_array()) {
    for (const nlohmann::json& url : *found) {
      if (!url.is_string()) return std::nullopt;
      change.member.peer_urls.push_back(url);
    }
  }
  const auto promotes = context.find("isPromote");
  const bool is_promotion = promotes != context.end() && promotes->is_boolean() && *promotes;
  if (message.type() == raftpb::ConfChangeAddNode) change.kind = is_promotion ? Kind::promote : Kind::add;
  if (message.type() == raftpb::ConfChangeAddLearnerNode) change.kind = Kind::add_learner;
  if (message.type() == raftpb::ConfChangeUpdateNode) change.kind = Kind::update;
  change.member.is_learner = change.kind == Kind::add_learner;
  return change;
}

MembershipChange membership_change(const kv::Request& request, WallTime asked_at) {
  MembershipChange change;
  const Overloaded read{
      [&](const kv::MemberAddRequest& add) {
        change.kind = add.is_learner ? Kind::add_learner : Kind::add;
        change.member.is_learner = add.is_learner;
        change.member.peer_urls = spelled_alike(add.peer_urls);
        change.member.id = member_id(change.member.peer_urls, asked_at);
      },
      [&](const kv::MemberRemoveRequest& remove) {
        change.kind = Kind::remove;
        change.member.id = remove.id;
      },
      [&](const kv::MemberUpdateRequest& update) {
        change.kind = Kind::update;
        change.member.id = update.id;
        change.member.peer_urls = spelled_alike(update.peer_urls);
      },
      [&](const kv::MemberPromoteRequest& promote) {
        change.kind = Kind::promote;
        change.member.id = promote.id;
      },
      [](const auto&) { UNREACHABLE(); },
  };
  std::visit(read, request.body());
  return change;
}

std::optional<ErrorCode> objection(const Members& members, const MembershipChange& change, std::uint64_t max_learners) {
  const Member* named = members.find(change.member.id);
  const bool is_addition = change.kind == Kind::add || change.kind == Kind::add_learner;
  if (members.removed().contains(change.member.id)) return ErrorCode::member_not_found;
  if (is_addition && named != nullptr) return ErrorCode::member_exists;
  if (!is_addition && named == nullptr) return ErrorCode::member_not_found;
  if (change.kind == Kind::promote && !named->is_learner) return ErrorCode::member_not_learner;
  if (change.kind == Kind::remove && is_only_voter(members, change.member.id)) return ErrorCode::not_enough_started;

  std::uint64_t learners = 0;
  for (const auto& [id, member] : members.all()) {
    if (member.is_learner) ++learners;
    if (id == change.member.id) continue;
    for (const std::string& url : change.member.peer_urls) {
      const bool is_taken = std::find(member.peer_urls.begin(), member.peer_urls.end(), url) != member.peer_urls.end();
      if (is_taken) return ErrorCode::peer_url_exists;
    }
  }
  if (change.kind == Kind::add_learner && learners >= max_learners) return ErrorCode::too_many_learners;
  return std::nullopt;
}

bool leaves_too_few_started(const Members& members, const MembershipChange& change) {
  Voters voters;
  for (const auto& [id, member] : members.all()) {
    const bool goes = change.kind == Kind::remove && id == change.member.id;
    if (!member.is_learner && !goes) voters.count(!member.name.empty());
  }
  const Member* named = members.find(change.member.id);
  switch (change.kind) {
    case Kind::add:
      voters.count(false);
      // Otherwise one member could never have company.
      if (voters.started == 1 && voters.all == 2) return false;
      break;
    case Kind::promote:
      voters.count(true);
      break;
    case Kind::remove:
      if (named != nullptr && named->is_learner) return false;
      break;
    case Kind::add_learner:
    case Kind::update:
      return false;
  }
  return voters.started < voters.quorum();
}

bool leaves_too_few_connected(const Members& members, const MembershipChange& change, const Connections& connections,
                              Instant settled_by) {
  const std::size_t voters = static_cast<std::size_t>(std::count_if(
      members.all().begin(), members.all().end(), [](const auto& member) { return !member.second.is_learner; }));
  const std::size_t there = settled(members, connections, settled_by);
  switch (change.kind) {
    case Kind::add:
    case Kind::add_learner:
      // The new one is not there yet; a learner is treated alike, as etcd does.
      return voters > 1 && there < (voters + 1) / 2 + 1;
    case Kind::remove: {
      const Member* named = members.find(change.member.id);
      const bool is_self = change.member.id == connections.self;
      // Who is not there anyway, or does not vote, can go.
      if (named == nullptr || named->is_learner) return false;
      if (!is_self && !connections.since.contains(change.member.id)) return false;
      return there < 2 + (voters - 1) / 2;
    }
    case Kind::promote:
    case Kind::update:
      return false;
  }
  UNREACHABLE();
}

}  // namespace metastore
