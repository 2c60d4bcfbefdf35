// Numbers that are spread over orders of magnitude: small ones are where the corners are, and a uniform draw would
// hardly ever meet them. It draws from the generator that it is given, and from nothing else.
#ifndef METASTORE_SIM_DRAW_SCALED_H_
#define METASTORE_SIM_DRAW_SCALED_H_

#include <algorithm>
#include <cstdint>

#include "core/base/prng.h"
#include "core/base/time.h"

namespace metastore::sim {

/// In [low, high]; each doubling of `low` is as likely as the next. Requires: 0 < low <= high.
inline std::uint64_t draw_scaled(Prng& prng, std::uint64_t low, std::uint64_t high) {
  std::uint64_t octaves = 0;
  while (low << octaves < high) ++octaves;
  const std::uint64_t begin = low << prng.below(octaves + 1);
  return std::min(high, begin + prng.below(begin));
}

/// Of whole microseconds.
inline Duration draw_scaled(Prng& prng, Duration low, Duration high) {
  return Duration::microseconds(static_cast<std::int64_t>(draw_scaled(
      prng, static_cast<std::uint64_t>(low.microseconds()), static_cast<std::uint64_t>(high.microseconds()))));
}

}  // namespace metastore::sim

#endif  // METASTORE_SIM_DRAW_SCALED_H_
