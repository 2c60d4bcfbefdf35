// When the history is compacted without anybody's request, and up to where: so many revisions are kept, or those of so
// much time (etcd's --auto-compaction-mode). It keeps the revisions that it saw and decides from the instants that it
// is given; it compacts nothing itself, and only a leader asks it to. Source: etcd's compactor, from its documentation
// and by its behaviour.
#ifndef METASTORE_CORE_REPLICA_AUTO_COMPACTION_H_
#define METASTORE_CORE_REPLICA_AUTO_COMPACTION_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore {

/// How much history stays. Neither: all of it.
struct Retention {
  Duration period;              ///< Of the newest revisions' time.
  std::uint64_t revisions = 0;  ///< Of the newest revisions.
  bool operator==(const Retention&) const = default;
};

class AutoCompaction {
 public:
  AutoCompaction(const Retention& retention, const Limits& limits, Instant now);

  /// When due() wants to be asked next.
  Instant wake_at() const { return look_at_; }
  /// The revision to compact at, if the time has come; to be asked at or after wake_at(), earlier does nothing.
  std::optional<Revision> due(Instant now, Revision current, bool leads);

 private:
  std::optional<Revision> by_time(Instant now, Revision current, bool leads);
  std::optional<Revision> by_revisions(Revision current, bool leads);

  const Retention retention_;
  Duration look_interval_;  ///< Between two looks at the current revision.
  Duration wait_;           ///< Between two compactions; at first the whole period.
  Instant look_at_ = Instant::never();
  Instant compacted_at_;
  Revision compacted_;
  std::deque<Revision> seen_;  ///< One a look, the last period long.
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_AUTO_COMPACTION_H_
