// Where a peer listens, read from its URL as the member table has it. Only plain TCP for now: other schemes give
// nothing.
#ifndef METASTORE_NET_PEER_ADDRESS_H_
#define METASTORE_NET_PEER_ADDRESS_H_

#include <optional>
#include <string>
#include <string_view>

namespace metastore::net {

struct PeerAddress {
  std::string host;  ///< Without the brackets of an IPv6 address.
  int port = 0;
  bool operator==(const PeerAddress&) const = default;
};

std::optional<PeerAddress> parse_peer_url(std::string_view url);

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_ADDRESS_H_
