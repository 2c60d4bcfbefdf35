#include "core/replica/keep_alives.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore {
namespace {

template <typename Streams>
auto& existing(Streams& streams, RequestId id) {
  const auto found = streams.find(id);
  ASSERT(found != streams.end());
  return found->second;
}

}  // namespace

std::vector<Waiting::Key> KeepAlives::close(RequestId id) {
  std::vector<Waiting::Key> owed;
  const auto found = streams_.find(id);
  if (found == streams_.end()) return owed;
  for (const Asked& asked : found->second.asked) owed.push_back(asked.key);
  streams_.erase(found);
  answerable_.erase(id);
  return owed;
}

void KeepAlives::add(RequestId id, Waiting::Key key, LeaseId lease) {
  existing(streams_, id).asked.push_back({.key = key, .lease = lease});
}

void KeepAlives::end_requests(RequestId stream) { existing(streams_, stream).is_ended = true; }

const KeepAlives::Asked& KeepAlives::front(RequestId stream) const { return existing(streams_, stream).asked.front(); }

KeepAlives::Asked& KeepAlives::find(Stream& stream, Waiting::Key key) {
  const auto asked =
      std::lower_bound(stream.asked.begin(), stream.asked.end(), key,
                       [](const Asked& candidate, Waiting::Key sought) { return candidate.key < sought; });
  ASSERT(asked != stream.asked.end());
  ASSERT(asked->key == key);
  return *asked;
}

void KeepAlives::confirm(RequestId id, Waiting::Key key) {
  Stream& stream = existing(streams_, id);
  find(stream, key).is_confirmed = true;
  update(id, stream);
}

void KeepAlives::answer(RequestId id, Waiting::Key key, Bytes answer) {
  find(existing(streams_, id), key).answer = std::move(answer);
  confirm(id, key);
}

void KeepAlives::unconfirm(RequestId id) {
  Stream& stream = existing(streams_, id);
  stream.asked.front().is_confirmed = false;
  update(id, stream);
}

void KeepAlives::pop(RequestId id) {
  Stream& stream = existing(streams_, id);
  stream.asked.pop_front();
  update(id, stream);
}

bool KeepAlives::is_finished(RequestId id) const {
  const Stream& stream = existing(streams_, id);
  return stream.is_ended && stream.asked.empty();
}

void KeepAlives::update(RequestId id, const Stream& stream) {
  if (!stream.asked.empty() && stream.asked.front().is_confirmed) {
    answerable_.insert(id);
  } else {
    answerable_.erase(id);
  }
}

}  // namespace metastore
