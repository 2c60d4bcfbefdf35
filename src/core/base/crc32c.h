// CRC-32C (Castagnoli), as in etcd's log and in its HashKV. By the processor's own instruction where there is one, as a
// restart checks every byte of the log and of the checkpoint, or else by eight tables, with the same result. Debian has
// no C++ library of it; Boost.CRC takes one byte at a time.
#ifndef METASTORE_CORE_BASE_CRC32C_H_
#define METASTORE_CORE_BASE_CRC32C_H_

#include <cstdint>

#include "core/base/bytes.h"

namespace metastore {

/// The checksum of everything that `crc` covers followed by `bytes`. That of nothing is 0.
std::uint32_t crc32c_extend(std::uint32_t crc, BytesView bytes);
/// The same on a machine without the instruction.
std::uint32_t crc32c_extend_by_table(std::uint32_t crc, BytesView bytes);

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_CRC32C_H_
