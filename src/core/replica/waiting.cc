#include "core/replica/waiting.h"

namespace metastore {

Waiting::Key Waiting::add(RequestId request, For what, Instant now, Instant client_deadline) {
  const Instant ours = now + request_timeout_;
  const bool client_is_sooner = client_deadline <= ours;
  const Instant deadline = client_is_sooner ? client_deadline : ours;
  const Key key = ++last_key_;
  requests_.emplace_hint(
      requests_.end(), key,
      Request{request, now, deadline, client_is_sooner ? ErrorCode::deadline_exceeded : ErrorCode::timeout, what});
  deadlines_.emplace(deadline, key);
  if (what == For::proposal) ++proposals_;
  return key;
}

std::optional<RequestId> Waiting::take(Key key) {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return std::nullopt;
  const RequestId request = found->second.id;
  erase(found);
  return request;
}

std::optional<RequestId> Waiting::find(Key key) const {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return std::nullopt;
  return found->second.id;
}

std::optional<Waiting::Expired> Waiting::take_expired(Instant now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return std::nullopt;
  const auto found = requests_.find(deadlines_.begin()->second);
  const Expired expired{found->second.id, found->second.at_deadline, found->second.what, found->second.since};
  erase(found);
  return expired;
}

void Waiting::erase(absl::btree_map<Key, Request>::iterator place) {
  deadlines_.erase({place->second.deadline, place->first});
  if (place->second.what == For::proposal) --proposals_;
  requests_.erase(place);
}

}  // namespace metastore
