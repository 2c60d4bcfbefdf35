// Instants and durations in integer nanoseconds. An Instant is monotonic and has no origin that means anything;
// nothing here reads a clock: time enters the core only as Input::now.
#ifndef METASTORE_CORE_BASE_TIME_H_
#define METASTORE_CORE_BASE_TIME_H_

#include <compare>
#include <cstdint>
#include <limits>

namespace metastore {

class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration nanoseconds(std::int64_t n) { return Duration(n); }
  static constexpr Duration microseconds(std::int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration milliseconds(std::int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration seconds(std::int64_t n) { return Duration(n * 1'000'000'000); }
  static constexpr Duration max() { return Duration(std::numeric_limits<std::int64_t>::max() / 4); }

  constexpr std::int64_t nanoseconds() const { return nanoseconds_; }
  constexpr std::int64_t microseconds() const { return nanoseconds_ / 1'000; }
  constexpr std::int64_t milliseconds() const { return nanoseconds_ / 1'000'000; }

  constexpr Duration operator+(Duration other) const { return Duration(nanoseconds_ + other.nanoseconds_); }
  constexpr Duration operator-(Duration other) const { return Duration(nanoseconds_ - other.nanoseconds_); }
  constexpr Duration operator*(std::int64_t factor) const { return Duration(nanoseconds_ * factor); }
  constexpr Duration operator/(std::int64_t divisor) const { return Duration(nanoseconds_ / divisor); }
  constexpr auto operator<=>(const Duration&) const = default;

 private:
  explicit constexpr Duration(std::int64_t n) : nanoseconds_(n) {}
  std::int64_t nanoseconds_ = 0;
};

class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant from_nanoseconds(std::int64_t n) { return Instant(n); }
  /// Later than every instant that a clock gives: "no deadline".
  static constexpr Instant never() { return Instant(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t nanoseconds() const { return nanoseconds_; }
  constexpr Instant operator+(Duration d) const {
    return *this == never() ? never() : Instant(nanoseconds_ + d.nanoseconds());
  }
  constexpr Instant operator-(Duration d) const {
    return *this == never() ? never() : Instant(nanoseconds_ - d.nanoseconds());
  }
  constexpr Duration operator-(Instant other) const { return Duration::nanoseconds(nanoseconds_ - other.nanoseconds_); }
  constexpr auto operator<=>(const Instant&) const = default;

 private:
  explicit constexpr Instant(std::int64_t n) : nanoseconds_(n) {}
  std::int64_t nanoseconds_ = 0;
};

/// Seconds and nanoseconds since 1970, from a clock that people set. For names and logs, never for decisions.
struct WallTime {
  std::int64_t unix_nanoseconds = 0;
  auto operator<=>(const WallTime&) const = default;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_TIME_H_
