// What the disk has cost since the start: integers for people. Written by whoever does the work and copied when it is
// done, so that the loop never reads what a worker writes.
#ifndef METASTORE_STORAGE_DISK_COSTS_H_
#define METASTORE_STORAGE_DISK_COSTS_H_

#include <array>
#include <cstdint>

#include "core/base/histogram.h"

namespace metastore::storage {

/// In nanoseconds: from 1 ms to 8 s.
inline constexpr std::array<std::uint64_t, 14> disk_bounds = doubling_from<14>(1'000'000);

using DiskDurations = Histogram<disk_bounds>;

struct WalCosts {
  DiskDurations sync_nanoseconds;
  std::uint64_t written_bytes = 0;  ///< Without the zeros ahead.
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_DISK_COSTS_H_
