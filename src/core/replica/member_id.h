// Member and cluster ids as etcd computes them (contract 5.8): a cluster of the same peer URLs and token has the same
// ids on both, which its tools show and its log files hold.
#ifndef METASTORE_CORE_REPLICA_MEMBER_ID_H_
#define METASTORE_CORE_REPLICA_MEMBER_ID_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore {

/// Of a member that a new cluster begins with. The order of `peer_urls` does not matter.
MemberId member_id(std::vector<std::string> peer_urls, std::string_view cluster_token);
/// Of one that is added: the time makes it another one each time.
MemberId member_id(std::vector<std::string> peer_urls, WallTime added);

/// Of the cluster that begins with these members, in any order.
ClusterId cluster_id(std::vector<MemberId> members);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_MEMBER_ID_H_
