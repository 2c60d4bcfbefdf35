// The URLs that members and clients are told: a scheme, a host and a port, nothing behind them (contract 3.1).
#ifndef METASTORE_CORE_BASE_URLS_H_
#define METASTORE_CORE_BASE_URLS_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace metastore {

struct Url {
  std::string scheme;  ///< "http" or "https".
  std::string host;    ///< Without the brackets of an IPv6 address.
  int port = 0;
  bool operator==(const Url&) const = default;
};

std::string to_string(const Url& url);

/// Errors: a clause that names the URL and what is wrong with it, to stand behind a flag's name.
Result<Url, std::string> parse_url(std::string_view text);
/// A comma list of at least one URL.
Result<std::vector<Url>, std::string> parse_urls(std::string_view list);

/// Whether one can listen on `host` without asking a name server.
bool is_address(std::string_view host);

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_URLS_H_
