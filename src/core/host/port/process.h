// What the operating system says of this process. For status pages; no decision may depend on it.
#ifndef METASTORE_CORE_HOST_PORT_PROCESS_H_
#define METASTORE_CORE_HOST_PORT_PROCESS_H_

#include <cstdint>

#include "core/base/time.h"

namespace metastore::port {

struct ProcessUse {
  Duration cpu;  ///< User and system, of all threads.
  WallTime started;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t virtual_bytes_max = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t descriptors_max = 0;
};

class Process {
 public:
  virtual ~Process() = default;
  virtual ProcessUse use() const = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_PROCESS_H_
