#include "core/replica/streams.h"

#include "core/base/assert.h"

namespace metastore {

void Streams::open(const StreamOpened& stream) {
  const bool is_new = streams_.try_emplace(stream.id, Stream{stream.method, stream.deadline}).second;
  ASSERT(is_new);
  if (stream.deadline != Instant::never()) deadlines_.emplace(stream.deadline, stream.id);
  if (stream.require_leader) requiring_leader_.insert(stream.id);
}

std::optional<kv::Method> Streams::find(RequestId id) const {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return std::nullopt;
  return found->second.method;
}

void Streams::close(RequestId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  deadlines_.erase({found->second.deadline, id});
  requiring_leader_.erase(id);
  streams_.erase(found);
}

std::vector<RequestId> Streams::expired(Instant now) const {
  std::vector<RequestId> ids;
  for (const auto& [deadline, id] : deadlines_) {
    if (deadline > now) break;
    ids.push_back(id);
  }
  return ids;
}

std::vector<RequestId> Streams::all() const {
  std::vector<RequestId> ids;
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  return ids;
}

}  // namespace metastore
