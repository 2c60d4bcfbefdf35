// How often a value fell between which bounds: integer counts, for figures that people look at. It measures nothing and
// knows no clock; whoever records says in which unit. The form is Prometheus's histogram, whose bounds are inclusive.
#ifndef METASTORE_CORE_BASE_HISTOGRAM_H_
#define METASTORE_CORE_BASE_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace metastore {

/// `count` bounds, each twice the one before.
template <std::size_t count>
constexpr std::array<std::uint64_t, count> doubling_from(std::uint64_t first) {
  std::array<std::uint64_t, count> bounds{};
  for (std::uint64_t& bound : bounds) {
    bound = first;
    first *= 2;
  }
  return bounds;
}

/// Any histogram, to be read.
struct HistogramView {
  std::span<const std::uint64_t> bounds;
  std::span<const std::uint64_t> counts;  ///< One more than bounds: the last is of what exceeds them all.
  std::uint64_t sum = 0;
};

/// `bounds` is a constexpr std::array of rising numbers.
template <const auto& bounds>
class Histogram {
 public:
  void record(std::uint64_t value) {
    const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
    ++counts_[static_cast<std::size_t>(bound - bounds.begin())];
    sum_ += value;
  }
  HistogramView view() const { return {bounds, counts_, sum_}; }

 private:
  std::array<std::uint64_t, bounds.size() + 1> counts_{};
  std::uint64_t sum_ = 0;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_HISTOGRAM_H_
