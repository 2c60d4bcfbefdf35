// One watch as the hub keeps it: what it wants, how far it has come, what is gathered for it in this turn.
#ifndef METASTORE_CORE_WATCH_WATCHER_H_
#define METASTORE_CORE_WATCH_WATCHER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/kv/response.h"
#include "core/mvcc/key_range.h"
#include "core/mvcc/revision.h"

namespace metastore::watch {

enum class WatcherState : std::uint8_t { live, lagging, blocked };

struct Watcher {
  RequestId stream;
  std::int64_t id = 0;
  std::uint64_t sequence = 0;  ///< Larger than those of all earlier watchers.
  std::string key;
  std::string range_end;
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false;
  bool fragment = false;
  bool progress_notify = false;

  WatcherState state = WatcherState::live;
  /// Events before it were sent or never wanted. While live and touched it stands at the batch's first revision.
  Revision next;
  std::vector<Bytes> batch;
  bool is_compacted = false;      ///< It has missed events for good; its cancellation is due.
  bool sent_in_interval = false;  ///< So that no progress notification is due.

  mvcc::KeyRange range() const { return {key, range_end}; }
  /// What it takes, about: the index keeps its range, too, and an end up to twice.
  std::uint64_t held_bytes() const { return 256 + 2 * key.size() + 3 * range_end.size(); }
};

/// What a WatchResponse says besides its header and events.
struct Head {
  std::int64_t watch_id = 0;
  bool created = false;
  bool canceled = false;
  Revision compact_revision{0};
  std::string_view cancel_reason;
  bool fragment = false;
};

Bytes encode(const kv::Header& header, Revision revision, const Head& head);
/// One event as field 11 of a WatchResponse; `previous` is none unless it is to be shown.
Bytes encode_event(mvcc::Record record, mvcc::Record previous);

}  // namespace metastore::watch

#endif  // METASTORE_CORE_WATCH_WATCHER_H_
