// The responses that speak of the member itself: member list, status. Values in, protobuf messages out.
#ifndef METASTORE_CORE_REPLICA_RESPONSES_H_
#define METASTORE_CORE_REPLICA_RESPONSES_H_

#include <string_view>

#include "core/base/bytes.h"
#include "core/kv/applier.h"
#include "core/mvcc/hash_scan.h"
#include "core/replica/members.h"
#include "core/replica/replica.h"

namespace metastore {

/// Of every RPC that answers with the members and nothing else.
Bytes members_response(const kv::Header& header, const Members& members);
Bytes member_add_response(const kv::Header& header, const Members& members, MemberId added);
Bytes hash_kv_response(const kv::Header& header, Revision current, const mvcc::HashOfKeys& hash);
Bytes downgrade_response(const kv::Header& header, Revision current, std::string_view cluster_version);
Bytes hash_response(const kv::Header& header, Revision current, std::uint64_t hash);
Bytes status_response(const kv::Header& header, const ReplicaStatus& status);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_RESPONSES_H_
