#include "server/initial_cluster.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/base/urls.h"

namespace metastore::server {
namespace {

constexpr const char* not_a_short_form = "cannot stand beside --cluster, which says the same; leave one of them out";

/// Each name with its URLs, sorted.
Result<std::map<std::string, std::vector<std::string>>, std::string> parse(std::string_view list) {
  std::map<std::string, std::vector<std::string>> members;
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view part = list.substr(0, comma);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return "--initial-cluster: '" + std::string(part) + "' is not of the form name=url";
    }
    const Result<Url, std::string> url = parse_url(part.substr(equals + 1));
    if (!url) return "--initial-cluster: " + url.error();
    members[std::string(part.substr(0, equals))].push_back(to_string(url.value()));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  std::set<std::string> seen;
  for (auto& [name, urls] : members) {
    // Texts have a total order.
    std::sort(urls.begin(), urls.end());
    for (const std::string& url : urls) {
      if (!seen.insert(url).second) {
        return "--initial-cluster has duplicate url " + url + "; each member needs a peer URL of its own";
      }
    }
  }
  return members;
}

}  // namespace

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ",") + text;
  return all;
}

Result<Flags, std::string> without_short_form(Flags flags) {
  for (const char* flag : {"id", "port", "grpc-addr", "join"}) {
    if (flags.given.contains(flag) && !flags.given.contains("cluster")) {
      return "--" + std::string(flag) + " is of the short form; give --cluster too, or etcd's flags instead";
    }
  }
  if (!flags.given.contains("cluster")) return flags;
  for (const char* flag : {"initial-cluster", "initial-cluster-state", "listen-peer-urls", "listen-client-urls",
                           "initial-advertise-peer-urls", "advertise-client-urls", "listen-metrics-urls", "name"}) {
    if (flags.given.contains(flag)) return "--" + std::string(flag) + " " + not_a_short_form;
  }
  const Result<std::vector<Url>, std::string> urls = parse_urls(flags.cluster);
  if (!urls) return "--cluster: " + urls.error();
  const std::size_t count = urls.value().size();
  if (flags.id < 1 || flags.id > count) {
    return "--id must be from 1 to " + std::to_string(count) + ", the number of URLs in --cluster (set to " +
           std::to_string(flags.id) + ")";
  }
  const Url& self = urls.value()[flags.id - 1];
  flags.name = "m" + std::to_string(flags.id);
  flags.initial_cluster.clear();
  for (std::size_t i = 0; i < count; ++i) {
    flags.initial_cluster += (i == 0 ? "m" : ",m") + std::to_string(i + 1) + "=" + to_string(urls.value()[i]);
  }
  flags.listen_peer_urls = flags.initial_advertise_peer_urls = to_string(self);
  flags.initial_cluster_state = flags.join ? "existing" : "new";
  flags.given.insert("initial-cluster");
  if (flags.port > 65535) return "--port must be a number up to 65535 (set to " + std::to_string(flags.port) + ")";
  std::vector<std::string> listen;
  std::vector<std::string> advertise;
  if (flags.given.contains("grpc-addr")) {
    if (flags.grpc_addr.find(':') == std::string::npos) {
      return "--grpc-addr: '" + flags.grpc_addr + "' has no port; write HOST:PORT";
    }
    // Those who are told must be able to connect.
    const bool is_everywhere = flags.grpc_addr.starts_with(':');
    listen.push_back("http://" + (is_everywhere ? "0.0.0.0" : std::string()) + flags.grpc_addr);
    advertise.push_back("http://" + (is_everywhere ? self.host : std::string()) + flags.grpc_addr);
  }
  if (flags.given.contains("port")) {
    Url pages = self;
    pages.port = static_cast<int>(flags.port);
    listen.push_back(to_string(pages));
    if (advertise.empty()) advertise = listen;
  }
  if (!listen.empty()) {
    flags.listen_client_urls = joined(listen);
    flags.advertise_client_urls = joined(advertise);
  }
  return flags;
}

Result<std::vector<InitialMember>, std::string> initial_cluster_of(const Flags& flags,
                                                                   const std::vector<std::string>& peer_urls) {
  if (!flags.given.contains("initial-cluster")) return std::vector<InitialMember>{{flags.name, peer_urls}};
  auto members = parse(flags.initial_cluster);
  if (!members) return members.error();
  const auto self = members.value().find(flags.name);
  if (self == members.value().end()) {
    return "couldn't find local name \"" + flags.name +
           "\" in the initial cluster configuration; name this member in --initial-cluster or change --name";
  }
  if (self->second != peer_urls) {
    return "--initial-cluster has " + flags.name + "=" + joined(self->second) +
           " but --initial-advertise-peer-urls is " + joined(peer_urls) + "; make them equal";
  }
  std::vector<InitialMember> result;
  for (auto& [name, urls] : members.value()) result.push_back({name, std::move(urls)});
  return result;
}

}  // namespace metastore::server
