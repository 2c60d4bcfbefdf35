// The 128-bit hash of everything that crossed the boundary of the replicas, in order: two runs are the same run if and
// only if it is equal. Inputs and effects go in by their canonical encoding; traces do not.
#ifndef METASTORE_SIM_ROLLING_HASH_H_
#define METASTORE_SIM_ROLLING_HASH_H_

#include <cstdint>
#include <string>

#include "core/base/bytes.h"

namespace metastore::sim {

class RollingHash {
 public:
  /// `kind` keeps records of different kinds apart.
  void add(std::uint8_t kind, std::uint64_t member, BytesView bytes);
  /// 32 hexadecimal digits.
  std::string text() const;

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_ROLLING_HASH_H_
