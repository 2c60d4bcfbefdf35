// The replica's side of comparing states: the leader marks points of the log, every member hashes its state there and
// tells the leader, and whoever differs from the majority gets the alarm CORRUPT (contract 5.9). Beside replica.cc,
// since it is one subject.
#include <algorithm>

#include "core/base/assert.h"
#include "core/kv/command.h"
#include "core/replica/replica.h"

namespace metastore {

void Replica::mark_state_hash_point(Instant now) {
  const std::uint64_t entries = config_.limits.state_hash_entries;
  // One that is alone has nobody to be compared with.
  if (entries == 0 || members_.all().size() < 2 || !raft_.accepts_proposals()) return;
  // One that was marked in an earlier term may have been lost with it.
  LogIndex last = hashed_at_;
  if (hash_point_marked_.first == raft_.term()) last = std::max(last, hash_point_marked_.second);
  if (raft_.last_index().value() / entries <= last.value() / entries) return;
  propose_as_leader(now, kv::encode_state_hash_point(next_proposal_id()));
  hash_point_marked_ = {raft_.term(), raft_.last_index()};
}

void Replica::hash_state(LogIndex index) {
  ASSERT(index == applied_index_);
  hashed_at_ = index;
  own_hash_ = raft::StateHash{Term(), index, hash()};
  hash_told_ = {};
}

void Replica::on_state_hash(MemberId from, const raft::StateHash& state) {
  if (raft_.role() != raft::Role::leader || members_.find(from) == nullptr) return;
  state_hashes_.report(from, state.index, state.hash);
}

Instant Replica::compare_states_at() const {
  return raft_.accepts_proposals() ? state_hashes_.wake_at() : Instant::never();
}

void Replica::compare_states(Instant now, Effects& effects) {
  mark_state_hash_point(now);
  const bool leads = raft_.role() == raft::Role::leader;
  if (!leads) state_hashes_.clear();
  // A new leader knows nothing of what its predecessor was told.
  const std::pair leader(raft_.leader(), raft_.term());
  if (own_hash_.has_value() && hash_told_ != leader && leader.first != MemberId()) {
    hash_told_ = leader;
    own_hash_->term = raft_.term();
    if (leads) {
      on_state_hash(config_.member, *own_hash_);
    } else {
      raft_output_.messages.push_back({config_.member, leader.first, *own_hash_});
    }
  }
  if (!raft_.accepts_proposals()) return;
  for (const StateHashes::Suspect& suspect : state_hashes_.judge(now, raft_.conf_state().voters)) {
    const kv::Alarm alarm{kv::AlarmType::corrupt, suspect.member};
    if (members_.find(suspect.member) == nullptr || applier_->alarms().is_raised(alarm)) continue;
    TraceLine line{
        TraceLevel::error,
        "found data inconsistency with peers",
        {{"member-id", raft::describe(suspect.member)}, {"index", suspect.index.value()}, {"hash", suspect.hash}}};
    if (suspect.of_majority.has_value()) line.fields.push_back({"hash-of-majority", *suspect.of_majority});
    effects.trace.push_back(std::move(line));
    propose_as_leader(now, kv::encode_alarm(next_proposal_id(), alarm));
  }
}

}  // namespace metastore
