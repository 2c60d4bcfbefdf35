// The responses that speak of the member itself: member list, status. Values in, protobuf messages out.
#ifndef METASTORE_CORE_REPLICA_RESPONSES_H_
#define METASTORE_CORE_REPLICA_RESPONSES_H_

#include "core/base/bytes.h"
#include "core/kv/applier.h"
#include "core/replica/members.h"
#include "core/replica/replica.h"

namespace metastore {

Bytes member_list_response(const kv::Header& header, const Members& members);
Bytes status_response(const kv::Header& header, const ReplicaStatus& status);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_RESPONSES_H_
