#include "server/beginning.h"

#include <algorithm>
#include <utility>

#include "core/replica/member_id.h"
#include "server/initial_cluster.h"
#include "server/log_lines.h"

namespace metastore::server {
namespace {

/// A newcomer waits so long for the cluster to hear of it; anybody else only for who answers at once.
constexpr Duration newcomer_patience = Duration::seconds(10);
constexpr Duration patience = Duration::seconds(1);

constexpr const char* identity_is_gone =
    " has run before, on another data directory: a member that lost its data never comes back as the same; remove it "
    "with 'member remove', add it with 'member add', and start it with --initial-cluster-state=existing";

std::vector<std::string> urls_of_others(const Configuration& configuration) {
  std::vector<std::string> urls;
  for (const InitialMember& member : configuration.initial_cluster) {
    if (member.name != configuration.name) urls.insert(urls.end(), member.peer_urls.begin(), member.peer_urls.end());
  }
  return urls;
}

MemberOptions::NewCluster new_cluster_of(const Configuration& configuration) {
  MemberOptions::NewCluster cluster;
  std::vector<MemberId> ids;
  for (const InitialMember& member : configuration.initial_cluster) {
    ids.push_back(member_id(member.peer_urls, configuration.cluster_token));
    cluster.members.push_back({.id = ids.back(), .name = member.name, .peer_urls = member.peer_urls});
    if (member.name == configuration.name) cluster.self = ids.back();
  }
  cluster.cluster = cluster_id(ids);
  return cluster;
}

const Peer* find_self(const Configuration& configuration, const net::Roster& roster) {
  const auto found = std::find_if(roster.peers.begin(), roster.peers.end(), [&](const Peer& peer) {
    std::vector<std::string> urls = peer.urls;
    // Texts have a total order.
    std::sort(urls.begin(), urls.end());
    return urls == configuration.advertise_peer_urls;
  });
  return found == roster.peers.end() ? nullptr : &*found;
}

std::string member_text(MemberId id) { return "member " + hexadecimal(id.value()); }

Result<Beginning, std::string> join(const Configuration& configuration, const std::optional<net::Roster>& roster) {
  const std::vector<std::string> others = urls_of_others(configuration);
  if (others.empty()) {
    return std::string(
        "--initial-cluster-state is 'existing' and the data directory is empty, but --initial-cluster names no other "
        "member; name those of the cluster, or give --initial-cluster-state=new");
  }
  if (!roster.has_value()) {
    return "no member of --initial-cluster answers at " + joined(others) +
           "; correct --initial-cluster, or start one of them";
  }
  const Peer* self = find_self(configuration, *roster);
  if (self == nullptr) {
    return "the cluster has no member with the peer URLs " + joined(configuration.advertise_peer_urls) +
           "; add it with 'member add', or correct --initial-advertise-peer-urls";
  }
  if (self->data_id != 0) return member_text(self->id) + identity_is_gone;
  return Beginning{MemberOptions::NewCluster{self->id, roster->from.cluster, {}}, roster->peers};
}

Result<Beginning, std::string> found(const Configuration& configuration, const std::optional<net::Roster>& roster) {
  Beginning beginning{new_cluster_of(configuration), {}};
  if (!roster.has_value()) return beginning;
  const MemberOptions::NewCluster& cluster = *beginning.new_cluster;
  if (roster->from.cluster != cluster.cluster) {
    return "the members of --initial-cluster are of cluster " + hexadecimal(roster->from.cluster.value()) +
           ", while --initial-cluster and --initial-cluster-token make cluster " +
           hexadecimal(cluster.cluster.value()) +
           "; correct them, or give --initial-cluster-state=existing to join that cluster";
  }
  const auto self = std::find_if(roster->peers.begin(), roster->peers.end(),
                                 [&cluster](const Peer& peer) { return peer.id == cluster.self; });
  if (self == roster->peers.end()) {
    return member_text(cluster.self) +
           " was removed from this cluster for good; add it with 'member add', and start it with "
           "--initial-cluster-state=existing";
  }
  if (self->data_id != 0) return member_text(self->id) + identity_is_gone;
  return beginning;
}

}  // namespace

std::optional<net::PeerInquiry::Subject> inquiry(const Configuration& configuration, bool has_data) {
  net::PeerInquiry::Subject subject{.urls = urls_of_others(configuration), .wanted = {}, .patience = patience};
  if (subject.urls.empty() || configuration.forces_new_cluster) return std::nullopt;
  const bool is_newcomer = !has_data && !configuration.starts_new_cluster;
  subject.asks_again = is_newcomer;
  if (is_newcomer) {
    subject.wanted = configuration.advertise_peer_urls;
    subject.patience = newcomer_patience;
  }
  return subject;
}

Result<Beginning, std::string> begin(const Configuration& configuration, bool has_data,
                                     const std::optional<net::Roster>& roster) {
  if (has_data) {
    // What stands in --initial-cluster counts no more, and whoever it names may be of another cluster by now: then it
    // refuses the first call.
    Beginning beginning;
    if (configuration.starts_new_cluster) beginning.new_cluster = new_cluster_of(configuration);
    if (roster.has_value()) beginning.acquaintances = roster->peers;
    return beginning;
  }
  return configuration.starts_new_cluster ? found(configuration, roster) : join(configuration, roster);
}

}  // namespace metastore::server
