// A rate limit in integer arithmetic over given instants: `burst` at once, `rate` a second sustained.
#ifndef METASTORE_API_TOKEN_BUCKET_H_
#define METASTORE_API_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>

#include "core/base/time.h"

namespace metastore::api {

class TokenBucket {
 public:
  /// Requires: rate > 0; burst * 10^9 fits.
  TokenBucket(std::uint64_t burst, std::uint64_t rate)
      : burst_(static_cast<std::int64_t>(burst)), rate_(static_cast<std::int64_t>(rate)), tokens_(burst_) {}

  /// Takes one token; false if there is none.
  [[nodiscard]] bool take(Instant now) {
    refill(now);
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  void refill(Instant now) {
    const std::int64_t elapsed = std::clamp<std::int64_t>((now - refilled_at_).nanoseconds(), 0, elapsed_max);
    const std::int64_t gained = elapsed / 1'000 * rate_ / 1'000'000;
    if (gained >= burst_ - tokens_) {
      tokens_ = burst_;
      refilled_at_ = now;
      return;
    }
    // The mark moves by whole tokens only, so that their fractions are not lost.
    tokens_ += gained;
    refilled_at_ = refilled_at_ + Duration::nanoseconds(gained * 1'000'000'000 / rate_);
  }

  /// An hour: keeps the product within 64 bits for every rate up to a billion.
  static constexpr std::int64_t elapsed_max = 3'600'000'000'000;

  std::int64_t burst_;
  std::int64_t rate_;
  std::int64_t tokens_;
  Instant refilled_at_;
};

}  // namespace metastore::api

#endif  // METASTORE_API_TOKEN_BUCKET_H_
