#include "core/raft/election.h"

#include <algorithm>
#include <tuple>

#include "core/base/assert.h"
#include "core/raft/handover.h"
#include "core/raft/replication.h"

namespace metastore::raft {
namespace {

/// Whether somebody leads whom an election would only disturb (thesis 4.2.3). A leader who asks for votes itself is
/// proof that it leads no more.
bool has_live_leader(const State& state, MemberId asking) {
  if (state.role == Role::leader) return true;
  return state.leader != MemberId() && state.leader != asking &&
         state.now < state.leader_heard + state.config.election_timeout;
}

bool is_up_to_date(const State& state, const VoteRequest& request) {
  return std::tuple(request.last_term, request.last_index) >= std::tuple(state.log.last_term(), state.log.last_index());
}

enum class Campaign { pre_vote, vote, handed_over };

void ask_for_votes(State& state, Campaign campaign, Term term, LogWriteId write, Output& out) {
  const VoteRequest request{term, state.log.last_index(), state.log.last_term(), campaign == Campaign::pre_vote,
                            campaign == Campaign::handed_over};
  for (const MemberId id : all_members(state.conf())) {
    if (id == state.config.id || !is_voter(state.conf(), id)) continue;
    send(state, id, request, write, out);
  }
}

void follow_nobody(State& state, Output& out) {
  state.leader = MemberId();
  state.forwarded_reads.fail(out);
}

void become_pre_candidate(State& state, Output& out) {
  state.role = Role::pre_candidate;
  follow_nobody(state, out);
  state.votes = {{state.config.id, true}};
  ask_for_votes(state, Campaign::pre_vote, state.term.next(), LogWriteId(), out);
}

void become_candidate(State& state, Campaign campaign, Output& out) {
  state.role = Role::candidate;
  follow_nobody(state, out);
  state.votes.clear();
  state.set_term_and_vote(state.term.next(), state.config.id);
  ask_for_votes(state, campaign, state.term, state.vote_write, out);
  send(state, state.config.id, VoteReply{state.term, state.term, false, true}, state.vote_write, out);
}

void become_leader(State& state, Output& out) {
  ASSERT(state.vote == state.config.id);
  ASSERT(state.vote_write <= state.outbox.durable());
  state.role = Role::leader;
  state.leader = state.config.id;
  state.votes.clear();
  open_term(state, out);
}

void refuse(State& state, MemberId from, const VoteRequest& request, std::string_view fact, Output& out) {
  trace(out, TraceLevel::info, fact, {{"candidate", from}, {"campaign_term", request.term}, {"term", state.term}});
  send(state, from, VoteReply{state.term, request.term, request.pre_vote, false}, state.vote_write, out);
}

/// A configuration may rule that is not committed and leaves this member out. Until it is committed the cluster may
/// need this member's longer log, though not its vote (thesis 4.2.2).
bool may_campaign(const State& state) {
  return is_voter(state.conf(), state.config.id) || is_voter(state.membership.at(state.commit), state.config.id);
}

bool can_campaign(const State& state, Output& out) {
  const bool is_stalled = state.outbox.stalled_at(state.config.election_timeout) <= state.now;
  if (is_stalled || state.is_installing) {
    trace(out, TraceLevel::info,
          is_stalled ? "timeout while the disk stalls -> wait, no vote could be cast"
                     : "timeout while a snapshot is being installed -> wait",
          {{"term", state.term}});
  }
  return !is_stalled && !state.is_installing;
}

}  // namespace

void reset_election_deadline(State& state) {
  const Duration timeout = state.config.election_timeout;
  state.election_deadline = state.now + state.deadlines.between(timeout, timeout + timeout / 5);
}

void become_follower(State& state, Term term, MemberId leader, Output& out) {
  ASSERT(term >= state.term);
  if (term > state.term || leader != state.leader) state.forwarded_reads.fail(out);
  if (term > state.term) state.set_term_and_vote(term, MemberId());
  if (state.leadership) {
    // Others will ask again and be refused.
    for (const ReadAsked& read : state.leadership->reads.take_all()) {
      if (read.by == state.config.id) out.reads_failed.push_back(read.context);
    }
    state.leadership.reset();
  }
  if (state.role != Role::follower) reset_election_deadline(state);
  state.role = Role::follower;
  state.leader = leader;
  state.votes.clear();
}

void on_election_deadline(State& state, Output& out) {
  reset_election_deadline(state);
  if (!can_campaign(state, out)) return;
  if (state.config.pre_vote && !state.is_only_voter()) {
    trace(out, TraceLevel::info, "timeout -> ask for pre-votes", {{"was", describe(state.role)}, {"term", state.term}});
    become_pre_candidate(state, out);
  } else {
    trace(out, TraceLevel::info, "timeout -> campaign", {{"was", describe(state.role)}, {"term", state.term.next()}});
    become_candidate(state, Campaign::vote, out);
  }
}

void forget_leader(State& state, Output& out) {
  trace(out, TraceLevel::info, "leader out of reach -> forget it", {{"leader", state.leader}, {"term", state.term}});
  become_follower(state, state.term, MemberId(), out);
  // Drawn, since all its followers lose it at once.
  const Duration interval = state.config.heartbeat_interval;
  const Instant soon = state.now + state.deadlines.between(interval, interval * 2);
  state.election_deadline = std::min(state.election_deadline, soon);
}

Instant election_due_at(const State& state) { return may_campaign(state) ? state.election_deadline : Instant::never(); }

void hear_leader(State& state, MemberId from, Term term, Output& out) {
  ASSERT(term > state.term || state.role != Role::leader);
  if (term > state.term || state.leader != from) {
    trace(out, TraceLevel::info, "leader found -> follow", {{"leader", from}, {"term", term}});
    become_follower(state, term, from, out);
  }
  state.leader_heard = state.now;
  reset_election_deadline(state);
}

void on_timeout_now(State& state, MemberId from, const TimeoutNow& order, Output& out) {
  if (order.term != state.term || from != state.leader || !may_campaign(state)) return;
  if (!can_campaign(state, out)) return;
  trace(out, TraceLevel::info, "leader hands over -> campaign", {{"leader", from}, {"term", state.term.next()}});
  reset_election_deadline(state);
  become_candidate(state, Campaign::handed_over, out);
}

Instant leadership_ends_at(const State& state) {
  const Duration timeout = state.config.election_timeout;
  const Instant quorum_heard = reached_by_quorum(state.conf(), [&state](MemberId id) {
    return id == state.config.id ? Instant::never() : state.leadership->peers.at(id).heard;
  });
  // Where nobody else could lead, stepping down would only refuse clients what the disk may still do.
  if (state.is_only_voter()) return Instant::never();
  return std::min(quorum_heard + timeout, state.outbox.stalled_at(timeout));
}

void check_leadership(State& state, Output& out) {
  if (state.now < leadership_ends_at(state)) return;
  const bool is_stalled = state.outbox.stalled_at(state.config.election_timeout) <= state.now;
  trace(out, TraceLevel::warn,
        is_stalled ? "disk stalled for an election timeout -> step down"
                   : "no quorum heard for an election timeout -> step down",
        {{"term", state.term}});
  if (is_stalled) hand_over_to_best(state, out);
  become_follower(state, state.term, MemberId(), out);
}

void on_vote_request(State& state, MemberId from, const VoteRequest& request, Output& out) {
  if (has_live_leader(state, from) && !request.leader_transfer) {
    return refuse(state, from, request, "vote asked while the leader lives -> refuse", out);
  }
  if (!request.pre_vote && request.term > state.term) {
    trace(out, TraceLevel::info, "higher term in a vote request -> follow it",
          {{"from", from}, {"term", request.term}});
    become_follower(state, request.term, MemberId(), out);
  }
  if (request.pre_vote ? request.term <= state.term : request.term < state.term) {
    return refuse(state, from, request, "vote asked for an old term -> refuse", out);
  }
  if (!request.pre_vote && state.vote != MemberId() && state.vote != from) {
    return refuse(state, from, request, "vote asked but already given in this term -> refuse", out);
  }
  if (!is_up_to_date(state, request)) {
    return refuse(state, from, request, "vote asked with a shorter log -> refuse", out);
  }
  trace(out, TraceLevel::info, request.pre_vote ? "pre-vote asked -> grant" : "vote asked -> grant",
        {{"candidate", from}, {"campaign_term", request.term}});
  if (!request.pre_vote) {
    become_follower(state, state.term, MemberId(), out);
    if (state.vote != from) state.set_term_and_vote(state.term, from);
    reset_election_deadline(state);
  }
  send(state, from, VoteReply{state.term, request.term, request.pre_vote, true}, state.vote_write, out);
}

void on_vote_reply(State& state, MemberId from, const VoteReply& reply, Output& out) {
  if (reply.term > state.term) {
    trace(out, TraceLevel::info, "higher term in a vote reply -> follow it", {{"from", from}, {"term", reply.term}});
    return become_follower(state, reply.term, MemberId(), out);
  }
  const Role asking = reply.pre_vote ? Role::pre_candidate : Role::candidate;
  const Term campaign_term = reply.pre_vote ? state.term.next() : state.term;
  if (state.role != asking || reply.campaign_term != campaign_term) return;
  state.votes.emplace(from, reply.granted);
  switch (vote_result(state.conf(), state.votes)) {
    case VoteResult::pending:
      return;
    case VoteResult::lost:
      trace(out, TraceLevel::info, "quorum of refusals -> follow", {{"campaign_term", campaign_term}});
      return become_follower(state, state.term, MemberId(), out);
    case VoteResult::won:
      if (reply.pre_vote) {
        trace(out, TraceLevel::info, "quorum of pre-votes -> campaign", {{"term", campaign_term}});
        return become_candidate(state, Campaign::vote, out);
      }
      trace(out, TraceLevel::info, "quorum of votes -> lead", {{"term", state.term}});
      return become_leader(state, out);
  }
}

}  // namespace metastore::raft
