#include "sim/checkers/replies.h"

#include <algorithm>
#include <string>

namespace metastore::sim {

std::optional<Violation> ReplyChecker::on_request(Instant now, RequestId id, Instant deadline) {
  const Instant due = (deadline == Instant::never() ? now : std::max(now, deadline)) + patience_;
  if (!waiting_.emplace(id, due).second) {
    return Violation{"law 5", now, "request " + std::to_string(id.value()) + " came twice"};
  }
  due_.emplace(due, id);
  waiting_max_ = std::max(waiting_max_, waiting_.size());
  return std::nullopt;
}

std::optional<Violation> ReplyChecker::on_reply(Instant now, RequestId id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) {
    return Violation{"law 5", now, "request " + std::to_string(id.value()) + " was answered twice, or never asked"};
  }
  due_.erase({found->second, id});
  waiting_.erase(found);
  ++judged_;
  return std::nullopt;
}

std::optional<Violation> ReplyChecker::on_turn(Instant now) const {
  if (!due_.empty() && due_.begin()->first < now) {
    return Violation{"law 5", now, "request " + std::to_string(due_.begin()->second.value()) + " has no reply in time"};
  }
  // A turn may step a whole inbox before it answers, hence only what waits at its end counts.
  // A read may wait for its turn, and then for its slices.
  const std::uint64_t allowed = limits_.proposals_pending_max + 2 * limits_.reads_pending_max;
  if (waiting_.size() > allowed) {
    return Violation{"O10", now,
                     std::to_string(waiting_.size()) + " requests wait, the limits allow " + std::to_string(allowed)};
  }
  return std::nullopt;
}

void ReplyChecker::on_closed(RequestId id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  due_.erase({found->second, id});
  waiting_.erase(found);
}

void ReplyChecker::on_paused(Duration length) {
  due_.clear();
  for (auto& [id, due] : waiting_) {
    due = due + length;
    due_.emplace(due, id);
  }
}

void ReplyChecker::on_crash() {
  waiting_.clear();
  due_.clear();
}

}  // namespace metastore::sim
