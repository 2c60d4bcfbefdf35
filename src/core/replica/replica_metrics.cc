// What the replica tells of itself. Beside replica.cc, since it is one subject.
#include "core/kv/cost.h"
#include "core/replica/replica.h"

namespace metastore {

void Replica::observe_leader(Instant now) {
  const MemberId leader = raft_.leader();
  if (leader == observed_leader_) return;
  observed_leader_ = leader;
  if (leader == MemberId()) return;
  ++counts_.leader_changes;
  led_since_ = now;
}

ReplicaStatus Replica::status() const {
  return {.leader = raft_.leader(),
          .is_leader = raft_.role() == raft::Role::leader,
          .is_learner = is_learner(),
          .term = raft_.term(),
          .commit_index = raft_.commit_index(),
          .applied_index = applied_index_,
          .revision = applier_->store().current_revision(),
          .size_in_use_bytes = kv::size_in_use(*applier_),
          .size_bytes = quota_.size_bytes(),
          .quota_bytes = quota_.bytes(),
          .alarms = applier_->alarms().list(kv::AlarmType::none),
          .cluster_version = cluster_version_,
          .is_published = is_published(),
          .is_idle = waiting_.empty() && ranges_.size() == 0,
          .is_handing_over = raft_.transferee() != MemberId()};
}

ReplicaMetrics Replica::metrics() const {
  return {.counts = counts_,
          .requests = applier_->counts(),
          .leases = applier_->lessor().counts(),
          .compact_revision = applier_->store().compact_revision(),
          .keys = applier_->store().live_keys(),
          .records_compacted = applier_->store().freed_records(),
          .proposals_pending = waiting_.proposals(),
          .watch_streams = watches_.stream_count(),
          .watchers = watches_.watcher_count(),
          .slow_watchers = watches_.slow_watcher_count(),
          .events_sent = watches_.events_sent()};
}

}  // namespace metastore
