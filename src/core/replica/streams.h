// The streaming RPCs that are open: what each one is, until when, and on what condition. It knows nothing of what they
// carry: the replica hands each stream's messages to whoever serves its method.
#ifndef METASTORE_CORE_REPLICA_STREAMS_H_
#define METASTORE_CORE_REPLICA_STREAMS_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/method.h"
#include "core/replica/input.h"

namespace metastore {

class Streams {
 public:
  /// Requires: no open stream has this id.
  void open(const StreamOpened& stream);
  /// What the stream serves; nothing if it is not open (any more).
  std::optional<kv::Method> find(RequestId id) const;
  void close(RequestId id);

  /// Those whose deadline has come. They stay open until closed.
  std::vector<RequestId> expired(Instant now) const;
  /// Those that shall end when no leader is known.
  const absl::btree_set<RequestId>& requiring_leader() const { return requiring_leader_; }
  std::vector<RequestId> all() const;

  Instant next_deadline() const { return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first; }
  bool empty() const { return streams_.empty(); }

 private:
  struct Stream {
    kv::Method method;
    Instant deadline;
  };
  absl::btree_map<RequestId, Stream> streams_;
  absl::btree_set<std::pair<Instant, RequestId>> deadlines_;  ///< Of those that have one.
  absl::btree_set<RequestId> requiring_leader_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_STREAMS_H_
