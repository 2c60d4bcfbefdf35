// Which version of the API a cluster speaks: the smallest that a member has told of, as etcd decides it (contract 5.8).
// Members tell theirs with their names, in the log; the leader decides, and what it decides stands in the log too. It
// never goes back, since who speaks the newer one may have written what the older one cannot read.
#ifndef METASTORE_CORE_REPLICA_CLUSTER_VERSION_H_
#define METASTORE_CORE_REPLICA_CLUSTER_VERSION_H_

#include <optional>
#include <string>
#include <string_view>

#include "core/replica/members.h"

namespace metastore {

/// What all members speak, its patch level being 0. `self` speaks `own`, whatever the table says of it. None as long as
/// another one has not told.
std::optional<std::string> version_of_all(const Members& members, MemberId self, std::string_view own);

/// Whether `version` is newer than `current`, which is empty if none has been decided.
bool is_newer(std::string_view version, std::string_view current);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_CLUSTER_VERSION_H_
