// What clients have asked on their keep-alive streams and not been answered yet, each stream in order (contract 1.7). A
// keep-alive is answered once leadership was confirmed after its arrival, and not before those ahead of it. It knows no
// lease: the replica renews them.
#ifndef METASTORE_CORE_REPLICA_KEEP_ALIVES_H_
#define METASTORE_CORE_REPLICA_KEEP_ALIVES_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <deque>
#include <optional>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/replica/waiting.h"

namespace metastore {

class KeepAlives {
 public:
  struct Asked {
    Waiting::Key key = 0;
    LeaseId lease;
    bool is_confirmed = false;
    std::optional<Bytes> answer;  ///< The leader's, if that is another member.
  };

  void open(RequestId stream) { streams_.try_emplace(stream); }
  /// Forgets the stream. Returns what is owed on it.
  std::vector<Waiting::Key> close(RequestId stream);
  /// Requires: the stream is open, here and below.
  void add(RequestId stream, Waiting::Key key, LeaseId lease);
  /// Leadership was confirmed since `key` was asked.
  void confirm(RequestId stream, Waiting::Key key);
  /// The leader's answer; it counts as confirmed.
  void answer(RequestId stream, Waiting::Key key, Bytes answer);
  /// The first question of the stream must be confirmed again.   Requires: is_answerable().
  void unconfirm(RequestId stream);
  /// The client asks nothing more.
  void end_requests(RequestId stream);

  /// The streams whose first question may be answered.
  std::vector<RequestId> answerable() const { return {answerable_.begin(), answerable_.end()}; }
  const Asked& front(RequestId stream) const;
  void pop(RequestId stream);
  bool is_answerable(RequestId stream) const { return answerable_.contains(stream); }
  /// Nothing is owed on it, and nothing more will be asked.
  bool is_finished(RequestId stream) const;

 private:
  struct Stream {
    std::deque<Asked> asked;
    bool is_ended = false;
  };
  static Asked& find(Stream& stream, Waiting::Key key);
  void update(RequestId id, const Stream& stream);

  absl::btree_map<RequestId, Stream> streams_;
  absl::btree_set<RequestId> answerable_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_KEEP_ALIVES_H_
