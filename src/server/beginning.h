// How a member begins: as one of a new cluster, as a newcomer to one that exists, or with what its data directory
// holds. Everything that the flags and the other members' answers say about it is judged here, before anything is
// written; each mistake ends in a sentence that says what to change (contract 3.1). Pure: who is asked, and when, is
// main's.
#ifndef METASTORE_SERVER_BEGINNING_H_
#define METASTORE_SERVER_BEGINNING_H_

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "net/peer_inquiry.h"
#include "server/configuration.h"
#include "server/member.h"

namespace metastore::server {

struct Beginning {
  /// What to make where there is no data, and how the log must have begun where there is.
  std::optional<MemberOptions::NewCluster> new_cluster;
  std::vector<Peer> acquaintances;
};

/// Whom to ask, and how patiently; nothing if there is nobody, or nobody is to be asked.
std::optional<net::PeerInquiry::Subject> inquiry(const Configuration& configuration, bool has_data);

/// `roster`: what somebody answered.
Result<Beginning, std::string> begin(const Configuration& configuration, bool has_data,
                                     const std::optional<net::Roster>& roster);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_BEGINNING_H_
