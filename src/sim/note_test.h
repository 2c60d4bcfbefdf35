// A task that leaves its letter in a log, for the tests of what runs when, and in which order. Nothing outside of tests
// includes it.
#ifndef METASTORE_SIM_NOTE_TEST_H_
#define METASTORE_SIM_NOTE_TEST_H_

#include <cstdint>
#include <string>

#include "core/base/time.h"
#include "core/host/port/loop.h"

namespace metastore::sim {

struct Note final : port::Task {
  Note(std::string& log, char letter) : log_(log), letter_(letter) {}
  void run() override { log_ += letter_; }
  std::string& log_;
  char letter_;
};

inline Instant at_ms(std::int64_t ms) { return Instant::from_nanoseconds(ms * 1'000'000); }

}  // namespace metastore::sim

#endif  // METASTORE_SIM_NOTE_TEST_H_
