// The first bytes of a SHA-1, which etcd's ids are. It names here and protects nothing. Source: FIPS 180-4, 6.1.
#ifndef METASTORE_CORE_BASE_SHA1_H_
#define METASTORE_CORE_BASE_SHA1_H_

#include <cstdint>

#include "core/base/bytes.h"

namespace metastore {

/// The first 8 bytes of the SHA-1 of `text`, big-endian.
std::uint64_t sha1_prefix(BytesView text);

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_SHA1_H_
