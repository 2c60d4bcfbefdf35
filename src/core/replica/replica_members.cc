// The replica's side of changes of members: what a client asks is checked where it came, judged by the leader, and done
// where it is applied. Beside replica.cc, since it is one subject.
#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/version.h"
#include "core/kv/command.h"
#include "core/replica/cluster_version.h"
#include "core/replica/replica.h"
#include "core/replica/responses.h"

namespace metastore {
namespace {

TraceLine line_of(const MembershipChange& change) {
  TraceLine line{TraceLevel::info, "added member", {{"member-id", raft::describe(change.member.id)}}};
  switch (change.kind) {
    case MembershipChange::Kind::add:
      break;
    case MembershipChange::Kind::add_learner:
      line.message = "added learner";
      break;
    case MembershipChange::Kind::promote:
      line.message = "promoted member";
      break;
    case MembershipChange::Kind::remove:
      line.message = "removed member";
      break;
    case MembershipChange::Kind::update:
      line.message = "updated member";
      break;
  }
  for (const std::string& url : change.member.peer_urls) line.fields.push_back({"peer-url", url});
  return line;
}

}  // namespace

void Replica::change_members(Instant now, const ClientRequest& client, const kv::Request& request, Effects& effects) {
  const MembershipChange change = membership_change(request, client.asked_at);
  if (config_.strict_reconfig_check && change.kind != MembershipChange::Kind::promote) {
    // As etcd, by what this member sees; a promotion is the leader's alone to judge.
    const Duration settling = Duration::milliseconds(static_cast<std::int64_t>(config_.limits.peer_settled_ms));
    if (leaves_too_few_started(members_, change)) {
      return effects.replies.push_back({client.id, ErrorCode::not_enough_started});
    }
    if (leaves_too_few_connected(members_, change, connections_, now - settling)) {
      return effects.replies.push_back({client.id, ErrorCode::unhealthy});
    }
  }
  if (waiting_.size() >= config_.limits.proposals_pending_max) {
    return effects.replies.push_back({client.id, ErrorCode::too_many_requests});
  }
  append_change(now,
                {.key = waiting_.add(client.id, Waiting::For::proposal, now, client.deadline),
                 .command = encode(change, next_proposal_id()),
                 .type = raft::EntryType::conf_change},
                effects);
}

void Replica::append_change(Instant now, Proposal proposal, Effects& effects) {
  if (raft_.role() != raft::Role::leader) {
    return raft_.leader() != MemberId() ? hand_on(std::move(proposal)) : held_.push_back(std::move(proposal));
  }
  if (!can_judge_changes()) return held_.push_back(std::move(proposal));
  if (const auto objection = objection_to(proposal.command.view())) return answer(proposal.key, *objection, effects);
  const Result<LogIndex> index = raft_.propose(now, proposal.type, proposal.command, raft_output_);
  ASSERT(index.ok());
  proposals_.add(index.value(), raft_.term(), std::move(proposal));
}

bool Replica::can_judge_changes() const { return raft_.accepts_changes() && applied_index_ >= raft_.conf_index(); }

std::optional<ErrorCode> Replica::objection_to(BytesView command) const {
  const std::optional<MembershipChange> decoded = decode_membership_change(command);
  if (!decoded.has_value()) return ErrorCode::undecodable;
  const MembershipChange& change = *decoded;
  if (const auto found = objection(members_, change, config_.max_learners)) return found;
  if (change.kind == MembershipChange::Kind::promote && !is_caught_up(change.member.id)) {
    return ErrorCode::learner_not_ready;
  }
  if (config_.strict_reconfig_check && leaves_too_few_started(members_, change)) return ErrorCode::not_enough_started;
  return std::nullopt;
}

bool Replica::is_caught_up(MemberId learner) const {
  const std::vector<raft::PeerStatus> peers = raft_.peers();
  const auto found =
      std::find_if(peers.begin(), peers.end(), [learner](const raft::PeerStatus& peer) { return peer.id == learner; });
  // Etcd's nine tenths, and no more than can be sent in a moment.
  return found != peers.end() && found->is_caught_up &&
         found->match_index.value() >= raft_.last_index().value() / 10 * 9;
}

void Replica::on_change_handed(Instant now, MemberId from, const raft::ProposalForward& forward) {
  if (forward.type != raft::EntryType::conf_change) return;
  std::optional<ErrorCode> refusal = ErrorCode::too_many_requests;
  if (can_judge_changes()) refusal = objection_to(forward.data.view());
  if (!refusal.has_value()) {
    ASSERT(raft_.propose(now, raft::EntryType::conf_change, forward.data, raft_output_).ok());
    return;
  }
  raft_output_.messages.push_back({config_.member, from,
                                   raft::ProposalRefused{.term = forward.term,
                                                         .incarnation = forward.incarnation,
                                                         .sequence = forward.sequence,
                                                         .reason = *refusal}});
}

void Replica::apply_change(const raft::Entry& entry, std::optional<Waiting::Key> key, Effects& effects) {
  const MembershipChange change = members_.apply_conf_change(entry);
  effects.trace.push_back(line_of(change));
  if (change.kind == MembershipChange::Kind::remove) connections_.since.erase(change.member.id);
  if (!key.has_value()) return;
  const bool is_addition =
      change.kind == MembershipChange::Kind::add || change.kind == MembershipChange::Kind::add_learner;
  answer(*key,
         is_addition ? member_add_response(header(), members_, change.member.id) : members_response(header(), members_),
         effects);
}

void Replica::check_members() const {
  // A change rules before it is applied, and a snapshot's mark before its image is installed.
  if (applied_index_ < raft_.conf_index()) return;
  std::vector<MemberId> voters;
  std::vector<MemberId> learners;
  for (const auto& [id, member] : members_.all()) (member.is_learner ? learners : voters).push_back(id);
  ASSERT(voters == raft_.conf_state().voters);
  ASSERT(learners == raft_.conf_state().learners);
}

void Replica::decide_cluster_version(Instant now) {
  if (!raft_.accepts_proposals()) return;
  const std::pair judged_by(raft_.term(), members_.version());
  if (std::exchange(version_judged_by_, judged_by) == judged_by && !cluster_version_.empty()) return;
  std::optional<std::string> version = version_of_all(members_, config_.member, config_.version);
  // As etcd, though those who are about to come are waited for. Heartbeats wake whoever leads others.
  const bool is_overdue = observed_leader_ == config_.member && now >= led_since_ + config_.election_timeout;
  if (!version && cluster_version_.empty() && is_overdue) version = etcd_cluster_version_min;
  if (!version || !is_newer(*version, cluster_version_)) return;
  std::pair proposed(raft_.term(), *std::move(version));
  if (cluster_version_proposed_ == proposed) return;
  cluster_version_proposed_ = std::move(proposed);
  propose_as_leader(now, kv::encode_cluster_version(next_proposal_id(), cluster_version_proposed_.second));
}

void Replica::set_cluster_version(std::string version, Effects& effects) {
  if (cluster_version_.empty()) {
    effects.trace.push_back({TraceLevel::info, "set initial cluster version", {{"cluster-version", version}}});
  } else if (cluster_version_ != version) {
    effects.trace.push_back(
        {TraceLevel::info, "updated cluster version", {{"from", cluster_version_}, {"to", version}}});
  }
  cluster_version_ = std::move(version);
}

void Replica::leave_if_removed(Effects& effects) {
  if (has_left_ || (!is_expelled_ && !members_.removed().contains(config_.member))) return;
  has_left_ = effects.leave = true;
  effects.trace.push_back({TraceLevel::warn,
                           "the member has been permanently removed from the cluster; delete its data directory, and "
                           "add it again if it is to come back",
                           {{"local-member-id", raft::describe(config_.member)}}});
}

}  // namespace metastore
