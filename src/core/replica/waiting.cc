#include "core/replica/waiting.h"

namespace metastore {

Waiting::Key Waiting::add(RequestId request, Instant now, Instant client_deadline) {
  const Instant ours = now + request_timeout_;
  const bool client_is_sooner = client_deadline <= ours;
  const Instant deadline = client_is_sooner ? client_deadline : ours;
  const Key key = ++last_key_;
  requests_.emplace_hint(
      requests_.end(), key,
      Request{request, deadline, client_is_sooner ? ErrorCode::deadline_exceeded : ErrorCode::timeout});
  deadlines_.emplace(deadline, key);
  return key;
}

std::optional<RequestId> Waiting::take(Key key) {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return std::nullopt;
  const RequestId request = found->second.id;
  deadlines_.erase({found->second.deadline, key});
  requests_.erase(found);
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
  const Expired expired{found->second.id, found->second.at_deadline};
  requests_.erase(found);
  deadlines_.erase(deadlines_.begin());
  return expired;
}

}  // namespace metastore
