#include "core/watch/hub.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/overloaded.h"

namespace metastore::watch {
namespace {

constexpr std::int64_t no_watch = -1;
/// Room for batches that is kept, so much that a burst leaves little behind.
constexpr std::size_t spare_batches_max = 1024;
constexpr std::size_t spare_batch_events = 64;
constexpr std::string_view required_revision_compacted = "etcdserver: mvcc: required revision has been compacted";
constexpr std::string_view range_is_empty = "mvcc: watcher range is empty";
constexpr std::string_view too_many_watchers = "metastore: too many watchers, or too long keys (watchers_bytes_max)";
constexpr std::string_view duplicate_id = "mvcc: duplicate watch ID provided on the WatchStream";

}  // namespace

Hub::Hub(const Limits& limits, Duration progress_interval, std::uint64_t seed)
    : limits_(limits), progress_interval_(progress_interval), jitter_(seed, "watch progress") {}

void Hub::open(RequestId stream) {
  const auto [place, is_new] = streams_.try_emplace(stream);
  ASSERT(is_new);
  place->second.id = stream;
  place->second.credit = static_cast<std::int64_t>(limits_.stream_credit_bytes);
}

void Hub::close(RequestId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  for (Watcher* watcher : std::exchange(stream.blocked, {})) watcher->state = WatcherState::live;
  while (!stream.watchers.empty()) erase(stream, *stream.watchers.begin()->second);
  progress_.erase({stream.progress_at, id});
  streams_.erase(found);
}

void Hub::drained(RequestId id, std::uint64_t bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  stream.credit += static_cast<std::int64_t>(bytes);
  if (stream.credit <= 0) return;
  for (Watcher* watcher : std::exchange(stream.blocked, {})) become_lagging(*watcher);
}

void Hub::request(RequestId id, const Request& request, const mvcc::Store& store, const kv::Header& header, Instant now,
                  std::vector<Response>& out) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  const Overloaded execute{
      [](const std::monostate&) {},
      [&](const CreateRequest& asked) { create(stream, asked, store, header, now, out); },
      [&](const CancelRequest& asked) {
        const auto watcher = stream.watchers.find(asked.watch_id);
        if (watcher == stream.watchers.end()) return;
        // What was gathered for it comes before the word that it has ended.
        send_batch(stream, *watcher->second, header, store.current_revision(), out);
        erase(stream, *watcher->second);
        send(stream, header, store.current_revision(), {.watch_id = asked.watch_id, .canceled = true}, {}, out);
      },
      [&](const ProgressRequest&) { progress_asked_.push_back(id); },
  };
  std::visit(execute, request);
}

void Hub::create(Stream& stream, const CreateRequest& request, const mvcc::Store& store, const kv::Header& header,
                 Instant now, std::vector<Response>& out) {
  const Revision current = store.current_revision();
  const auto refuse = [&](std::string_view reason) {
    send(stream, header, current, {.watch_id = no_watch, .created = true, .canceled = true, .cancel_reason = reason},
         {}, out);
  };
  auto watcher = std::make_unique<Watcher>();
  watcher->stream = stream.id;
  watcher->key = request.key.empty() ? std::string(1, '\0') : request.key;
  watcher->range_end = request.range_end;
  const mvcc::KeyRange range = watcher->range();
  if (!range.is_single() && !range.is_open() && range.end <= range.key) return refuse(range_is_empty);
  if (request.start_revision < 0) return refuse(required_revision_compacted);
  if (request.watch_id != 0 && stream.watchers.contains(request.watch_id)) return refuse(duplicate_id);
  if (watchers_bytes_ + watcher->held_bytes() > limits_.watchers_bytes_max) return refuse(too_many_watchers);
  watcher->id = request.watch_id;
  if (request.watch_id == 0) {
    while (stream.watchers.contains(stream.next_watch_id)) ++stream.next_watch_id;
    watcher->id = stream.next_watch_id++;
  }
  watcher->sequence = ++last_sequence_;
  watcher->no_put = request.no_put;
  watcher->no_delete = request.no_delete;
  watcher->prev_kv = request.prev_kv;
  watcher->fragment = request.fragment;
  watcher->progress_notify = request.progress_notify;
  watcher->next = request.start_revision == 0 ? current.next() : Revision(request.start_revision);

  Watcher& placed = *stream.watchers.emplace(watcher->id, std::move(watcher)).first->second;
  ++watcher_count_;
  watchers_bytes_ += placed.held_bytes();
  index_.insert(placed.range(), placed);
  send(stream, header, current, {.watch_id = placed.id, .created = true}, {}, out);
  if (placed.next <= current) become_lagging(placed);
  give_up_if_compacted(placed);
  if (placed.progress_notify && stream.progress_at == Instant::never()) {
    stream.progress_at = now + progress_interval_ + jitter_.between(Duration(), progress_interval_ / 10);
    progress_.emplace(stream.progress_at, stream.id);
  }
}

void Hub::erase(Stream& stream, Watcher& watcher) {
  if (watcher.state == WatcherState::lagging) lagging_.erase({watcher.next, watcher.sequence});
  if (watcher.state == WatcherState::blocked) std::erase(stream.blocked, &watcher);
  if (watcher.is_compacted) std::erase(compacted_, &watcher);
  if (!watcher.batch.empty()) std::erase(touched_, &watcher);
  index_.erase(watcher.range(), watcher);
  --watcher_count_;
  watchers_bytes_ -= watcher.held_bytes();
  stream.watchers.erase(watcher.id);
}

std::size_t Hub::on_applied(const mvcc::Store& store) {
  std::size_t handed = 0;
  const Revision current = store.current_revision();
  if (current > live_revision_) {
    if (!index_.empty()) {
      store.history(live_revision_.next(), [&](mvcc::Record record) {
        handed += offer(store, record, WatcherState::live);
        return true;
      });
    }
    live_revision_ = current;
  }
  if (store.compact_revision() > compact_revision_) {
    compact_revision_ = store.compact_revision();
    for (const auto& [position, watcher] : lagging_) {
      if (position.first >= compact_revision_) break;
      give_up_if_compacted(*watcher);
    }
    for (auto& [id, stream] : streams_) {
      for (Watcher* watcher : stream.blocked) give_up_if_compacted(*watcher);
    }
  }
  return handed;
}

void Hub::on_replaced(const mvcc::Store& store) {
  ASSERT(touched_.empty());
  ASSERT(store.current_revision() >= live_revision_);
  for (auto& [id, stream] : streams_) {
    for (auto& [watch_id, watcher] : stream.watchers) {
      if (watcher->state != WatcherState::live) continue;
      watcher->next = std::max(watcher->next, live_revision_.next());
      if (watcher->next <= store.current_revision()) become_lagging(*watcher);
    }
  }
  live_revision_ = store.current_revision();
  on_applied(store);
}

void Hub::give_up_if_compacted(Watcher& watcher) {
  if (watcher.is_compacted || watcher.next >= compact_revision_) return;
  watcher.is_compacted = true;
  compacted_.push_back(&watcher);
}

std::size_t Hub::offer(const mvcc::Store& store, mvcc::Record record, WatcherState state) {
  const Revision revision = record.mod_revision();
  std::size_t handed = 0;
  Bytes plain;
  Bytes with_previous;
  index_.visit(record.key(), [&](Watcher& watcher) {
    if (watcher.state != state || watcher.is_compacted || watcher.next > revision) return;
    if (record.tombstone() ? watcher.no_delete : watcher.no_put) return;
    Bytes& event = watcher.prev_kv ? with_previous : plain;
    if (event.empty()) {
      const bool has_previous = watcher.prev_kv && (record.tombstone() || record.create_revision() != revision) &&
                                store.check_readable(revision.previous()).ok();
      event = encode_event(record, has_previous ? store.get(record.key(), revision.previous()) : mvcc::Record());
    }
    if (watcher.batch.empty()) {
      touched_.push_back(&watcher);
      if (!spare_.empty()) {
        watcher.batch = std::move(spare_.back());
        spare_.pop_back();
      }
      if (watcher.state == WatcherState::live) watcher.next = revision;
    }
    watcher.batch.push_back(event);
    ++handed;
  });
  return handed;
}

bool Hub::flush(const mvcc::Store& store, const kv::Header& header, Instant now, std::vector<Response>& out) {
  const Revision current = store.current_revision();
  ASSERT(live_revision_ == current);
  send_batches(current, header, current, out);
  for (Watcher* watcher : std::exchange(compacted_, {})) {
    Stream& stream = streams_.find(watcher->stream)->second;
    const std::int64_t id = watcher->id;
    watcher->is_compacted = false;
    erase(stream, *watcher);
    // etcd says nothing but the compact revision here, its header's revision is 0 (contract 5.5).
    send(stream, header, Revision(0), {.watch_id = id, .canceled = true, .compact_revision = compact_revision_}, {},
         out);
  }
  const bool has_more = catch_up(store, header, out);
  send_progress(store, header, now, out);
  joined_events_.clear();
  joined_ = Bytes();
  return has_more;
}

void Hub::send_batches(Revision end, const kv::Header& header, Revision current, std::vector<Response>& out) {
  for (Watcher* watcher : std::exchange(touched_, {})) {
    Stream& stream = streams_.find(watcher->stream)->second;
    if (stream.credit <= 0) {
      watcher->batch.clear();
      become_blocked(stream, *watcher);
      continue;
    }
    send_batch(stream, *watcher, header, current, out);
    if (watcher->state == WatcherState::live) watcher->next = end.next();
  }
}

void Hub::send_batch(Stream& stream, Watcher& watcher, const kv::Header& header, Revision current,
                     std::vector<Response>& out) {
  if (watcher.batch.empty()) return;
  watcher.sent_in_interval = true;
  std::vector<Bytes> events = std::exchange(watcher.batch, {});
  Head head{.watch_id = watcher.id};
  if (watcher.fragment) {
    const std::uint64_t fragment_bytes_max = limits_.request_bytes_max + limits_.receive_slack_bytes;
    std::size_t begin = 0;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (i > begin && size + events[i].size() >= fragment_bytes_max) {
        head.fragment = true;
        send(stream, header, current, head, {events.begin() + begin, events.begin() + i}, out);
        begin = i;
        size = 0;
      }
      size += events[i].size();
    }
    head.fragment = false;
    events.erase(events.begin(), events.begin() + begin);
  }
  send(stream, header, current, head, std::move(events), out);
}

bool Hub::catch_up(const mvcc::Store& store, const kv::Header& header, std::vector<Response>& out) {
  if (lagging_.empty()) return false;
  const Revision current = store.current_revision();
  const Revision begin = std::max(lagging_.begin()->first.first, store.compact_revision());
  // A slice ends between two revisions, since events of one revision are never sent apart.
  Revision end = begin.previous();
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  store.history(begin, [&](mvcc::Record record) {
    const bool is_new_revision = record.mod_revision() > end;
    if (is_new_revision && (records >= limits_.watch_catch_up_records || bytes >= limits_.watch_response_bytes)) {
      return false;
    }
    end = record.mod_revision();
    ++records;
    bytes += record.encoded().size();
    offer(store, record, WatcherState::lagging);
    return true;
  });
  const bool reached_the_present = records < limits_.watch_catch_up_records && bytes < limits_.watch_response_bytes;
  if (reached_the_present) end = current;

  std::vector<Watcher*> advanced;
  for (const auto& [position, watcher] : lagging_) {
    if (position.first > end) break;
    advanced.push_back(watcher);
  }
  send_batches(end, header, current, out);
  for (Watcher* watcher : advanced) {
    if (watcher->state != WatcherState::lagging) continue;
    lagging_.erase({watcher->next, watcher->sequence});
    watcher->next = end.next();
    if (end == current) {
      watcher->state = WatcherState::live;
    } else {
      lagging_.emplace(std::pair(watcher->next, watcher->sequence), watcher);
    }
  }
  return !lagging_.empty();
}

void Hub::send_progress(const mvcc::Store& store, const kv::Header& header, Instant now, std::vector<Response>& out) {
  const Revision current = store.current_revision();
  for (const RequestId id : std::exchange(progress_asked_, {})) {
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.watchers.empty()) continue;
    Stream& stream = found->second;
    // Whoever does not read what it is told need not be told that it was told everything.
    if (stream.credit <= 0) continue;
    const bool all_synced = std::all_of(stream.watchers.begin(), stream.watchers.end(),
                                        [&](const auto& entry) { return is_synced(*entry.second, current); });
    if (all_synced) send(stream, header, current, {.watch_id = no_watch}, {}, out);
  }
  while (!progress_.empty() && progress_.begin()->first <= now) {
    Stream& stream = streams_.find(progress_.begin()->second)->second;
    progress_.erase(progress_.begin());
    for (auto& [id, watcher] : stream.watchers) {
      if (!watcher->progress_notify || std::exchange(watcher->sent_in_interval, false)) continue;
      if (stream.credit > 0 && is_synced(*watcher, current)) send(stream, header, current, {.watch_id = id}, {}, out);
    }
    stream.progress_at = now + progress_interval_ + jitter_.between(Duration(), progress_interval_ / 10);
    progress_.emplace(stream.progress_at, stream.id);
  }
}

void Hub::send(Stream& stream, const kv::Header& header, Revision revision, const Head& head, std::vector<Bytes> events,
               std::vector<Response>& out) {
  events_sent_ += events.size();
  Response response{stream.id, join(std::move(events))};
  response.parts.insert(response.parts.begin(), encode(header, revision, head));
  for (const Bytes& part : response.parts) stream.credit -= static_cast<std::int64_t>(part.size());
  out.push_back(std::move(response));
}

std::vector<Bytes> Hub::join(std::vector<Bytes> events) {
  std::uint64_t size = 0;
  for (const Bytes& event : events) size += event.size();
  if (events.size() < 2 || size > limits_.watch_response_bytes) return events;
  const auto is_same = [](const Bytes& a, const Bytes& b) { return a.data() == b.data(); };
  if (!std::equal(events.begin(), events.end(), joined_events_.begin(), joined_events_.end(), is_same)) {
    joined_ = Bytes::build(size, [&](char* out) {
      for (const Bytes& event : events) out += event.view().copy(out, event.size());
    });
    std::swap(joined_events_, events);
  }
  events.clear();
  if (spare_.size() < spare_batches_max && events.capacity() <= spare_batch_events) spare_.push_back(std::move(events));
  return {joined_};
}

void Hub::become_lagging(Watcher& watcher) {
  watcher.state = WatcherState::lagging;
  lagging_.emplace(std::pair(watcher.next, watcher.sequence), &watcher);
}

void Hub::become_blocked(Stream& stream, Watcher& watcher) {
  if (watcher.state == WatcherState::lagging) lagging_.erase({watcher.next, watcher.sequence});
  watcher.state = WatcherState::blocked;
  stream.blocked.push_back(&watcher);
  give_up_if_compacted(watcher);
}

bool Hub::is_synced(const Watcher& watcher, Revision current) {
  return watcher.state == WatcherState::live && watcher.next <= current.next();
}

std::size_t Hub::slow_watcher_count() const {
  std::size_t count = lagging_.size();
  for (const auto& [id, stream] : streams_) count += stream.blocked.size();
  return count;
}

void Hub::check_invariants() const {
  index_.check_invariants();
  std::size_t count = 0;
  std::size_t lagging = 0;
  std::uint64_t bytes = 0;
  for (const auto& [id, stream] : streams_) {
    std::size_t blocked = 0;
    for (const auto& [watch_id, watcher] : stream.watchers) {
      ++count;
      bytes += watcher->held_bytes();
      ASSERT(watcher->batch.empty() || watcher->state != WatcherState::blocked);
      if (watcher->state == WatcherState::blocked) ++blocked;
      if (watcher->state != WatcherState::lagging) continue;
      ++lagging;
      ASSERT(lagging_.contains({watcher->next, watcher->sequence}));
    }
    ASSERT(blocked == stream.blocked.size());
    ASSERT(blocked == 0 || stream.credit <= 0);
  }
  ASSERT(count == watcher_count_);
  ASSERT(bytes == watchers_bytes_);
  ASSERT(lagging == lagging_.size());
}

}  // namespace metastore::watch
