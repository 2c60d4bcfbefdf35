// --force-new-cluster: one member goes on alone with what it has, because the others are gone for good. The way back is
// cut: their ids never return. All of its log counts as committed: some of it may never have been, but what was is
// often not noted here (a commit index alone is not worth a write), and nothing that a client was told may be lost.
// What that takes is one log write, made before the replica exists.
#ifndef METASTORE_CORE_REPLICA_FORCED_CLUSTER_H_
#define METASTORE_CORE_REPLICA_FORCED_CLUSTER_H_

#include <optional>

#include "core/replica/config.h"

namespace metastore {

/// Puts entries behind the log in `recovered` that leave `self` as the only member, and commits them all. Returns the
/// write that makes that durable; none if it is alone already.
std::optional<raft::LogWrite> force_new_cluster(Recovered& recovered, MemberId self);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_FORCED_CLUSTER_H_
