#include "api/rpc.h"

#include <algorithm>
#include <array>

namespace metastore::api {
namespace {

struct Row {
  std::string_view path;
  kv::Method method;
};

constexpr Row served[] = {
#define METASTORE_ROW(name, kind, path) {path, kv::Method::name},
    METASTORE_METHODS(METASTORE_ROW)
#undef METASTORE_ROW
};

constexpr std::string_view kv_methods[] = {"Range", "RangeStream", "Put", "DeleteRange", "Txn", "Compact"};
constexpr std::string_view watch_methods[] = {"Watch"};
constexpr std::string_view lease_methods[] = {"LeaseGrant", "LeaseRevoke", "LeaseKeepAlive", "LeaseTimeToLive",
                                              "LeaseLeases"};
constexpr std::string_view cluster_methods[] = {"MemberAdd", "MemberRemove", "MemberUpdate", "MemberList",
                                                "MemberPromote"};
constexpr std::string_view maintenance_methods[] = {"Alarm",  "Status",   "Defragment", "Hash",
                                                    "HashKV", "Snapshot", "MoveLeader", "Downgrade"};
constexpr std::string_view auth_methods[] = {
    "AuthEnable", "AuthDisable",         "AuthStatus",          "Authenticate",   "UserAdd", "UserGet", "UserList",
    "UserDelete", "UserChangePassword",  "UserGrantRole",       "UserRevokeRole", "RoleAdd", "RoleGet", "RoleList",
    "RoleDelete", "RoleGrantPermission", "RoleRevokePermission"};
constexpr std::string_view lock_methods[] = {"Lock", "Unlock"};
constexpr std::string_view election_methods[] = {"Campaign", "Proclaim", "Leader", "Observe", "Resign"};
constexpr std::string_view health_methods[] = {"Check", "Watch"};

constexpr Service services[] = {
    {"etcdserverpb.KV", kv_methods},
    {"etcdserverpb.Watch", watch_methods},
    {"etcdserverpb.Lease", lease_methods},
    {"etcdserverpb.Cluster", cluster_methods},
    {"etcdserverpb.Maintenance", maintenance_methods},
    {"etcdserverpb.Auth", auth_methods},
    {"v3lockpb.Lock", lock_methods},
    {"v3electionpb.Election", election_methods},
    {"grpc.health.v1.Health", health_methods},
};

}  // namespace

Result<kv::Method, Failure> find_method(std::string_view path) {
  for (const Row& row : served) {
    if (row.path == path) return row.method;
  }
  std::string_view name = path;
  if (name.starts_with('/')) name.remove_prefix(1);
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) {
    return Failure{StatusCode::unimplemented, "malformed method name: " + quoted(path)};
  }
  const std::string service(name.substr(0, slash));
  const std::string method(name.substr(slash + 1));
  const auto known = std::find_if(std::begin(services), std::end(services),
                                  [&](const Service& candidate) { return candidate.name == service; });
  if (known == std::end(services)) return Failure{StatusCode::unimplemented, "unknown service " + service};
  if (std::find(known->methods.begin(), known->methods.end(), method) == known->methods.end()) {
    return Failure{StatusCode::unimplemented, "unknown method " + method + " for service " + service};
  }
  return Failure{StatusCode::unimplemented, "method " + method + " not implemented"};
}

std::string_view grpc_type(kv::Method method) {
  // The core takes one request for it, as for unary calls.
  if (method == kv::Method::range_stream) return "server_stream";
  return kv::kind(method) == kv::Kind::unary ? "unary" : "bidi_stream";
}

std::span<const Service> known_services() { return services; }

}  // namespace metastore::api
