#include "core/lease/lessor.h"

#include <algorithm>

#include "core/base/assert.h"

namespace metastore::lease {
namespace {

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014).
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

std::uint64_t hash_of(LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds) {
  const std::uint64_t granted =
      mixed(mixed(static_cast<std::uint64_t>(id.value())) + static_cast<std::uint64_t>(ttl_seconds));
  return mixed(granted + static_cast<std::uint64_t>(remaining_seconds));
}

constexpr std::int64_t second = 1'000'000'000;

}  // namespace

Result<std::int64_t> Lessor::grant(LeaseId id, std::int64_t ttl_seconds, Instant now) {
  if (ttl_seconds > ttl_seconds_max) return ErrorCode::lease_ttl_too_large;
  const auto [place, is_new] = leases_.try_emplace(id);
  if (!is_new) return ErrorCode::lease_exists;
  Lease& lease = place->second;
  lease.ttl_seconds = ttl_seconds;
  hash_ += hash_of(id, ttl_seconds, 0);
  ++counts_.granted;
  counts_.ttl_seconds.record(static_cast<std::uint64_t>(std::max<std::int64_t>(ttl_seconds, 0)));
  changed_.insert(id);
  if (is_primary_) schedule(id, lease, now + Duration::seconds(ttl_seconds));
  return ttl_seconds;
}

Result<std::vector<std::string>> Lessor::revoke(LeaseId id) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return ErrorCode::lease_not_found;
  std::vector<std::string> keys(found->second.keys.begin(), found->second.keys.end());
  unschedule(id, found->second);
  hash_ -= hash_of(id, found->second.ttl_seconds, found->second.remaining_seconds);
  leases_.erase(found);
  ++counts_.revoked;
  changed_.insert(id);
  return keys;
}

void Lessor::note(const Remaining& remaining, Instant now) {
  const auto found = leases_.find(remaining.id);
  if (found == leases_.end()) return;
  Lease& lease = found->second;
  unschedule(remaining.id, lease);
  hash_ -= hash_of(remaining.id, lease.ttl_seconds, lease.remaining_seconds);
  lease.remaining_seconds = remaining.seconds;
  hash_ += hash_of(remaining.id, lease.ttl_seconds, lease.remaining_seconds);
  changed_.insert(remaining.id);
  lease.is_noting = false;
  if (!is_primary_ || lease.is_handed_out) return;
  // What is whole begins anew, or it would be due to be noted again at once.
  schedule(remaining.id, lease, remaining.seconds == 0 ? now + lease.left() : lease.deadline);
}

bool Lessor::restore(LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds) {
  const auto [place, is_new] = leases_.try_emplace(id);
  if (!is_new) return false;
  place->second.ttl_seconds = ttl_seconds;
  place->second.remaining_seconds = remaining_seconds;
  hash_ += hash_of(id, ttl_seconds, remaining_seconds);
  return true;
}

void Lessor::attach(LeaseId id, BytesView key) {
  const auto found = leases_.find(id);
  ASSERT(found != leases_.end());
  ASSERT(found->second.keys.emplace(key).second);
}

void Lessor::detach(LeaseId id, BytesView key) {
  const auto found = leases_.find(id);
  ASSERT(found != leases_.end());
  const auto place = found->second.keys.find(key);
  ASSERT(place != found->second.keys.end());
  found->second.keys.erase(place);
}

Result<std::vector<std::string>> Lessor::keys(LeaseId id) const {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return ErrorCode::lease_not_found;
  return std::vector<std::string>(found->second.keys.begin(), found->second.keys.end());
}

void Lessor::promote(Instant now, Duration grace) {
  demote();
  is_primary_ = true;
  for (auto& [id, lease] : leases_) schedule(id, lease, now + lease.left() + grace);
}

void Lessor::demote() {
  is_primary_ = false;
  deadlines_.clear();
  notes_.clear();
  for (auto& [id, lease] : leases_) {
    lease.deadline = Instant::never();
    lease.is_handed_out = false;
    lease.is_noting = false;
  }
}

std::optional<std::int64_t> Lessor::renew(LeaseId id, Instant now) {
  ASSERT(is_primary_);
  const auto found = leases_.find(id);
  if (found == leases_.end() || found->second.is_handed_out) return std::nullopt;
  ASSERT(!is_cut_short(id));
  Lease& lease = found->second;
  ++counts_.renewed;
  unschedule(id, lease);
  schedule(id, lease, now + Duration::seconds(lease.ttl_seconds));
  return lease.ttl_seconds;
}

bool Lessor::is_cut_short(LeaseId id) const {
  const auto found = leases_.find(id);
  return found != leases_.end() && (found->second.is_noting || found->second.remaining_seconds != 0);
}

bool Lessor::begin_to_restore(LeaseId id) {
  Lease& lease = leases_.find(id)->second;
  if (lease.is_noting) return false;
  notes_.erase({note_at(lease), id});
  lease.is_noting = true;
  return true;
}

std::vector<Remaining> Lessor::take_notes(Instant now, std::size_t limit) {
  std::vector<Remaining> notes;
  while (notes.size() < limit && !notes_.empty() && notes_.begin()->first <= now) {
    const LeaseId id = notes_.begin()->second;
    notes_.erase(notes_.begin());
    Lease& lease = leases_.find(id)->second;
    lease.is_noting = true;
    // Rounded up, lest anybody loses what he was promised; what has just expired is about to be revoked.
    const std::int64_t left = ((lease.deadline - now).nanoseconds() + second - 1) / second;
    notes.push_back({id, std::clamp<std::int64_t>(left, 1, lease.ttl_seconds)});
  }
  return notes;
}

Instant Lessor::wake_at() const {
  return notes_.empty() ? next_deadline() : std::min(next_deadline(), notes_.begin()->first);
}

std::vector<LeaseId> Lessor::take_expired(Instant now, std::size_t limit) {
  std::vector<LeaseId> expired;
  while (expired.size() < limit && !deadlines_.empty() && deadlines_.begin()->first <= now) {
    const LeaseId id = deadlines_.begin()->second;
    Lease& lease = leases_.find(id)->second;
    notes_.erase({note_at(lease), id});
    lease.is_handed_out = true;
    deadlines_.erase(deadlines_.begin());
    expired.push_back(id);
    ++counts_.expired;
  }
  return expired;
}

bool Lessor::is_expiring(LeaseId id) const {
  const auto found = leases_.find(id);
  return found != leases_.end() && found->second.is_handed_out;
}

std::optional<TimeToLive> Lessor::time_to_live(LeaseId id, Instant now) const {
  ASSERT(is_primary_);
  const auto found = leases_.find(id);
  if (found == leases_.end()) return std::nullopt;
  const std::int64_t left = (found->second.deadline - now).nanoseconds();
  const std::int64_t floored = left >= 0 ? left / second : -((-left + second - 1) / second);
  return TimeToLive{found->second.ttl_seconds, floored};
}

std::vector<LeaseId> Lessor::list() const {
  std::vector<std::pair<Instant, LeaseId>> by_deadline;
  by_deadline.reserve(leases_.size());
  for (const auto& [id, lease] : leases_) by_deadline.emplace_back(lease.deadline, id);
  std::sort(by_deadline.begin(), by_deadline.end());
  std::vector<LeaseId> ids;
  ids.reserve(by_deadline.size());
  for (const auto& [deadline, id] : by_deadline) ids.push_back(id);
  return ids;
}

void Lessor::schedule(LeaseId id, Lease& lease, Instant deadline) {
  lease.deadline = deadline;
  deadlines_.emplace(deadline, id);
  schedule_note(id, lease);
}

void Lessor::unschedule(LeaseId id, const Lease& lease) {
  deadlines_.erase({lease.deadline, id});
  notes_.erase({note_at(lease), id});
}

Instant Lessor::note_at(const Lease& lease) const { return lease.deadline - lease.left() + note_interval_; }

void Lessor::schedule_note(LeaseId id, const Lease& lease) {
  if (note_interval_ == Duration() || lease.left() <= note_interval_) return;
  notes_.emplace(note_at(lease), id);
}

void Lessor::check_invariants() const {
  std::size_t scheduled = 0;
  std::size_t noted = 0;
  std::uint64_t hash = 0;
  for (const auto& [id, lease] : leases_) {
    hash += hash_of(id, lease.ttl_seconds, lease.remaining_seconds);
    ASSERT(is_primary_ == (lease.deadline != Instant::never()));
    const bool is_scheduled = deadlines_.contains({lease.deadline, id});
    ASSERT(is_scheduled == (is_primary_ && !lease.is_handed_out));
    if (is_scheduled) ++scheduled;
    const bool is_to_be_noted =
        is_scheduled && !lease.is_noting && note_interval_ != Duration() && lease.left() > note_interval_;
    ASSERT(notes_.contains({note_at(lease), id}) == is_to_be_noted);
    if (is_to_be_noted) ++noted;
  }
  ASSERT(scheduled == deadlines_.size());
  ASSERT(noted == notes_.size());
  ASSERT(hash == hash_);
}

}  // namespace metastore::lease
