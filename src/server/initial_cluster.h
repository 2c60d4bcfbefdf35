// Whom a new cluster begins with, as the flags say it: etcd's --initial-cluster and its checks (contract 3.1), and the
// short form for trying things out, which is translated into etcd's flags and means nothing else.
#ifndef METASTORE_SERVER_INITIAL_CLUSTER_H_
#define METASTORE_SERVER_INITIAL_CLUSTER_H_

#include <string>
#include <vector>

#include "core/base/result.h"
#include "server/configuration.h"
#include "server/flags.h"

namespace metastore::server {

/// With commas between them.
std::string joined(const std::vector<std::string>& texts);

/// --id, --cluster, --port, --grpc-addr and --join put into the flags that they stand for; `flags` if none is given.
/// Errors: a sentence that says what to change, as below.
Result<Flags, std::string> without_short_form(Flags flags);

/// `peer_urls`: what this member advertises, sorted.
Result<std::vector<InitialMember>, std::string> initial_cluster_of(const Flags& flags,
                                                                   const std::vector<std::string>& peer_urls);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_INITIAL_CLUSTER_H_
