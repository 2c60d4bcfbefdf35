#include "core/base/urls.h"

#include <doctest/doctest.h>

namespace metastore {
namespace {

TEST_CASE("a URL is a scheme, a host and a port, and prints as it was read") {
  for (const char* text :
       {"http://localhost:2379", "https://10.0.0.1:1", "http://[::1]:0", "http://db-1.example.org:65535"}) {
    const Result<Url, std::string> url = parse_url(text);
    REQUIRE(url.ok());
    CHECK(to_string(url.value()) == text);
  }
  CHECK(parse_url(" http://a:1 ").value() == Url{"http", "a", 1});
  CHECK(parse_url("http://[::1]:2").value() == Url{"http", "::1", 2});
}

TEST_CASE("what is not such a URL is named with what is wrong") {
  const std::pair<const char*, const char*> rows[] = {
      {"localhost:2379", "is no URL; write http://HOST:PORT"},
      {"", "is no URL; write http://HOST:PORT"},
      {"ftp://a:1", "has a scheme that is neither http nor https"},
      {"http://a:1/x", "has something behind its port; end it there"},
      {"http://a:1/", "has something behind its port; end it there"},
      {"http://a:1?x", "has something behind its port; end it there"},
      {"http://a", "has no port; write http://HOST:PORT"},
      {"http://[::1]", "has no port; write http://HOST:PORT"},
      {"http://a:", "has a port that is not a number up to 65535"},
      {"http://a:x", "has a port that is not a number up to 65535"},
      {"http://a:-1", "has a port that is not a number up to 65535"},
      {"http://a:65536", "has a port that is not a number up to 65535"},
      {"http://a:99999999999", "has a port that is not a number up to 65535"},
      {"http://:1", "has no host; write http://HOST:PORT"},
      {"http://::1:2", "has an IPv6 address without brackets; write http://[ADDRESS]:PORT"},
      {"http://[a]:2", "has brackets around what is no IPv6 address"},
      {"http://me@a:2", "has a host that cannot be one"},
      {"http://a b:2", "has a host that cannot be one"},
  };
  for (const auto& [text, wrong] : rows) {
    const Result<Url, std::string> url = parse_url(text);
    REQUIRE_FALSE(url.ok());
    CHECK(url.error() == "'" + std::string(text) + "' " + wrong);
  }
}

TEST_CASE("a list of URLs is refused for any of its parts") {
  CHECK(parse_urls("http://a:1, http://b:2").value() == std::vector<Url>{{"http", "a", 1}, {"http", "b", 2}});
  CHECK_FALSE(parse_urls("http://a:1,").ok());
  CHECK_FALSE(parse_urls("").ok());
}

TEST_CASE("an address is what one can listen on without a name server") {
  for (const char* host : {"localhost", "127.0.0.1", "0.0.0.0", "::1", "::ffff:1.2.3.4", "fe80::1"})
    CHECK(is_address(host));
  for (const char* host : {"example.com", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", "1.2.3.4x", "", "a::g", "10"}) {
    CHECK_FALSE(is_address(host));
  }
}

}  // namespace
}  // namespace metastore
