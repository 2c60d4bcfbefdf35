#include "core/raft/snapshot.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/raft/election.h"

namespace metastore::raft {

void want_snapshot(State& state, MemberId id, Peer& peer, Output& out) {
  trace(out, TraceLevel::info, "peer needs entries that have left memory -> it gets a snapshot",
        {{"peer", id}, {"compacted_index", state.log.compacted()}});
  peer.progress.await_snapshot();
  peer.snapshot_index = LogIndex();
  peer.snapshot_lost_at = Instant::never();
  out.snapshots_wanted.push_back(id);
}

void hold_behind_snapshot(const State& state, Peer& peer) {
  if (peer.snapshot_index == LogIndex() || peer.progress.mode() == Progress::Mode::snapshot) return;
  const LogIndex match = peer.progress.match_index();
  peer.snapshot_index = state.log.is_kept_after(match, state.config.limits) ? LogIndex() : match;
}

LogIndex held_index(const State& state) {
  LogIndex held = state.commit;
  if (!state.leadership) return held;
  for (const auto& [id, peer] : state.leadership->peers) {
    if (peer.snapshot_index == LogIndex()) continue;
    // Whoever has its snapshot and falls silent may need another.
    const bool is_silent = state.now >= peer.heard + state.config.election_timeout;
    if (peer.progress.mode() == Progress::Mode::snapshot || !is_silent) held = std::min(held, peer.snapshot_index);
  }
  return held;
}

void on_snapshot_offer(State& state, const Envelope& envelope, const SnapshotOffer& offer, Output& out) {
  if (offer.term < state.term) {
    return send(state, envelope.from, SnapshotReply{.term = state.term, .image = offer.image}, state.vote_write, out);
  }
  hear_leader(state, envelope.from, offer.term, out);
  if (offer.mark.index > state.commit) {
    out.snapshots_offered.push_back(envelope);
  } else {
    send(state, envelope.from, SnapshotReply{.term = state.term, .image = offer.image}, state.vote_write, out);
  }
}

std::optional<LogWriteId> install(State& state, const Mark& mark, Output& out) {
  ASSERT(mark.term <= state.term);
  if (state.role == Role::leader || mark.index <= state.commit) return std::nullopt;
  if (state.log.matches(mark.index, mark.term)) {
    state.commit = mark.index;
    return std::nullopt;
  }
  trace(out, TraceLevel::info, "snapshot staged -> it replaces the log",
        {{"index", mark.index}, {"last", state.log.last_index()}, {"conf_state", describe(mark.conf_state)}});
  become_follower(state, state.term, state.leader, out);
  state.log.restart_at(mark.index, mark.term);
  state.membership = Membership(mark.index, mark.conf_state);
  state.commit = state.marked = mark.index;
  state.is_installing = true;
  // Entries of one write lie before its mark, so the mark gets its own; whatever claims it waits for that.
  state.vote_write = state.outbox.begin_write(state.now);
  state.written_hard_state = {state.term, state.vote, state.commit};
  out.log_writes.push_back({.id = state.vote_write, .hard_state = state.written_hard_state, .mark = mark});
  return state.vote_write;
}

}  // namespace metastore::raft
