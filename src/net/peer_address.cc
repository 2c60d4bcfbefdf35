#include "net/peer_address.h"

#include <charconv>

namespace metastore::net {

std::optional<PeerAddress> parse_peer_url(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  const std::size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = url.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits = url.substr(colon + 1);
  PeerAddress address{std::string(host), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  if (host.empty() || !is_number || address.port <= 0 || address.port > 65'535) return std::nullopt;
  return address;
}

}  // namespace metastore::net
