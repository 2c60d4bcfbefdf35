#include "core/mvcc/hash.h"

#include <xxhash.h>

namespace metastore::mvcc {

std::uint64_t hash_of(Record record) {
  const BytesView message = record.encoded();
  const auto sub = static_cast<std::uint64_t>(record.revision().sub);
  return XXH3_64bits_withSeed(message.data(), message.size(), sub << 1 | (record.tombstone() ? 1 : 0));
}

std::uint64_t hash_of(BytesView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace metastore::mvcc
