// The hash of one record, of which the store's hashes are sums: a sum can be kept up with each change, and does not
// depend on the order of a scan.
#ifndef METASTORE_CORE_MVCC_HASH_H_
#define METASTORE_CORE_MVCC_HASH_H_

#include <cstdint>

#include "core/base/bytes.h"
#include "core/mvcc/record.h"

namespace metastore::mvcc {

/// Of the record's message, its place within its revision, and whether it is a tombstone.
std::uint64_t hash_of(Record record);
std::uint64_t hash_of(BytesView bytes);

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_HASH_H_
