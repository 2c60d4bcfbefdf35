// What every fuzz target shares: a property that does not hold ends the run with the place and the rule, so that
// libFuzzer keeps the input; and places to cut the input at, drawn from the input itself, so that a corpus holds
// nothing but what was once on a wire or a disk.
#ifndef METASTORE_TESTS_FUZZ_PROPERTY_H_
#define METASTORE_TESTS_FUZZ_PROPERTY_H_

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/prng.h"

namespace metastore::fuzz {

#define PROPERTY(condition)                                                               \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

inline BytesView view(const std::uint8_t* data, std::size_t size) {
  return BytesView(reinterpret_cast<const char*>(data), size);
}

/// `bytes` in pieces of 1 to 64 bytes, mostly; sometimes in one or two.
inline std::vector<BytesView> cut(BytesView bytes) {
  std::uint64_t seed = bytes.size();
  for (const char c : bytes.substr(0, 256)) seed = seed * 31 + static_cast<unsigned char>(c);
  Prng prng(seed, "cuts");
  const std::uint64_t size_max = prng.chance(1, 4) ? bytes.size() + 1 : 64;
  std::vector<BytesView> pieces;
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + prng.below(size_max));
    pieces.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return pieces;
}

}  // namespace metastore::fuzz

#endif  // METASTORE_TESTS_FUZZ_PROPERTY_H_
