// All watchers of one member, on every engine the same: who watches what, how far each has come, and what is sent when.
// It reads the store's history and decides nothing about the store; it must never lose, repeat or reorder an event,
// and a stream that does not drain costs it a cursor a watcher and nothing more.
//
// A watcher is in one of three states:
//   live     It has been given every event up to the store's current revision. Events reach it as they are applied.
//   lagging  It reads the store's history from `next` on, in slices that all lagging watchers share.
//   blocked  Its stream has no credit left. It becomes lagging when the client has read on.
//
// An event is encoded once for all watchers (and once more, with the previous value, for those that asked for that).
// Semantics: contract 1.6 and 5.5.
#ifndef METASTORE_CORE_WATCH_HUB_H_
#define METASTORE_CORE_WATCH_HUB_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/limits.h"
#include "core/base/prng.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/response.h"
#include "core/mvcc/store.h"
#include "core/watch/range_index.h"
#include "core/watch/request.h"
#include "core/watch/watcher.h"

namespace metastore::watch {

/// One WatchResponse, in pieces that lie behind each other: its head, then events that other responses share.
struct Response {
  RequestId stream;
  std::vector<Bytes> parts;
};

class Hub {
 public:
  Hub(const Limits& limits, Duration progress_interval, std::uint64_t seed);

  void open(RequestId stream);
  void close(RequestId stream);
  /// The client took `bytes` more of what was sent on the stream. A stream that is not open changes nothing.
  void drained(RequestId stream, std::uint64_t bytes);
  void request(RequestId stream, const Request& request, const mvcc::Store& store, const kv::Header& header,
               Instant now, std::vector<Response>& out);

  /// Gives the live watchers what one more revision of the store brought, and cancels those whose next event was
  /// compacted. To be called after each applied command. Returns how many events were handed to watchers.
  std::size_t on_applied(const mvcc::Store& store);

  /// Another store has taken the place of the one so far, with all that this has had and more: what came between is
  /// read from its history, or compacted there. Requires: nothing was gathered since the last flush.
  void on_replaced(const mvcc::Store& store);

  /// Sends what was gathered since the last flush, lets lagging watchers catch up by one slice, answers progress
  /// requests. True if there is more to do at once.
  bool flush(const mvcc::Store& store, const kv::Header& header, Instant now, std::vector<Response>& out);

  /// When the next progress notification is due.
  Instant wake_at() const { return progress_.empty() ? Instant::never() : progress_.begin()->first; }
  std::size_t watcher_count() const { return watcher_count_; }
  std::size_t stream_count() const { return streams_.size(); }
  /// Watchers that have not been given everything: the lagging and the blocked.
  std::size_t slow_watcher_count() const;
  /// Events in the responses since the start; a figure for status pages.
  std::uint64_t events_sent() const { return events_sent_; }
  void check_invariants() const;

 private:
  struct Stream {
    RequestId id;
    std::int64_t credit = 0;
    absl::btree_map<std::int64_t, std::unique_ptr<Watcher>> watchers;
    std::int64_t next_watch_id = 0;
    std::vector<Watcher*> blocked;
    Instant progress_at = Instant::never();
  };

  void create(Stream& stream, const CreateRequest& request, const mvcc::Store& store, const kv::Header& header,
              Instant now, std::vector<Response>& out);
  void erase(Stream& stream, Watcher& watcher);
  /// It has missed events for good if what it needs next is compacted.
  void give_up_if_compacted(Watcher& watcher);

  /// Offers one change to the watchers in `state`.
  std::size_t offer(const mvcc::Store& store, mvcc::Record record, WatcherState state);
  void send_batches(Revision end, const kv::Header& header, Revision current, std::vector<Response>& out);
  void send_batch(Stream& stream, Watcher& watcher, const kv::Header& header, Revision current,
                  std::vector<Response>& out);
  bool catch_up(const mvcc::Store& store, const kv::Header& header, std::vector<Response>& out);
  void send_progress(const mvcc::Store& store, const kv::Header& header, Instant now, std::vector<Response>& out);
  void send(Stream& stream, const kv::Header& header, Revision revision, const Head& head, std::vector<Bytes> events,
            std::vector<Response>& out);

  /// The events in one block, if they are few bytes. Watchers that are sent the same events one after another share it.
  std::vector<Bytes> join(std::vector<Bytes> events);

  void become_lagging(Watcher& watcher);
  void become_blocked(Stream& stream, Watcher& watcher);
  static bool is_synced(const Watcher& watcher, Revision current);

  const Limits limits_;
  const Duration progress_interval_;
  Prng jitter_;
  absl::btree_map<RequestId, Stream> streams_;
  RangeIndex index_;
  absl::btree_map<std::pair<Revision, std::uint64_t>, Watcher*> lagging_;  ///< By (next, sequence).
  std::vector<Bytes> joined_events_;                                       ///< What was joined last ...
  Bytes joined_;                                                           ///< ... and what came of it.
  /// Batches that were sent: their room serves the next ones.
  std::vector<std::vector<Bytes>> spare_;
  std::vector<Watcher*> touched_;    ///< Their batches are not empty.
  std::vector<Watcher*> compacted_;  ///< Their cancellation is not sent yet.
  std::vector<RequestId> progress_asked_;
  absl::btree_set<std::pair<Instant, RequestId>> progress_;
  Revision live_revision_{1};
  Revision compact_revision_ = mvcc::never_compacted;
  std::uint64_t last_sequence_ = 0;
  std::size_t watcher_count_ = 0;
  std::uint64_t watchers_bytes_ = 0;  ///< What they hold.
  std::uint64_t events_sent_ = 0;
};

}  // namespace metastore::watch

#endif  // METASTORE_CORE_WATCH_HUB_H_
