// The log's way from the leader to everybody: opening a term, appending, acknowledging, committing (thesis 3.5, 3.6.2,
// 10.2.1). A leader sends only from send_appends, once a turn; a follower answers once what it claims is durable.
#ifndef METASTORE_CORE_RAFT_REPLICATION_H_
#define METASTORE_CORE_RAFT_REPLICATION_H_

#include "core/raft/state.h"

namespace metastore::raft {

/// Begins to lead: the empty entry that opens the term, and a fresh view of every peer.
void open_term(State& state, Output& out);
/// Appends one entry of the leader's own term. Requires: role == Role::leader.
LogIndex append_own(State& state, EntryType type, Bytes data, Output& out);

void on_append_request(State& state, MemberId from, const AppendRequest& request, Output& out);
void on_append_reply(State& state, MemberId from, const AppendReply& reply, Output& out);

/// Raises commit to the highest index persisted by a quorum.
/// Why:      only entries of the current term may be counted (thesis 3.6.2; paper figure 8); older ones follow.
/// Requires: role == Role::leader.        Ensures: commit never falls.
/// Test:     testdata/commit_older_term.txt
void advance_commit(State& state, Output& out);
/// Begins and confirms ReadIndex rounds, and answers the members that asked. Requires: role == Role::leader.
void advance_reads(State& state, Output& out);
/// Sends every peer what it is owed: new entries within its window, a probe, a heartbeat, a commit index, a round.
/// Requires: role == Role::leader.
void send_appends(State& state, Output& out);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_REPLICATION_H_
