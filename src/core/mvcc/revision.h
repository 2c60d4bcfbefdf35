// The place of one change in the store's history: the main revision of the request that made it, and its order within
// that request. Domain words from etcd's mvcc.
#ifndef METASTORE_CORE_MVCC_REVISION_H_
#define METASTORE_CORE_MVCC_REVISION_H_

#include <compare>
#include <cstdint>

#include "core/base/tagged.h"

namespace metastore::mvcc {

struct RevisionPair {
  Revision main;
  std::int64_t sub = 0;
  auto operator<=>(const RevisionPair&) const = default;
};

/// The compact revision of a store that was never compacted. It is below every revision a client may name.
inline constexpr Revision never_compacted{-1};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_REVISION_H_
