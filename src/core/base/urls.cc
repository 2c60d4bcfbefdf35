#include "core/base/urls.h"

#include <algorithm>
#include <charconv>

namespace metastore {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_ipv4(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(host.data(), host.data() + host.size(), value);
    if (error != std::errc() || value > 255) return false;
    host.remove_prefix(static_cast<std::size_t>(end - host.data()));
    if (part == 3) return host.empty();
    if (!host.starts_with('.')) return false;
    host.remove_prefix(1);
  }
  return false;
}

bool has_only(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

std::string to_string(const Url& url) {
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  return url.scheme + "://" + (is_ipv6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

bool is_address(std::string_view host) {
  // That an IPv6 address is well-formed is left to whoever binds it.
  return host == "localhost" || is_ipv4(host) ||
         (host.find(':') != std::string_view::npos && has_only(host, "0123456789abcdefABCDEF:."));
}

Result<Url, std::string> parse_url(std::string_view text) {
  text = trimmed(text);
  const auto wrong = [&](std::string_view what) { return "'" + std::string(text) + "' " + std::string(what); };
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return wrong("is no URL; write http://HOST:PORT");
  Url url;
  url.scheme = text.substr(0, scheme_end);
  if (url.scheme != "http" && url.scheme != "https") return wrong("has a scheme that is neither http nor https");

  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find_first_of("/?#") != std::string_view::npos) return wrong("has something behind its port; end it there");
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || rest.ends_with(']')) return wrong("has no port; write http://HOST:PORT");
  const std::string_view port = rest.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc() || end != port.data() + port.size() || url.port < 0 || url.port > 65535) {
    return wrong("has a port that is not a number up to 65535");
  }
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return wrong("has brackets around what is no IPv6 address");
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("has an IPv6 address without brackets; write http://[ADDRESS]:PORT");
  }
  if (host.empty()) return wrong("has no host; write http://HOST:PORT");
  if (host.find_first_of("@[] \t\"\\<>%") != std::string_view::npos) return wrong("has a host that cannot be one");
  url.host = host;
  return url;
}

Result<std::vector<Url>, std::string> parse_urls(std::string_view list) {
  std::vector<Url> urls;
  for (;;) {
    const std::size_t comma = list.find(',');
    Result<Url, std::string> url = parse_url(list.substr(0, comma));
    if (!url) return url.error();
    urls.push_back(std::move(url).value());
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return urls;
}

}  // namespace metastore
