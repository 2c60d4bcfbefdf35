// Leadership that changes hands on purpose (thesis 3.10): the leader takes no proposals, waits until its successor
// holds its whole log, and tells it to campaign at once. It decides no election: the successor must still win the
// votes, and a leader to whom nothing happens for an election timeout goes on leading.
#ifndef METASTORE_CORE_RAFT_HANDOVER_H_
#define METASTORE_CORE_RAFT_HANDOVER_H_

#include "core/raft/state.h"

namespace metastore::raft {

/// Requires: this member leads, and `to` is another voter.
void begin_handover(State& state, MemberId to, Output& out);
/// Tells the successor once it holds the whole log; ends what takes too long. Requires: role == Role::leader.
void advance_handover(State& state, Output& out);
/// A leader that has to go names the voter that lacks the least. Requires: role == Role::leader.
void hand_over_to_best(State& state, Output& out);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_HANDOVER_H_
