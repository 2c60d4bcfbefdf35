#include "core/raft/raft.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/raft/election.h"
#include "core/raft/replication.h"
#include "core/raft/state.h"

namespace metastore::raft {
namespace {

Term term_of(const Message& message) {
  return std::visit([](const auto& alternative) { return alternative.term; }, message);
}

void dispatch(State& state, const Envelope& envelope, Output& out) {
  struct Visitor {
    State& state;
    MemberId from;
    Output& out;
    void operator()(const VoteRequest& request) { on_vote_request(state, from, request, out); }
    void operator()(const VoteReply& reply) { on_vote_reply(state, from, reply, out); }
    void operator()(const AppendRequest& request) { on_append_request(state, from, request, out); }
    void operator()(const AppendReply& reply) { on_append_reply(state, from, reply, out); }
    /// The others are the replica's.
    void operator()(const TimeoutNow&) {}
    void operator()(const ReadIndexRequest&) {}
    void operator()(const ReadIndexReply&) {}
    void operator()(const ProposalForward&) {}
    void operator()(const ProposalRefused&) {}
    void operator()(const SnapshotOffer&) {}
    void operator()(const SnapshotReply&) {}
  };
  std::visit(Visitor{state, envelope.from, out}, envelope.message);
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
  // A member alone has nobody to wait for.
  reset_election_deadline(*this);
  if (is_only_voter()) election_deadline = now;
}

bool State::is_only_voter() const {
  return conf().voters == std::vector<MemberId>{config.id} && conf().voters_outgoing.empty();
}

void State::set_term_and_vote(Term new_term, MemberId new_vote) {
  ASSERT(new_term > term || (new_term == term && vote == MemberId()));
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
  if (state_->role != Role::leader) return on_election_deadline(*state_, out);
  check_leadership(*state_, out);
  if (state_->role != Role::leader || now < state_->leading().heartbeat_at) return;
  state_->leading().heartbeat_at = now + state_->config.heartbeat_interval;
  for (auto& [id, peer] : state_->leading().peers) peer.is_owed = true;
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
  if (state_->role == Role::leader) advance_commit(*state_, out);
}

Result<LogIndex> Raft::propose(Instant now, EntryType type, Bytes data, Output& out) {
  state_->now = now;
  if (state_->role != Role::leader) return ErrorCode::no_leader;
  const bool is_settled =
      state_->membership.index() <= state_->commit && state_->leading().first_index <= state_->commit;
  if (type != EntryType::normal && !is_settled) return ErrorCode::too_many_requests;
  return append_own(*state_, type, std::move(data), out);
}

Status<> Raft::read_index(Instant now, std::uint64_t context, Output&) {
  state_->now = now;
  if (state_->role != Role::leader) return ErrorCode::no_leader;
  state_->leading().reads.add(context);
  return Done{};
}

void Raft::flush(Instant now, Output& out) {
  state_->now = now;
  if (state_->role == Role::leader) advance_reads(*state_, out);
  write(*state_, out);
  if (state_->role == Role::leader) send_appends(*state_, out);
}

void Raft::on_applied(LogIndex index, LogIndex checkpointed) {
  ASSERT(index <= state_->commit);
  state_->log.on_applied(index, checkpointed, state_->config.limits);
  state_->membership.compact(state_->log.compacted());
}

Instant Raft::wake_at() const {
  if (state_->role != Role::leader) {
    return is_voter(state_->conf(), state_->config.id) ? state_->election_deadline : Instant::never();
  }
  const Instant ends_at = leadership_ends_at(*state_);
  return state_->leading().peers.empty() ? ends_at : std::min(ends_at, state_->leading().heartbeat_at);
}

Role Raft::role() const { return state_->role; }
Term Raft::term() const { return state_->term; }
MemberId Raft::leader() const { return state_->leader; }
LogIndex Raft::commit_index() const { return state_->commit; }
LogIndex Raft::last_index() const { return state_->log.last_index(); }
LogIndex Raft::persisted_index() const { return state_->log.persisted(); }
const ConfState& Raft::conf_state() const { return state_->conf(); }
const Entry& Raft::entry(LogIndex index) const { return state_->log.entry(index); }

Mark Raft::mark_at(LogIndex index) const { return {index, state_->log.term_at(index), state_->membership.at(index)}; }

void Raft::check_invariants() const { raft::check_invariants(*state_); }

}  // namespace metastore::raft
