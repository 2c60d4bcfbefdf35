#include "core/replica/auto_compaction.h"

#include <algorithm>

namespace metastore {
namespace {

/// A compaction by time comes once in the period, and once an hour if that is longer.
constexpr Duration wait_max = Duration::seconds(3'600);
constexpr std::int64_t looks_a_wait = 10;
/// However short the period, the loop has other things to do.
constexpr Duration look_interval_min = Duration::milliseconds(10);

}  // namespace

AutoCompaction::AutoCompaction(const Retention& retention, const Limits& limits, Instant now)
    : retention_(retention), wait_(retention.period), compacted_at_(now) {
  if (retention.period > Duration()) {
    look_interval_ = std::max(std::min(retention.period, wait_max) / looks_a_wait, look_interval_min);
    look_at_ = now;
  } else if (retention.revisions > 0) {
    look_interval_ = Duration::milliseconds(static_cast<std::int64_t>(limits.retention_look_ms));
    look_at_ = now + look_interval_;
  }
}

std::optional<Revision> AutoCompaction::due(Instant now, Revision current, bool leads) {
  if (now < look_at_) return std::nullopt;
  look_at_ = now + look_interval_;
  return retention_.period > Duration() ? by_time(now, current, leads) : by_revisions(current, leads);
}

std::optional<Revision> AutoCompaction::by_time(Instant now, Revision current, bool leads) {
  const Revision oldest = seen_.empty() ? current : seen_.front();
  const bool is_time = now - compacted_at_ >= wait_;
  seen_.push_back(current);
  if (static_cast<std::int64_t>(seen_.size()) > retention_.period.nanoseconds() / look_interval_.nanoseconds()) {
    seen_.pop_front();
  }
  if (!leads || !is_time || oldest == compacted_) return std::nullopt;
  wait_ = std::min(retention_.period, wait_max);
  compacted_at_ = now;
  compacted_ = oldest;
  return oldest;
}

std::optional<Revision> AutoCompaction::by_revisions(Revision current, bool leads) {
  const Revision revision(current.value() - static_cast<std::int64_t>(retention_.revisions));
  if (!leads || revision <= Revision(0) || revision == compacted_) return std::nullopt;
  compacted_ = revision;
  return revision;
}

}  // namespace metastore
