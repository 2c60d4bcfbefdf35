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

std::uint64_t hash_of(LeaseId id, std::int64_t ttl_seconds) {
  return mixed(mixed(static_cast<std::uint64_t>(id.value())) + static_cast<std::uint64_t>(ttl_seconds));
}

}  // namespace

Result<std::int64_t> Lessor::grant(LeaseId id, std::int64_t ttl_seconds, Instant now) {
  if (ttl_seconds > ttl_seconds_max) return ErrorCode::lease_ttl_too_large;
  const auto [place, is_new] = leases_.try_emplace(id);
  if (!is_new) return ErrorCode::lease_exists;
  Lease& lease = place->second;
  lease.ttl_seconds = std::max(ttl_seconds, ttl_seconds_min_);
  hash_ += hash_of(id, lease.ttl_seconds);
  ++counts_.granted;
  counts_.ttl_seconds.record(static_cast<std::uint64_t>(lease.ttl_seconds));
  changed_.insert(id);
  if (is_primary_) schedule(id, lease, now + Duration::seconds(lease.ttl_seconds));
  return lease.ttl_seconds;
}

Result<std::vector<std::string>> Lessor::revoke(LeaseId id) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return ErrorCode::lease_not_found;
  std::vector<std::string> keys(found->second.keys.begin(), found->second.keys.end());
  unschedule(id, found->second);
  hash_ -= hash_of(id, found->second.ttl_seconds);
  leases_.erase(found);
  ++counts_.revoked;
  changed_.insert(id);
  return keys;
}

bool Lessor::restore(LeaseId id, std::int64_t ttl_seconds) {
  const auto [place, is_new] = leases_.try_emplace(id);
  if (!is_new) return false;
  place->second.ttl_seconds = ttl_seconds;
  hash_ += hash_of(id, ttl_seconds);
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
  for (auto& [id, lease] : leases_) schedule(id, lease, now + Duration::seconds(lease.ttl_seconds) + grace);
}

void Lessor::demote() {
  is_primary_ = false;
  deadlines_.clear();
  for (auto& [id, lease] : leases_) {
    lease.deadline = Instant::never();
    lease.is_handed_out = false;
  }
}

std::optional<std::int64_t> Lessor::renew(LeaseId id, Instant now) {
  ASSERT(is_primary_);
  const auto found = leases_.find(id);
  if (found == leases_.end() || found->second.is_handed_out) return std::nullopt;
  Lease& lease = found->second;
  ++counts_.renewed;
  unschedule(id, lease);
  schedule(id, lease, now + Duration::seconds(lease.ttl_seconds));
  return lease.ttl_seconds;
}

std::vector<LeaseId> Lessor::take_expired(Instant now, std::size_t limit) {
  std::vector<LeaseId> expired;
  while (expired.size() < limit && !deadlines_.empty() && deadlines_.begin()->first <= now) {
    const LeaseId id = deadlines_.begin()->second;
    leases_.find(id)->second.is_handed_out = true;
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
  constexpr std::int64_t second = 1'000'000'000;
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
}

void Lessor::unschedule(LeaseId id, const Lease& lease) { deadlines_.erase({lease.deadline, id}); }

void Lessor::check_invariants() const {
  std::size_t scheduled = 0;
  std::uint64_t hash = 0;
  for (const auto& [id, lease] : leases_) {
    hash += hash_of(id, lease.ttl_seconds);
    ASSERT(is_primary_ == (lease.deadline != Instant::never()));
    const bool is_scheduled = deadlines_.contains({lease.deadline, id});
    ASSERT(is_scheduled == (is_primary_ && !lease.is_handed_out));
    if (is_scheduled) ++scheduled;
  }
  ASSERT(scheduled == deadlines_.size());
  ASSERT(hash == hash_);
}

}  // namespace metastore::lease
