// What one watch was told, from its creation to its end, in words of the simulator's own: the oracle reads these.
#ifndef METASTORE_SIM_WATCH_SESSION_H_
#define METASTORE_SIM_WATCH_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "sim/operation.h"

namespace metastore::sim {

struct WatchEvent {
  bool is_delete = false;
  KeyValue kv;  ///< Of a deletion: key and mod_revision alone.
  std::optional<KeyValue> previous;
  std::uint64_t response = 0;  ///< The so manieth on its stream; fragments count as one.
};

/// Everything up to `revision` had been told when this was said.
struct WatchProgress {
  std::size_t events_before = 0;
  std::int64_t revision = 0;
};

struct WatchSession {
  std::uint64_t watcher = 0;
  Instant opened;
  KeyRange keys;
  std::int64_t asked_start = 0;  ///< 0: from the next revision on.
  bool wants_previous = false;
  bool without_puts = false;
  bool without_deletes = false;
  bool wants_fragments = false;
  bool wants_progress = false;  ///< Without asking for it each time.
  std::int64_t asked_id = 0;    ///< 0: the member picks one.

  std::int64_t created_revision = 0;  ///< 0 until it is created.
  std::vector<WatchEvent> events;
  std::vector<WatchProgress> progress;
  std::optional<std::int64_t> compact_revision;  ///< It was ended because it asked for what is compacted.
  std::uint64_t fragments = 0;                   ///< Responses that were not the last of their kind.
  bool is_open = true;

  /// The first revision that it wants. Requires: it is created.
  std::int64_t start() const { return asked_start != 0 ? asked_start : created_revision + 1; }
  /// Where it would go on. Requires: it is created.
  std::int64_t next() const { return events.empty() ? start() : events.back().kv.mod_revision + 1; }
};

/// A WatchResponse.
struct WatchMessage {
  std::int64_t revision = 0;  ///< The header's.
  std::int64_t watch_id = 0;
  bool is_created = false;
  bool is_canceled = false;
  bool is_fragment = false;  ///< The next response of this watch goes on with it.
  std::int64_t compact_revision = 0;
  std::string cancel_reason;
  std::vector<WatchEvent> events;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WATCH_SESSION_H_
