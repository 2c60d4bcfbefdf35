#include "sim/rolling_hash.h"

#include <xxhash.h>

#include "core/base/encoder.h"

namespace metastore::sim {

void RollingHash::add(std::uint8_t kind, std::uint64_t member, BytesView bytes) {
  record_.clear();
  Encoder encoder(record_);
  encoder.u64(high_);
  encoder.u64(low_);
  encoder.u64(kind);
  encoder.u64(member);
  encoder.bytes(bytes);
  const XXH128_hash_t hash = XXH3_128bits(record_.data(), record_.size());
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
