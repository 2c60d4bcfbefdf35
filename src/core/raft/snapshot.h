// Snapshots instead of a log (thesis 5; design law 3, D4): for peers that need entries which have left memory. Raft
// knows that one is needed and, by its mark, what it stands for; image and bytes are others' business. A snapshot holds
// only what is committed, so it may be installed whoever leads by then.
#ifndef METASTORE_CORE_RAFT_SNAPSHOT_H_
#define METASTORE_CORE_RAFT_SNAPSHOT_H_

#include "core/raft/state.h"

namespace metastore::raft {

/// The peer cannot catch up from this log. Requires: role == Role::leader.
void want_snapshot(State& state, MemberId id, Peer& peer, Output& out);
/// The peer accepts entries again: what it lacks stays in memory until it has come so near that the log keeps it
/// anyway.
void hold_behind_snapshot(const State& state, Peer& peer);
/// Behind which index entries stay in memory for peers that take snapshots.
LogIndex held_index(const State& state);

void on_snapshot_offer(State& state, const Envelope& envelope, const SnapshotOffer& offer, Output& out);
/// As Raft::install_snapshot. Requires: mark.term <= state.term, as behind its offer.
std::optional<LogWriteId> install(State& state, const Mark& mark, Output& out);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_SNAPSHOT_H_
