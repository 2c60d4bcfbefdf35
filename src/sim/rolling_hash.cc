#include "sim/rolling_hash.h"

#include <xxhash.h>

namespace metastore::sim {

void RollingHash::add(std::uint8_t kind, std::uint64_t member, BytesView bytes) {
  const XXH128_hash_t contents = XXH3_128bits(bytes.data(), bytes.size());
  const std::uint64_t words[] = {high_, low_, kind, member, contents.high64, contents.low64};
  const XXH128_hash_t hash = XXH3_128bits(words, sizeof(words));
  high_ = hash.high64;
  low_ = hash.low64;
}

std::string RollingHash::text() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint64_t word : {high_, low_}) {
    for (int shift = 60; shift >= 0; shift -= 4) out += digits[(word >> shift) & 15];
  }
  return out;
}

}  // namespace metastore::sim
