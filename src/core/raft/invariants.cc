#include "core/base/assert.h"
#include "core/raft/state.h"

namespace metastore::raft {
namespace {

void check_log(const State& state) {
  state.log.check_invariants();
  ASSERT(state.log.applied() <= state.commit);
  ASSERT(state.commit <= state.log.last_index());
  ASSERT(state.role == Role::leader || state.agreed <= state.log.last_index());
  ASSERT(state.log.last_term() <= state.term);
  ASSERT(state.membership.index() <= state.log.last_index());
}

void check_durability(const State& state) {
  state.outbox.check_invariants();
  ASSERT(state.vote_write <= state.outbox.next_write());
  ASSERT(state.written_hard_state.term <= state.term);
  ASSERT(state.written_hard_state.commit <= state.commit);
  const bool is_written = state.vote_write <= state.outbox.last_write();
  ASSERT(!is_written || state.written_hard_state.term == state.term);
  ASSERT(!is_written || state.written_hard_state.vote == state.vote);
}

void check_role(const State& state) {
  const bool leads = state.role == Role::leader;
  const bool asks = state.role == Role::candidate || state.role == Role::pre_candidate;
  ASSERT(leads == state.leadership.has_value());
  ASSERT(leads == (state.leader == state.config.id));
  ASSERT(asks || state.votes.empty());
  ASSERT(!asks || state.leader == MemberId());
  ASSERT(state.role != Role::candidate || state.vote == state.config.id);
}

void check_leadership(const State& state) {
  const Leadership& leading = *state.leadership;
  ASSERT(state.vote == state.config.id);
  ASSERT(state.vote_write <= state.outbox.durable());
  ASSERT(leading.first_index <= state.log.last_index());
  ASSERT(state.log.last_term() == state.term);
  const std::vector<MemberId> members = all_members(state.conf());
  const bool is_member = contains(members, state.config.id);
  ASSERT(leading.peers.size() + (is_member ? 1 : 0) == members.size());
  for (const auto& [id, peer] : leading.peers) {
    ASSERT(id != state.config.id);
    ASSERT(contains(members, id));
    peer.progress.check_invariants();
    ASSERT(peer.progress.next_index() <= state.log.last_index().next());
    ASSERT(peer.round_sent <= leading.reads.number());
    // A member that was removed and added again may still echo what it was sent before.
    ASSERT(peer.round_echoed <= leading.reads.number());
    ASSERT(peer.commit_sent <= state.commit);
  }
}

}  // namespace

void check_invariants(const State& state) {
  check_log(state);
  check_durability(state);
  check_role(state);
  if (state.leadership) check_leadership(state);
}

}  // namespace metastore::raft
