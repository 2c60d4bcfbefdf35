#include "core/base/prng.h"

#include "core/base/assert.h"

namespace metastore {
namespace {

std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

constexpr std::uint64_t rotate_left(std::uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

}  // namespace

Prng::Prng(std::uint64_t seed, std::string_view stream) {
  std::uint64_t mixed = seed;
  for (const char letter : stream) {
    mixed ^= static_cast<unsigned char>(letter);
    mixed = split_mix(mixed);
  }
  for (std::uint64_t& word : state_) word = split_mix(mixed);
}

std::uint64_t Prng::next() {
  const std::uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = rotate_left(state_[3], 45);
  return result;
}

std::uint64_t Prng::below(std::uint64_t bound) {
  ASSERT(bound > 0);
  // Draws above the largest multiple of `bound` are thrown away, so that no value is likelier than another.
  const std::uint64_t unfair = (0 - bound) % bound;
  while (true) {
    const std::uint64_t drawn = next();
    if (drawn >= unfair) return drawn % bound;
  }
}

std::int64_t Prng::between(std::int64_t low, std::int64_t high) {
  ASSERT(low <= high);
  const std::uint64_t width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  if (width == ~std::uint64_t{0}) return static_cast<std::int64_t>(next());
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + below(width + 1));
}

Duration Prng::between(Duration low, Duration high) {
  return Duration::nanoseconds(between(low.nanoseconds(), high.nanoseconds()));
}

bool Prng::chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }

std::size_t Prng::weighted(const std::uint32_t* weights, std::size_t count) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += weights[i];
  std::uint64_t drawn = below(sum);
  for (std::size_t i = 0; i < count; ++i) {
    if (drawn < weights[i]) return i;
    drawn -= weights[i];
  }
  UNREACHABLE();
}

}  // namespace metastore
