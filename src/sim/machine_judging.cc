// What a machine tells the oracles of its member's turns. Beside machine.cc, since it is one subject.
#include <algorithm>
#include <optional>
#include <variant>

#include "core/base/crc32c.h"
#include "core/kv/request.h"
#include "core/mvcc/store.h"
#include "core/replica/membership_changes.h"
#include "sim/machine.h"
#include "sim/wire.h"
#include "storage/wal_segment.h"

namespace metastore::sim {
namespace {

/// What waits for peers costs a walk over all of it: asked every so many turns.
constexpr std::uint64_t turns_between_queues = 16;

/// None for what refuses any question.
std::optional<MoveAnswer> move_answer_of(const Reply& reply) {
  const auto* error = std::get_if<ErrorCode>(&reply.result);
  if (error == nullptr) return MoveAnswer::moved;
  switch (*error) {
    case ErrorCode::not_leader:
      return MoveAnswer::not_leader;
    case ErrorCode::bad_leader_transferee:
      return MoveAnswer::bad_target;
    case ErrorCode::transfer_timeout:
      return MoveAnswer::gave_up;
    case ErrorCode::timeout:
    case ErrorCode::deadline_exceeded:
      return MoveAnswer::too_late;
    default:
      return std::nullopt;
  }
}

constexpr std::string_view auto_compaction_fact = "starting auto compaction";

Survey survey_of(const mvcc::Store& store, Revision revision, Instant now) {
  Survey survey{.invoked = now, .kvs = {}};
  store.range(mvcc::KeyRange::all(), revision, [&survey](mvcc::Record record) {
    survey.kvs.push_back({.key = std::string(record.key()),
                          .value = std::string(record.value()),
                          .create_revision = record.create_revision().value(),
                          .mod_revision = record.mod_revision().value(),
                          .version = record.version(),
                          .lease = record.lease().value()});
    return true;
  });
  return survey;
}

}  // namespace

void Machine::chart_log() {
  if (!is_on_own_disk()) return;
  const raft::Raft& raft = member_->replica().raft();
  const LogIndex compacted = raft.compacted_index();
  Atlas& atlas = around_.judge.atlas();
  atlas.on_boot(id_, compacted, raft.mark_at(compacted).term);
  for (LogIndex index = compacted.next(); index <= raft.persisted_index(); index = index.next()) {
    atlas.on_found(id_, index, raft.entry(index).term);
  }
}

void Machine::chart(const ReplicaStatus& status, const Effects& effects) {
  if (!is_on_own_disk()) return;
  Atlas& atlas = around_.judge.atlas();
  for (const raft::LogWrite& write : effects.log_writes) {
    for (const raft::Entry& entry : write.append) atlas.on_entry(id_, write.id, entry.index, entry.term);
    if (write.mark) atlas.on_mark(id_, write.id, write.mark->index, write.mark->term);
  }
  atlas.on_committed(id_, status.commit_index);
}

void Machine::judge_raft(const ReplicaStatus& status, const Effects& effects) {
  const Instant now = around_.world.now();
  const MemberId self = id_;
  ElectionChecker& elections = around_.judge.elections();
  around_.judge.take(elections.on_turn(now, self, status.term, status.commit_index, status.is_leader));
  if (status.is_leader && status.term != led_term_) {
    led_term_ = status.term;
    has_begun_to_lead_ = true;
    around_.history.renewed_leases(now);
  }
  for (const raft::Envelope& envelope : effects.messages) {
    // Who asks for votes has given itself its own.
    const auto* asked = std::get_if<raft::VoteRequest>(&envelope.message);
    if (asked != nullptr && !asked->pre_vote) around_.judge.take(elections.on_vote(now, self, asked->term, self));
    const auto* vote = std::get_if<raft::VoteReply>(&envelope.message);
    if (vote == nullptr || !vote->granted || vote->pre_vote) continue;
    around_.judge.take(elections.on_vote(now, self, vote->campaign_term, envelope.to));
  }
  for (const raft::PeerStatus& peer : member_->replica().peers()) {
    around_.judge.take(matches_.on_peer(now, status.term, peer.id, peer.match_index));
  }
  for (const raft::LogWrite& write : effects.log_writes) {
    for (const raft::Entry& entry : write.append) {
      const std::uint64_t contents = crc32c_extend(static_cast<std::uint32_t>(entry.type), entry.data.view());
      around_.judge.take(elections.on_entry(now, entry.index, entry.term, contents));
      if (!status.is_leader || entry.term != status.term || entry.type != raft::EntryType::conf_change) continue;
      const std::optional<MembershipChange> change = decode_membership_change(entry.data.view());
      if (change->kind != MembershipChange::Kind::promote) continue;
      around_.judge.take(matches_.on_promotion(now, change->member.id, entry.index));
    }
  }
}

void Machine::judge_commits(const ReplicaStatus& status) {
  const raft::Raft& raft = member_->replica().raft();
  risen_.clear();
  if (status.commit_index > committed_ && status.commit_index == raft.compacted_index()) {
    risen_.push_back(raft.mark_at(status.commit_index).term);
  } else {
    for (LogIndex index = std::max(committed_, raft.compacted_index()); index < status.commit_index;) {
      index = index.next();
      risen_.push_back(raft.entry(index).term);
    }
  }
  committed_ = status.commit_index;
  around_.judge.take(around_.judge.commits().on_turn(
      around_.world.now(), id_, {status.term, committed_, risen_, status.is_leader, raft.conf_state().voters}));
}

void Machine::judge_log(const ReplicaStatus& status, const Effects& effects) {
  if (!is_on_own_disk()) return;
  LogChecker& logs = around_.judge.logs();
  for (const raft::LogWrite& write : effects.log_writes) {
    for (const raft::Entry& entry : write.append) {
      around_.judge.take(logs.on_entry(around_.world.now(), id_, status.term, entry.index, entry.term));
    }
  }
  logs.on_turn(id_, status.term, status.is_leader);
}

void Machine::judge_backlog(const ReplicaStatus& status, const Effects& effects) {
  const Instant now = around_.world.now();
  // Whoever leads may hold more for those who take a snapshot, and for a time for those who took one.
  const bool is_held = status.is_leader && around_.plan.machines() > 1;
  const Replica& replica = member_->replica();
  const raft::Raft& raft = replica.raft();
  Judge& judge = around_.judge;
  judge.take(backlog_.on_turn(now, status.applied_index, raft.compacted_index(), raft.persisted_index(), is_held));
  judge.take(backlog_.on_proposals(now, replica.proposals_pending()));
  for (const raft::LogWrite& write : effects.log_writes) backlog_.on_log_write(write.id, write.release_to);
  if (turns_ % turns_between_queues != 0) return;
  for (const net::PeerQueue& queue : member_->peer_link().queues()) {
    judge.take(backlog_.on_queue(now, queue.lane == net::Lane::bulk, queue.messages, queue.bytes));
  }
}

void Machine::judge_log_files() {
  LogFiles log;
  for (const std::string& name : files().names_in("member/wal")) {
    const std::optional<storage::Segment> segment = storage::parse_segment_name(name);
    if (!segment) continue;
    ++log.count;
    if (log.count == 1) log.oldest = segment->sequence;
    if (log.count == 2) log.second_first = segment->first_index;
  }
  around_.judge.take(backlog_.on_files(around_.world.now(), log));
}

void Machine::judge_hashes(const ReplicaStatus& status, const Effects& effects) {
  if (hashes_asked_.empty()) return;
  for (const Reply& reply : effects.replies) {
    const auto* message = std::get_if<Bytes>(&reply.result);
    if (hashes_asked_.erase(reply.id) == 0 || message == nullptr) continue;
    const std::optional<Response> response = decode_response(HashState{}, message->view());
    if (!response) continue;
    const std::uint32_t hash = std::get<HashStateReply>(response->reply).hash;
    around_.judge.take(around_.judge.replay().on_told(around_.world.now(), status.applied_index, hash));
  }
}

void Machine::hear_of_change(const ClientRequest& request, Instant now) {
  if (request.method != kv::Method::member_add && request.method != kv::Method::member_remove) return;
  std::vector<MemberSeen> seen;
  for (const auto& [id, member] : members().all()) seen.push_back({id, member.is_learner, !member.name.empty()});
  kv::MemberAddRequest addition;
  kv::MemberRemoveRequest removal;
  if (request.method == kv::Method::member_add && kv::read(request.message.view(), addition)) {
    changes_.on_addition(now, turns_, request.id, addition.is_learner, seen);
  }
  if (request.method == kv::Method::member_remove && kv::read(request.message.view(), removal)) {
    changes_.on_removal(now, turns_, request.id, removal.id, seen);
  }
}

void Machine::judge_changes(const Effects& effects) {
  for (const Reply& reply : effects.replies) {
    const auto* error = std::get_if<ErrorCode>(&reply.result);
    const ChangeAnswer answer = error == nullptr                          ? ChangeAnswer::done
                                : *error == ErrorCode::not_enough_started ? ChangeAnswer::not_enough_started
                                : *error == ErrorCode::unhealthy          ? ChangeAnswer::unhealthy
                                                                          : ChangeAnswer::otherwise;
    around_.judge.take(changes_.on_answered(loop_->now(), turns_, reply.id, answer));
  }
}

void Machine::judge_streams(const ReplicaStatus& status, const Effects& effects) {
  const Instant now = loop_->now();
  leaderless_.on_turn(now, status.leader != MemberId());
  for (const StreamEnd& end : effects.stream_ends) {
    around_.judge.take(leaderless_.on_ended(now, end.id, end.error == ErrorCode::no_leader));
  }
  around_.judge.take(leaderless_.on_turn_over(now, effects.wake_at));
}

void Machine::judge_moves(const ReplicaStatus& status, const Effects& effects) {
  ElectionChecker& elections = around_.judge.elections();
  for (const Reply& reply : effects.replies) {
    const std::optional<MoveAnswer> answer = move_answer_of(reply);
    const std::optional<MemberId> target = elections.move_of(id_, reply.id);
    if (!answer || !target) continue;
    const std::vector<MemberId>& voters = member_->replica().raft().conf_state().voters;
    const bool is_voter = std::find(voters.begin(), voters.end(), *target) != voters.end();
    around_.judge.take(
        elections.on_move_answered(loop_->now(), id_, reply.id, *answer, {status.leader, is_voter, election_timeout_}));
  }
}

void Machine::announce_compactions(const Effects& effects) {
  for (const TraceLine& line : effects.trace) {
    if (line.message != auto_compaction_fact) continue;
    const std::int64_t at = std::get<std::int64_t>(line.fields.front().value);
    const mvcc::Store& store = member_->replica().store();
    if (Revision(at) <= store.compact_revision()) continue;
    around_.history.began_unasked_compaction(at, around_.world.now());
    // The surveyor would come too late: what nobody was answered with is looked at beside the member.
    while (around_.history.settled_revision() < at) {
      const std::int64_t revision = around_.history.settled_revision() + 1;
      if (!store.check_readable(Revision(revision)).ok()) return;
      around_.history.add_survey(revision, survey_of(store, Revision(revision), around_.world.now()));
    }
  }
}

}  // namespace metastore::sim
