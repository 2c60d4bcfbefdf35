// The replica's side of the other members: who they are, what they hand to this leader, and what this follower hands
// on. Beside replica.cc, since it is one subject.
#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "core/kv/origin.h"
#include "core/kv/response.h"
#include "core/replica/replica.h"

namespace metastore {
namespace {

std::optional<kv::Method> method_of(BytesView wanted) {
  for (const kv::Method method : {kv::Method::lease_keep_alive, kv::Method::lease_time_to_live}) {
    if (kv::name(method) == wanted) return method;
  }
  return std::nullopt;
}

}  // namespace

bool Replica::is_overloaded() const {
  const std::uint64_t unapplied = raft_.commit_index().value() - applied_index_.value();
  return unapplied > config_.limits.unapplied_entries_max || checkpoints_.is_overdue(applier_->store());
}

void Replica::append(Instant now, Proposal proposal) {
  // Without a leader a proposal waits for one until its deadline, as etcd's does (contract 5.8); so it does while
  // leadership is being handed over.
  if (raft_.accepts_proposals()) {
    const Result<LogIndex> index = raft_.propose(now, raft::EntryType::normal, proposal.command, raft_output_);
    ASSERT(index.ok());
    proposals_.add(index.value(), raft_.term(), std::move(proposal));
  } else if (raft_.leader() != MemberId() && raft_.role() != raft::Role::leader) {
    hand_on(std::move(proposal));
  } else {
    held_.push_back(std::move(proposal));
  }
}

void Replica::append_held(Instant now, Effects& effects) {
  if (now >= put_off_until_) {
    for (Proposal& proposal : std::exchange(put_off_, {})) held_.push_back(std::move(proposal));
  }
  const bool is_led_elsewhere = raft_.leader() != MemberId() && raft_.role() != raft::Role::leader;
  if (held_.empty() || (!raft_.accepts_proposals() && !is_led_elsewhere)) return;
  for (Proposal& proposal : std::exchange(held_, {})) {
    // One that was refused at its deadline must not happen any more.
    if (!waiting_.contains(proposal.key)) continue;
    if (proposal.type == raft::EntryType::normal) {
      append(now, std::move(proposal));
    } else {
      append_change(now, std::move(proposal), effects);
    }
  }
}

Waiting::Key Replica::propose_own(Instant now, Bytes command) {
  const Waiting::Key key = waiting_.add(RequestId(), Waiting::For::proposal, now, Instant::never());
  append(now, {key, std::move(command)});
  return key;
}

void Replica::propose_as_leader(Instant now, Bytes command) {
  ASSERT(raft_.propose(now, raft::EntryType::normal, std::move(command), raft_output_).ok());
}

void Replica::on_peer_message(Instant now, const raft::Envelope& envelope, Effects& effects) {
  const Overloaded visitor = {
      [&](const raft::ProposalForward& forward) { on_proposal(now, envelope.from, forward); },
      [&](const raft::ProposalRefused& refused) { on_proposal_refused(now, refused, effects); },
      [&](const raft::LeaderCall& call) { on_leader_call(now, envelope.from, call, effects); },
      [&](const raft::LeaderReply& reply) { on_leader_reply(reply, effects); },
      [&](const raft::StateHash& state) { on_state_hash(envelope.from, state); },
      [&](const raft::SnapshotReply& reply) {
        if (snapshots_.on_reply(now, envelope.from, reply)) {
          snapshots_.close(envelope.from);
          raft_.on_snapshot_sent(now, envelope.from, true);
        }
      },
      [&](const raft::SnapshotPart& part) { snapshot_.on_part(envelope.from, part); },
      [&](const auto&) { raft_.on_message(now, envelope, raft_output_); },
  };
  std::visit(visitor, envelope.message);
}

void Replica::hand_on(Proposal proposal) {
  const kv::Origin origin{config_.member, config_.incarnation, 0};
  raft::ProposalForward forward{.term = raft_.term(), .incarnation = config_.incarnation};
  forward.type = proposal.type;
  const Bytes command = proposal.command;
  forward.sequence = proposals_.hand_on(raft_.term(), std::move(proposal));
  forward.data = kv::with_origin(command.view(), {origin.member, origin.incarnation, forward.sequence});
  raft_output_.messages.push_back({config_.member, raft_.leader(), std::move(forward)});
}

void Replica::on_proposal(Instant now, MemberId from, const raft::ProposalForward& forward) {
  // One that is not taken in its own term never will be, and the log will tell its member so.
  if (!raft_.accepts_proposals() || forward.term != raft_.term()) return;
  if (handed_in_ != raft_.term()) handed_to_me_.clear();
  handed_in_ = raft_.term();
  auto& newest = handed_to_me_[from];
  const std::pair number(forward.incarnation, forward.sequence);
  if (number <= newest) return;
  newest = number;
  proposed_at_ = now;
  if (forward.type != raft::EntryType::normal) return on_change_handed(now, from, forward);
  if (is_overloaded()) {
    raft_output_.messages.push_back({config_.member, from,
                                     raft::ProposalRefused{.term = forward.term,
                                                           .incarnation = forward.incarnation,
                                                           .sequence = forward.sequence,
                                                           .reason = ErrorCode::too_many_requests}});
    return;
  }
  propose_as_leader(now, forward.data);
}

void Replica::on_proposal_refused(Instant now, const raft::ProposalRefused& refused, Effects& effects) {
  if (refused.incarnation != config_.incarnation) return;
  std::optional<Proposal> proposal = proposals_.take_refused(refused.term, refused.sequence);
  if (!proposal.has_value()) return;
  if (proposal->type == raft::EntryType::normal || refused.reason != ErrorCode::too_many_requests) {
    return answer(proposal->key, refused.reason, effects);
  }
  // The leader waits for the change before it, which takes a moment.
  put_off_.push_back(*std::move(proposal));
  put_off_until_ = now + config_.heartbeat_interval;
}

std::optional<std::uint64_t> Replica::own_sequence(const raft::Entry& entry) const {
  if (!proposals_.has_handed_on()) return std::nullopt;
  const std::optional<kv::Origin> origin = kv::origin_of(entry.data.view());
  if (!origin || origin->member != config_.member || origin->incarnation != config_.incarnation) return std::nullopt;
  return origin->sequence;
}

void Replica::call_leader(Instant now) {
  // They change nothing but how long a lease lives, so they may be asked again.
  const std::pair leader(raft_.leader(), raft_.term());
  const bool is_other = std::exchange(called_, leader) != leader;
  std::erase_if(calls_, [&](auto& call) {
    if (!is_other && now < call.second.asked_at + config_.election_timeout) return false;
    uncalled_.push_back(std::move(call.second));
    return true;
  });
  if (raft_.leader() == MemberId()) return;
  for (LeaderCall& call : std::exchange(uncalled_, {})) {
    if (!waiting_.contains(call.key)) continue;
    if (raft_.role() == raft::Role::leader) {
      // What was decoded once can be decoded.
      reads_.gather({call.key, kv::decode(call.method, call.message, config_.limits).value()});
      continue;
    }
    call.asked_at = now;
    raft_output_.messages.push_back({config_.member, raft_.leader(),
                                     raft::LeaderCall{.term = raft_.term(),
                                                      .id = ++last_call_,
                                                      .method = Bytes::copy_of(kv::name(call.method)),
                                                      .message = call.message}});
    calls_.emplace(last_call_, std::move(call));
  }
}

Instant Replica::call_again_at() const {
  const Instant calls = calls_.empty() ? Instant::never() : calls_.begin()->second.asked_at + config_.election_timeout;
  return put_off_.empty() ? calls : std::min(calls, put_off_until_);
}

void Replica::on_leader_call(Instant now, MemberId from, const raft::LeaderCall& call, Effects& effects) {
  const std::optional<kv::Method> method = method_of(call.method.view());
  // Who asks the wrong one asks again once it knows the right one.
  if (!method.has_value() || raft_.role() != raft::Role::leader || call.term != raft_.term()) return;
  // One that is repeated, or was asked anew since, may have been answered: it must not keep a lease alive any more.
  std::uint64_t& newest = called_me_[from];
  if (call.id <= newest) return;
  newest = call.id;
  const RequestId id((std::uint64_t{1} << 63) | ++last_peer_call_);
  peer_calls_.emplace(id, PeerCall{from, call.term, call.id});
  if (*method != kv::Method::lease_keep_alive) return on_request(now, {id, *method, call.message}, effects);
  open_stream({.id = id, .method = *method}, effects);
  if (streams_.find(id).has_value()) on_stream_request(now, {id, call.message}, effects);
}

void Replica::answer_peers(Effects& effects) {
  if (peer_calls_.empty()) return;
  std::erase_if(effects.replies, [&](const Reply& reply) {
    if (!is_of_peer(reply.id)) return false;
    answer_peer(reply.id, reply.result, effects);
    return true;
  });
  std::erase_if(effects.chunks, [&](const Chunk& chunk) {
    if (!is_of_peer(chunk.id)) return false;
    ASSERT(chunk.parts.size() == 1);
    close_stream(chunk.id);
    answer_peer(chunk.id, chunk.parts.front(), effects);
    return true;
  });
  std::erase_if(effects.stream_ends, [&](const StreamEnd& end) {
    if (!is_of_peer(end.id)) return false;
    answer_peer(end.id, end.error.value_or(ErrorCode::leader_changed), effects);
    return true;
  });
}

void Replica::answer_peer(RequestId id, const std::variant<Bytes, ErrorCode>& result, Effects& effects) {
  const auto found = peer_calls_.find(id);
  if (found == peer_calls_.end()) return;
  raft::LeaderReply reply{.term = found->second.term, .id = found->second.id};
  if (const Bytes* message = std::get_if<Bytes>(&result)) {
    reply.ok = true;
    reply.message = *message;
  } else {
    reply.error = std::get<ErrorCode>(result);
  }
  effects.messages.push_back({config_.member, found->second.from, std::move(reply)});
  peer_calls_.erase(found);
}

void Replica::on_leader_reply(const raft::LeaderReply& reply, Effects& effects) {
  const auto found = calls_.find(reply.id);
  if (found == calls_.end()) return;
  // An answer that says nothing: it will be asked again.
  if (!reply.ok && outcome(reply.error) == Outcome::unknown) return;
  const LeaderCall call = std::move(found->second);
  calls_.erase(found);
  const std::optional<RequestId> id = waiting_.find(call.key);
  if (!id.has_value()) return;
  if (!reply.ok) return answer(call.key, reply.error, effects);
  Bytes message = kv::with_member(reply.message.view(), config_.member);
  if (call.method == kv::Method::lease_keep_alive) return keep_alives_.answer(*id, call.key, std::move(message));
  answer(call.key, std::move(message), effects);
}

ErrorCode Replica::lateness_of(const Waiting::Expired& expired) const {
  if (expired.error != ErrorCode::timeout || expired.what != Waiting::For::proposal) return expired.error;
  // As etcd guesses: it takes up to two election timeouts to find another leader.
  const bool is_of_former = expired.since > led_since_ - config_.election_timeout * 2 && expired.since < led_since_;
  if (is_of_former) return ErrorCode::leader_failed;
  const auto is_connected = [&](MemberId id) {
    const auto found = connections_.since.find(id);
    return id == config_.member || (found != connections_.since.end() && found->second <= expired.since);
  };
  const MemberId leader = raft_.leader();
  if (leader == MemberId()) return expired.error;
  if (leader != config_.member) return is_connected(leader) ? expired.error : ErrorCode::connection_lost;
  const std::vector<MemberId>& voters = raft_.conf_state().voters;
  const auto connected = static_cast<std::size_t>(std::count_if(voters.begin(), voters.end(), is_connected));
  return connected * 2 > voters.size() ? expired.error : ErrorCode::connection_lost;
}

void Replica::tell_peers(Effects& effects) {
  if (told_members_ == members_.version()) return;
  told_members_ = members_.version();
  effects.peers.emplace();
  // A newcomer's table is of the past until it has come to its own entry: what others told of is newer.
  const bool is_newcomer = members_.find(config_.member) == nullptr;
  std::map<MemberId, Peer> peers;
  for (const auto& [id, member] : members_.all()) {
    peers[id] = {.id = id, .urls = member.peer_urls, .data_id = member.data_id};
  }
  for (const Peer& peer : config_.acquaintances) {
    if (is_newcomer || (!peers.contains(peer.id) && !members_.removed().contains(peer.id))) peers[peer.id] = peer;
  }
  peers.erase(config_.member);
  for (auto& [id, peer] : peers) effects.peers->push_back(std::move(peer));
  for (const MemberId id : members_.removed()) effects.peers->push_back({.id = id, .is_removed = true});
}

}  // namespace metastore
