#include "sim/checkers/leaderless.h"

#include <string>

namespace metastore::sim {
namespace {

Violation violation(Instant now, RequestId id, const std::string& what) {
  return {"contract 1.4", now, "stream " + std::to_string(id.value()) + " " + what};
}

}  // namespace

void LeaderlessChecker::on_boot(Duration election_timeout) {
  patience_ = election_timeout * 3;
  leaderless_since_.reset();
  contented_.clear();
  requiring_.clear();
  unled_.clear();
}

void LeaderlessChecker::on_opened(RequestId id, bool requires_leader, bool has_leader) {
  (!requires_leader ? contented_ : has_leader ? requiring_ : unled_).insert(id);
}

void LeaderlessChecker::on_closed(RequestId id) {
  contented_.erase(id);
  requiring_.erase(id);
  unled_.erase(id);
}

void LeaderlessChecker::on_turn(Instant now, bool has_leader) {
  if (has_leader) {
    leaderless_since_.reset();
  } else if (!leaderless_since_) {
    leaderless_since_ = now;
  }
}

Instant LeaderlessChecker::due() const { return leaderless_since_ ? *leaderless_since_ + patience_ : Instant::never(); }

std::optional<Violation> LeaderlessChecker::on_ended(Instant now, RequestId id, bool is_for_want_of_leader) {
  const bool is_contented = contented_.contains(id);
  const bool is_requiring = requiring_.contains(id);
  const bool is_unled = unled_.contains(id);
  on_closed(id);
  if (!is_for_want_of_leader) return std::nullopt;
  if (is_contented) return violation(now, id, "is ended for want of a leader, which it does not require");
  if (is_requiring && now < due()) return violation(now, id, "is ended for want of a leader too early");
  if (is_requiring) ++ended_;
  if (is_unled) ++refused_;
  return std::nullopt;
}

std::optional<Violation> LeaderlessChecker::on_turn_over(Instant now, Instant wake_at) const {
  if (!unled_.empty()) return violation(now, *unled_.begin(), "requires a leader, and is opened though none is known");
  if (requiring_.empty()) return std::nullopt;
  if (due() <= now)
    return violation(now, *requiring_.begin(), "requires a leader, and none has been known for too long");
  if (due() < wake_at) return violation(now, *requiring_.begin(), "is to end before the member wants to be woken");
  return std::nullopt;
}

}  // namespace metastore::sim
