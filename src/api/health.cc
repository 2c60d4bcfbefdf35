#include "api/health.h"

#include <algorithm>

#include "api/grpc.h"

namespace metastore::api {
namespace {

constexpr std::string_view json = "application/json";
constexpr std::string_view plain_text = "text/plain; charset=utf-8";

}  // namespace

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool has_parameter(std::string_view target, std::string_view name, std::string_view value) {
  std::string_view query = target.substr(path_of(target).size());
  while (!query.empty()) {
    query.remove_prefix(1);
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(pair.size());
    if (pair.size() == name.size() + 1 + value.size() && pair.starts_with(name) && pair[name.size()] == '=' &&
        pair.ends_with(value)) {
      return true;
    }
  }
  return false;
}

Bytes health_probe(bool serializable) {
  // RangeRequest: key=1 bytes "health", serializable=7 bool.
  constexpr std::string_view linearizable_probe = "\x0a\x06health";
  constexpr std::string_view serializable_probe = "\x0a\x06health\x38\x01";
  return Bytes::copy_of(serializable ? serializable_probe : linearizable_probe);
}

HttpResponse health_response(std::string_view reason) {
  if (reason.empty()) return {200, json, R"({"health":"true","reason":""})"};
  return {503, json, R"({"health":"false","reason":)" + quoted(reason) + "}"};
}

HttpResponse version_response(const port::Versions& versions) {
  const auto or_else = [](const std::string& version, std::string_view none) {
    return quoted(version.empty() ? none : std::string_view(version));
  };
  return {200, json,
          R"({"etcdserver":)" + quoted(versions.server) + R"(,"etcdcluster":)" +
              or_else(versions.cluster, "not_decided") + R"(,"storage":)" + or_else(versions.storage, "unknown") + "}"};
}

HttpResponse not_found() { return {404, plain_text, "404 page not found\n"}; }

HttpResponse method_not_allowed() { return {405, plain_text, "Method Not Allowed\n", "GET"}; }

}  // namespace metastore::api
