// Our own integer generator, because the standard fixes no library's output: the same seed must give the same run on
// every compiler. One stream a concern, keyed by (seed, name), so that a new draw in one does not shift the others.
// Source: xoshiro256** and splitmix64 (Blackman and Vigna, 2018).
#ifndef METASTORE_CORE_BASE_PRNG_H_
#define METASTORE_CORE_BASE_PRNG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/time.h"

namespace metastore {

class Prng {
 public:
  Prng(std::uint64_t seed, std::string_view stream);

  std::uint64_t next();
  /// Uniform in [0, bound). Requires: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [low, high], both included. Requires: low <= high.
  std::int64_t between(std::int64_t low, std::int64_t high);
  Duration between(Duration low, Duration high);
  /// True in `numerator` of `denominator` draws.
  bool chance(std::uint64_t numerator, std::uint64_t denominator);
  /// An index into `weights`, drawn in proportion to them. Requires: their sum > 0.
  std::size_t weighted(const std::uint32_t* weights, std::size_t count);

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_PRNG_H_
