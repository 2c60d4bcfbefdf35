// The responses that speak of the member itself: member list, status. Values in, protobuf messages out.
#ifndef METASTORE_CORE_REPLICA_RESPONSES_H_
#define METASTORE_CORE_REPLICA_RESPONSES_H_

#include "core/base/bytes.h"
#include "core/kv/applier.h"
#include "core/replica/members.h"
#include "core/replica/replica.h"

namespace metastore {

Bytes member_list_response(const kv::Header& header, const Members& members);
/// Of all keys at a revision, as one number that depends on all their bytes.
struct HashOfKeys {
  std::uint64_t sum = 0;
  Revision revision;
  Revision current;
  Revision compacted;
};
Bytes hash_kv_response(const kv::Header& header, const HashOfKeys& hash);
Bytes hash_response(const kv::Header& header, Revision current, std::uint64_t hash);
Bytes status_response(const kv::Header& header, const ReplicaStatus& status);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_RESPONSES_H_
