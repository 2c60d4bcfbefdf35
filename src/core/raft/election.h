// Elections: deadlines, pre-votes, votes and stepping down (thesis 3.4, 3.6.1, 4.2.3, 9.6). Nothing is sent here that
// claims a term or vote before it is durable: the outbox holds it back.
#ifndef METASTORE_CORE_RAFT_ELECTION_H_
#define METASTORE_CORE_RAFT_ELECTION_H_

#include "core/raft/state.h"

namespace metastore::raft {

/// A new deadline, drawn from [T, 1.2 T) from now.
void reset_election_deadline(State& state);
/// Leaves every other role. `leader` is 0 if nobody is known to lead `term`. Requires: term >= state.term.
void become_follower(State& state, Term term, MemberId leader, Output& out);
/// Whoever was followed leads no more, or is out of reach: pre-votes are asked for soon unless it is heard again.
void forget_leader(State& state, Output& out);
/// Never for who may not campaign. Requires: role != Role::leader.
Instant election_due_at(const State& state);
/// `from` leads `term`. Requires: term >= state.term.
void hear_leader(State& state, MemberId from, Term term, Output& out);
/// The election deadline has come, and the member is no leader.
void on_election_deadline(State& state, Output& out);
/// Steps down a leader whom no quorum, or whose own disk, has answered for an election timeout.
void check_leadership(State& state, Output& out);
/// When check_leadership has something to say. Requires: role == Role::leader.
Instant leadership_ends_at(const State& state);

void on_timeout_now(State& state, MemberId from, const TimeoutNow& order, Output& out);
void on_vote_request(State& state, MemberId from, const VoteRequest& request, Output& out);
void on_vote_reply(State& state, MemberId from, const VoteReply& reply, Output& out);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_ELECTION_H_
