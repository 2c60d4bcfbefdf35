// Measures how long a block takes, for figures alone: what touches the disk says in this way what it cost, so that
// nothing pure has to look at a clock.
#ifndef METASTORE_STORAGE_STOPWATCH_POSIX_H_
#define METASTORE_STORAGE_STOPWATCH_POSIX_H_

#include <chrono>

#include "core/base/time.h"

namespace metastore::storage {

class Stopwatch {
 public:
  /// Writes to `took` when it is destroyed.
  explicit Stopwatch(Duration& took) : took_(took) {}
  ~Stopwatch() {
    const auto passed = std::chrono::steady_clock::now() - began_;
    took_ = Duration::nanoseconds(std::chrono::nanoseconds(passed).count());
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Duration& took_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_STOPWATCH_POSIX_H_
