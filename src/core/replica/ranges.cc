#include "core/replica/ranges.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/assert.h"

namespace metastore {
namespace {

/// A turn of one range is so small a part of the step, so that several get on in it.
constexpr std::uint64_t turns_a_step = 4;
/// While clients propose, only so small a part of the step is done, and for so long after the last of them.
constexpr std::uint64_t yields_a_step = 16;
constexpr Duration proposing = Duration::milliseconds(2);
/// A range that holds no more than this is served whatever the others hold.
constexpr std::uint64_t held_bytes_allowed = 4'096;

}  // namespace

bool are_proposing(Instant now, Instant proposed_at) { return now < proposed_at + proposing; }

Ranges::Ranges(const Limits& limits)
    : limits_(limits),
      chunk_bytes_(std::min({limits.range_chunk_bytes, limits.range_bytes_a_step, limits.stream_credit_bytes})),
      keys_left_(limits.range_keys_a_step),
      bytes_left_(limits.range_bytes_a_step) {}

void Ranges::begin(const mvcc::Store& store, RequestId id, kv::Listing listing, Instant deadline, Effects& effects) {
  pins_.emplace(listing.revision(), id);
  if (deadline != Instant::never()) deadlines_.emplace(deadline, id);
  const auto [range, is_new] = ranges_.try_emplace(id, Range{std::move(listing), deadline});
  ASSERT(is_new);
  if (go_on(range, store, keys_left_, effects)) make_ready(range);
}

void Ranges::run(const mvcc::Store& store, Instant now, Instant proposed_at, Effects& effects) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    end(ranges_.find(deadlines_.begin()->second), ErrorCode::deadline_exceeded, effects);
  }
  const bool yields = are_proposing(now, proposed_at);
  const std::uint64_t keys_max = yields ? limits_.range_keys_a_step / yields_a_step + 1 : limits_.range_keys_a_step;
  const std::uint64_t keys_a_turn = keys_max / turns_a_step + 1;
  // Those that have just come leave something to the others.
  keys_left_ = std::clamp(keys_left_, keys_a_turn, keys_max);
  bytes_left_ = std::max(bytes_left_, chunk_bytes_);
  while (!ready_.empty() && keys_left_ > 0 && bytes_left_ >= chunk_bytes_) {
    const auto range = ranges_.find(ready_.front());
    ready_.pop_front();
    if (range == ranges_.end()) continue;
    range->second.is_ready = false;
    if (go_on(range, store, keys_a_turn, effects)) make_ready(range);
  }
  keys_left_ = keys_max;
  bytes_left_ = yields ? chunk_bytes_ : limits_.range_bytes_a_step;
}

bool Ranges::go_on(Found range, const mvcc::Store& store, std::uint64_t keys, Effects& effects) {
  kv::Listing& listing = range->second.listing;
  const std::uint64_t given = std::min(keys, keys_left_);
  std::uint64_t left = given;
  kv::Listing::Part part;
  if (listing.measure(store, left) && bytes_left_ >= chunk_bytes_) {
    const std::uint64_t whole = listing.message_bytes();
    if (!listing.is_stream() && whole > limits_.reply_bytes_max) {
      end(range, ErrorCode::reply_too_large, effects);
      return false;
    }
    const bool fits = !listing.is_stream() && !range->second.has_begun && whole <= bytes_left_;
    part = listing.read(store, left, fits ? whole : chunk_bytes_);
  }
  keys_left_ -= given - left;
  bytes_left_ -= std::min<std::uint64_t>(bytes_left_, part.bytes.size());
  if (!part.bytes.empty()) {
    const bool is_finished = listing.is_finished();
    send(range, std::move(part), effects);
    if (is_finished) return false;
  }
  listing.pause();
  count_held(range->second, listing.held_bytes());
  if (held_bytes_ <= limits_.ranges_held_bytes || range->second.held_bytes <= held_bytes_allowed) return true;
  end(range, ErrorCode::too_many_requests, effects);
  return false;
}

void Ranges::count_held(Range& range, std::uint64_t bytes) {
  held_bytes_ += bytes - std::exchange(range.held_bytes, bytes);
}

void Ranges::send(Found found, kv::Listing::Part part, Effects& effects) {
  const RequestId id = found->first;
  Range& range = found->second;
  const bool is_finished = range.listing.is_finished();
  if (is_finished && !range.has_begun && !range.listing.is_stream()) {
    effects.replies.push_back({id, std::move(part.bytes)});
    return forget(found);
  }
  range.has_begun = true;
  range.undrained_bytes += part.bytes.size();
  undrained_bytes_ += part.bytes.size();
  Chunk& chunk = effects.chunks.emplace_back(Chunk{id, part.message_bytes, {}});
  chunk.parts.push_back(std::move(part.bytes));
  if (is_finished) end(found, std::nullopt, effects);
}

void Ranges::end(Found range, std::optional<ErrorCode> error, Effects& effects) {
  if (range->second.has_begun) {
    effects.stream_ends.push_back({range->first, error});
  } else {
    effects.replies.push_back({range->first, *error});
  }
  forget(range);
}

void Ranges::forget(Found range) {
  pins_.erase({range->second.listing.revision(), range->first});
  deadlines_.erase({range->second.deadline, range->first});
  undrained_bytes_ -= range->second.undrained_bytes;
  count_held(range->second, 0);
  ranges_.erase(range);
}

void Ranges::close(RequestId id) {
  if (const auto range = ranges_.find(id); range != ranges_.end()) forget(range);
}

void Ranges::end_all(ErrorCode error, Effects& effects) {
  while (!ranges_.empty()) end(ranges_.begin(), error, effects);
}

bool Ranges::has_credit(const Range& range) const {
  if (range.undrained_bytes == 0) return true;
  // The more all of them have under way, the less each may have: many that stall do not hold up one that reads.
  const std::uint64_t free = limits_.ranges_credit_bytes - std::min(limits_.ranges_credit_bytes, undrained_bytes_);
  return range.undrained_bytes + chunk_bytes_ <= std::min(limits_.stream_credit_bytes, free / 8);
}

void Ranges::make_ready(Found range) {
  if (range->second.is_ready || !has_credit(range->second)) return;
  range->second.is_ready = true;
  ready_.push_back(range->first);
}

void Ranges::drained(RequestId id, std::uint64_t bytes) {
  const auto range = ranges_.find(id);
  if (range == ranges_.end()) return;
  ASSERT(bytes <= range->second.undrained_bytes);
  range->second.undrained_bytes -= bytes;
  undrained_bytes_ -= bytes;
  make_ready(range);
}

bool Ranges::hold_back(Revision compacted, Instant now, Effects& effects) {
  if (are_reading_behind(compacted)) {
    if (held_back_until_ == Instant::never()) {
      held_back_until_ = now + Duration::milliseconds(static_cast<std::int64_t>(limits_.compaction_wait_ms));
    }
    if (now < held_back_until_) return true;
    while (are_reading_behind(compacted)) end(ranges_.find(pins_.begin()->second), ErrorCode::compacted, effects);
  }
  held_back_until_ = Instant::never();
  return false;
}

Instant Ranges::wake_at() const {
  return std::min(held_back_until_, deadlines_.empty() ? Instant::never() : deadlines_.begin()->first);
}

void Ranges::check_invariants() const {
  std::uint64_t held = 0;
  std::uint64_t undrained = 0;
  for (const auto& [id, range] : ranges_) {
    held += range.held_bytes;
    undrained += range.undrained_bytes;
    ASSERT(pins_.contains({range.listing.revision(), id}));
    ASSERT((range.is_ready || range.undrained_bytes > 0));
  }
  ASSERT(held == held_bytes_);
  ASSERT(undrained == undrained_bytes_);
  ASSERT(pins_.size() == ranges_.size());
}

}  // namespace metastore
