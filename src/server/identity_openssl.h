// Member and cluster ids as etcd computes them (contract 5.8): a cluster of the same peer URLs and token has the same
// ids on both, which its tools show and its log files hold. SHA-1 names here and protects nothing.
#ifndef METASTORE_SERVER_IDENTITY_OPENSSL_H_
#define METASTORE_SERVER_IDENTITY_OPENSSL_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/tagged.h"

namespace metastore::server {

/// Of a member that a new cluster begins with. The order of `peer_urls` does not matter.
MemberId member_id(std::vector<std::string> peer_urls, std::string_view cluster_token);

/// Of the cluster that begins with these members, in any order.
ClusterId cluster_id(std::vector<MemberId> members);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_IDENTITY_OPENSSL_H_
