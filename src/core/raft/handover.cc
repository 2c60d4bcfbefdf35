#include "core/raft/handover.h"

#include "core/base/assert.h"

namespace metastore::raft {

void begin_handover(State& state, MemberId to, Output& out) {
  ASSERT(to != state.config.id);
  ASSERT(is_voter(state.conf(), to));
  trace(out, TraceLevel::info, "asked to hand over -> take no proposals", {{"to", to}, {"term", state.term}});
  state.leading().handover = Handover{to, state.now + state.config.election_timeout};
}

void advance_handover(State& state, Output& out) {
  std::optional<Handover>& handover = state.leading().handover;
  if (!handover) return;
  if (state.now >= handover->ends_at || !is_voter(state.conf(), handover->to)) {
    trace(out, TraceLevel::warn, "nobody has taken over -> go on leading",
          {{"to", handover->to}, {"term", state.term}});
    return handover.reset();
  }
  const Peer& successor = state.leading().peers.at(handover->to);
  if (handover->is_told || successor.progress.match_index() < state.log.last_index()) return;
  handover->is_told = true;
  send(state, handover->to, TimeoutNow{state.term}, state.vote_write, out);
}

void hand_over_to_best(State& state, Output& out) {
  MemberId best;
  LogIndex best_match;
  for (const auto& [id, peer] : state.leading().peers) {
    if (!is_voter(state.conf(), id) || peer.progress.match_index() <= best_match) continue;
    best = id;
    best_match = peer.progress.match_index();
  }
  if (best != MemberId()) send(state, best, TimeoutNow{state.term}, state.vote_write, out);
}

}  // namespace metastore::raft
