#include "core/raft/raft.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/raft/election.h"
#include "core/raft/handover.h"
#include "core/raft/replication.h"
#include "core/raft/snapshot.h"
#include "core/raft/state.h"

namespace metastore::raft {
namespace {

Term term_of(const Message& message) {
  return std::visit([](const auto& alternative) { return alternative.term; }, message);
}

/// A member of the leader's own configuration asks for it, or anybody asks one who does not lead.
void on_read_index_request(State& state, MemberId from, const ReadIndexRequest& request, Output& out) {
  if (state.role != Role::leader || request.term != state.term) {
    send(state, from, ReadIndexReply{.term = request.term, .context = request.context}, state.vote_write, out);
  } else if (state.leading().peers.contains(from)) {
    state.leading().reads.add_of_peer({from, request.context});
  }
}

void on_read_index_reply(State& state, MemberId from, const ReadIndexReply& reply, Output& out) {
  if (reply.term != state.term || from != state.leader || !state.forwarded_reads.is_asked(reply.context)) return;
  if (!reply.confirmed) return forget_leader(state, out);
  state.forwarded_reads.confirm(reply.context, reply.index, out);
}

void ask_leader(State& state, std::uint64_t context, Output& out) {
  send(state, state.leader, ReadIndexRequest{state.term, context}, state.vote_write, out);
}

void dispatch(State& state, const Envelope& envelope, Output& out) {
  struct Visitor {
    State& state;
    const Envelope& envelope;
    Output& out;
    void operator()(const VoteRequest& request) { on_vote_request(state, envelope.from, request, out); }
    void operator()(const VoteReply& reply) { on_vote_reply(state, envelope.from, reply, out); }
    void operator()(const AppendRequest& request) { on_append_request(state, envelope.from, request, out); }
    void operator()(const AppendReply& reply) { on_append_reply(state, envelope.from, reply, out); }
    /// The others are the replica's.
    void operator()(const TimeoutNow& order) { on_timeout_now(state, envelope.from, order, out); }
    void operator()(const ReadIndexRequest& request) { on_read_index_request(state, envelope.from, request, out); }
    void operator()(const ReadIndexReply& reply) { on_read_index_reply(state, envelope.from, reply, out); }
    void operator()(const SnapshotOffer& offer) { on_snapshot_offer(state, envelope, offer, out); }
    void operator()(const ProposalForward&) {}
    void operator()(const ProposalRefused&) {}
    void operator()(const LeaderCall&) {}
    void operator()(const LeaderReply&) {}
    void operator()(const StateHash&) {}
    void operator()(const SnapshotReply&) {}
    void operator()(const SnapshotPart&) {}
  };
  std::visit(Visitor{state, envelope, out}, envelope.message);
}

void write(State& state, Output& out) {
  const bool has_vote = state.vote_write > state.outbox.last_write();
  if (!has_vote && !state.log.has_unwritten()) return;
  LogWrite batch{.id = state.outbox.begin_write(state.now)};
  // A commit index alone is not worth a write, since a leader tells it again; with another one it costs nothing.
  const HardState hard_state{state.term, state.vote, state.commit};
  if (hard_state != state.written_hard_state) batch.hard_state = state.written_hard_state = hard_state;
  batch.append = state.log.take_unwritten(batch.id);
  // What has left memory is in a checkpoint; with the mark it may leave the disk too.
  if (state.log.compacted().value() - state.marked.value() >= state.config.limits.mark_entries) {
    state.marked = state.log.compacted();
    batch.mark = Mark{state.marked, state.log.term_at(state.marked), state.membership.at(state.marked)};
    batch.release_to = state.marked;
  }
  out.log_writes.push_back(std::move(batch));
}

}  // namespace

State::State(const Config& config_, Recovered recovered, Instant now_)
    : config(config_),
      deadlines(config_.seed, "election deadlines"),
      now(now_),
      term(recovered.hard_state.term),
      vote(recovered.hard_state.vote),
      commit(std::max(recovered.hard_state.commit, recovered.compacted.index)),
      log(recovered.compacted.index, recovered.compacted.term, std::move(recovered.entries)),
      membership(recovered.compacted.index, std::move(recovered.compacted.conf_state)),
      written_hard_state(recovered.hard_state),
      marked(recovered.compacted.index) {
  ASSERT(config.id != MemberId());
  for (LogIndex index = log.compacted().next(); index <= log.last_index(); index = index.next()) {
    membership.append(log.entry(index));
  }
  commit_own_company();
  // A member alone has nobody to wait for.
  reset_election_deadline(*this);
  if (is_only_voter()) election_deadline = now;
}

void State::commit_own_company() {
  for (LogIndex index = commit.next(); index <= log.persisted(); index = index.next()) {
    const ConfState& before = membership.at(index.previous());
    const bool is_simple = before.voters_outgoing.empty() && membership.at(index).voters_outgoing.empty();
    if (before.voters != std::vector<MemberId>{config.id} || !is_simple) break;
    if (log.entry(index).type != EntryType::normal) commit = index;
  }
}

bool State::is_only_voter() const {
  // A joint configuration may have it alone on both sides, where only learners change.
  const std::vector<MemberId> only{config.id};
  return conf().voters == only && (conf().voters_outgoing.empty() || conf().voters_outgoing == only);
}

void State::set_term_and_vote(Term new_term, MemberId new_vote) {
  ASSERT(new_term > term || (new_term == term && vote == MemberId()));
  if (new_term > term) agreed = commit_told = LogIndex();
  term = new_term;
  vote = new_vote;
  vote_write = outbox.next_write();
}

void send(State& state, MemberId to, Message message, LogWriteId write, Output& out) {
  state.outbox.send({state.config.id, to, std::move(message)}, write, state.config.limits.raft_messages_held_max, out);
}

void trace(Output& out, TraceLevel level, std::string_view fact, std::initializer_list<Field> fields) {
  out.trace.push_back({level, fact, std::vector<TraceField>(fields.begin(), fields.end())});
}

Raft::Raft(const Config& config, Recovered recovered, Instant now)
    : state_(std::make_unique<State>(config, std::move(recovered), now)) {
  check_invariants();
}

Raft::~Raft() = default;

void Raft::on_woken(Instant now, Output& out) {
  state_->now = now;
  if (now < wake_at()) return;
  if (state_->role != Role::leader) {
    if (now >= state_->forwarded_reads.ask_again_at()) {
      ask_leader(*state_, state_->forwarded_reads.ask_again(now + state_->config.heartbeat_interval), out);
    }
    if (now >= election_due_at(*state_)) on_election_deadline(*state_, out);
    return;
  }
  check_leadership(*state_, out);
  if (state_->role != Role::leader || now < state_->leading().heartbeat_at) return;
  Leadership& leading = state_->leading();
  leading.heartbeat_at = now + state_->config.heartbeat_interval;
  for (auto& [id, peer] : leading.peers) peer.is_owed = true;
  if (leading.handover) leading.handover->is_told = false;
}

void Raft::on_message(Instant now, const Envelope& envelope, Output& out) {
  ASSERT(envelope.to == state_->config.id);
  ASSERT(envelope.from != state_->config.id);
  state_->now = now;
  dispatch(*state_, envelope, out);
}

void Raft::on_log_written(Instant now, LogWriteId id, Output& out) {
  state_->now = now;
  state_->log.on_written(id);
  for (Envelope& envelope : state_->outbox.on_written(now, id)) {
    // What was held for a former term helps nobody: its asker has been deposed or has given up.
    if (term_of(envelope.message) < state_->term) continue;
    if (envelope.to == state_->config.id) {
      dispatch(*state_, envelope, out);
    } else {
      out.messages.push_back(std::move(envelope));
    }
  }
  if (state_->role == Role::leader) {
    advance_commit(*state_, out);
  } else {
    state_->commit_own_company();
  }
}

Result<LogIndex> Raft::propose(Instant now, EntryType type, Bytes data, Output& out) {
  state_->now = now;
  if (!accepts_proposals()) return ErrorCode::no_leader;
  if (type != EntryType::normal && !accepts_changes()) return ErrorCode::too_many_requests;
  return append_own(*state_, type, std::move(data), out);
}

bool Raft::accepts_proposals() const { return state_->role == Role::leader && transferee() == MemberId(); }

bool Raft::accepts_changes() const {
  return accepts_proposals() && state_->membership.index() <= state_->commit &&
         state_->leading().first_index <= state_->commit;
}

Status<> Raft::read_index(Instant now, std::uint64_t context, Output&) {
  state_->now = now;
  if (state_->leader == MemberId()) return ErrorCode::no_leader;
  if (state_->role == Role::leader) {
    state_->leading().reads.add({state_->config.id, context});
  } else {
    state_->forwarded_reads.add(context);
  }
  return Done{};
}

void Raft::flush(Instant now, Output& out) {
  state_->now = now;
  if (state_->role == Role::leader) advance_reads(*state_, out);
  write(*state_, out);
  if (state_->role == Role::leader) {
    send_appends(*state_, out);
    advance_handover(*state_, out);
  } else if (state_->forwarded_reads.can_ask()) {
    ask_leader(*state_, state_->forwarded_reads.ask(now + state_->config.heartbeat_interval), out);
  }
}

void Raft::on_applied(LogIndex index, LogIndex checkpointed) {
  ASSERT(index <= state_->commit);
  state_->log.on_applied(index, checkpointed, held_index(*state_), state_->config.limits);
  state_->membership.compact(state_->log.compacted());
}

bool Raft::transfer_leadership(Instant now, MemberId to, Output& out) {
  state_->now = now;
  if (state_->role != Role::leader || to == state_->config.id || !is_voter(state_->conf(), to)) return false;
  begin_handover(*state_, to, out);
  return true;
}

MemberId Raft::transferee() const {
  const bool is_under_way = state_->leadership && state_->leadership->handover;
  return is_under_way ? state_->leadership->handover->to : MemberId();
}

void Raft::on_peer_unreachable(Instant now, MemberId peer, Output& out) {
  state_->now = now;
  if (state_->role != Role::leader) {
    if (peer != MemberId() && peer == state_->leader) forget_leader(*state_, out);
    return;
  }
  const auto found = state_->leading().peers.find(peer);
  if (found == state_->leading().peers.end()) return;
  Progress& progress = found->second.progress;
  if (progress.mode() == Progress::Mode::replicate) progress.probe_from(progress.match_index().next());
}

bool Raft::on_snapshot_opened(MemberId peer, LogIndex index) {
  if (state_->role != Role::leader) return false;
  ASSERT(index >= state_->log.compacted());
  ASSERT(index <= state_->commit);
  const auto found = state_->leading().peers.find(peer);
  if (found == state_->leading().peers.end() || found->second.progress.mode() != Progress::Mode::snapshot) return false;
  found->second.snapshot_index = index;
  return true;
}

void Raft::on_snapshot_sent(Instant now, MemberId peer, bool ok) {
  state_->now = now;
  if (state_->role != Role::leader) return;
  const auto found = state_->leading().peers.find(peer);
  if (found == state_->leading().peers.end() || found->second.progress.mode() != Progress::Mode::snapshot) return;
  found->second.snapshot_lost_at = ok ? now + state_->config.election_timeout : now;
  if (!ok) found->second.snapshot_index = LogIndex();
}

std::optional<LogWriteId> Raft::install_snapshot(Instant now, const Mark& mark, Output& out) {
  state_->now = now;
  return install(*state_, mark, out);
}

void Raft::on_snapshot_installed() { state_->is_installing = false; }

Instant Raft::wake_at() const {
  if (state_->role != Role::leader) {
    return std::min(election_due_at(*state_), state_->forwarded_reads.ask_again_at());
  }
  const Instant ends_at = leadership_ends_at(*state_);
  return state_->leading().peers.empty() ? ends_at : std::min(ends_at, state_->leading().heartbeat_at);
}

Role Raft::role() const { return state_->role; }
Term Raft::term() const { return state_->term; }
MemberId Raft::leader() const { return state_->leader; }
LogIndex Raft::compacted_index() const { return state_->log.compacted(); }
LogIndex Raft::commit_index() const { return state_->commit; }
LogIndex Raft::last_index() const { return state_->log.last_index(); }
LogIndex Raft::persisted_index() const { return state_->log.persisted(); }
const ConfState& Raft::conf_state() const { return state_->conf(); }
LogIndex Raft::conf_index() const { return state_->membership.index(); }
const Entry& Raft::entry(LogIndex index) const { return state_->log.entry(index); }

Mark Raft::mark_at(LogIndex index) const { return {index, state_->log.term_at(index), state_->membership.at(index)}; }

std::vector<PeerStatus> Raft::peers() const {
  std::vector<PeerStatus> peers;
  if (!state_->leadership) return peers;
  const std::uint64_t last = last_index().value();
  for (const auto& [id, peer] : state_->leadership->peers) {
    const Progress& progress = peer.progress;
    const std::uint64_t lag = last - progress.match_index().value();
    peers.push_back({.id = id,
                     .match_index = progress.match_index(),
                     .next_index = progress.next_index(),
                     .heard = peer.heard,
                     .is_snapshotted = progress.mode() == Progress::Mode::snapshot,
                     .is_caught_up = progress.mode() == Progress::Mode::replicate &&
                                     progress.match_index() != LogIndex() &&
                                     lag <= state_->config.limits.promotion_lag_entries_max});
  }
  return peers;
}

void Raft::check_invariants() const { raft::check_invariants(*state_); }

}  // namespace metastore::raft
