// Whose proposal an entry is, if a follower handed it to the leader: what that follower recognizes it by when it is
// applied (design, laws 5 and 6). It stands behind the command or the configuration change, in fields that etcd's
// messages leave free, so that etcd's tools read such entries as any other. A change here is a change of the disk
// format.
#ifndef METASTORE_CORE_KV_ORIGIN_H_
#define METASTORE_CORE_KV_ORIGIN_H_

#include <cstdint>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/tagged.h"

namespace metastore::kv {

struct Origin {
  MemberId member;
  std::uint64_t incarnation = 0;
  std::uint64_t sequence = 0;  ///< Rises with each proposal that this incarnation hands on.
  bool operator==(const Origin&) const = default;
};

/// `command` and the mark of its origin.
Bytes with_origin(BytesView command, const Origin& origin);
/// None if `entry` was proposed by its leader, or cannot be read.   Bounds: O(fields), whatever they hold.
std::optional<Origin> origin_of(BytesView entry);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_ORIGIN_H_
