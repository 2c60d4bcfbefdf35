// What the replica tells of itself in numbers. Beside replica.cc, since it is one subject.
#include "core/replica/replica.h"

namespace metastore {

void Replica::observe_leader() {
  const MemberId leader = raft_.leader();
  if (leader == observed_leader_) return;
  observed_leader_ = leader;
  if (leader != MemberId()) ++counts_.leader_changes;
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
