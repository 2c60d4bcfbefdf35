// The RPCs that the core serves, and what is asked and answered: raw protobuf messages, decoded here and nowhere
// else. The raw bytes of a proposal are embedded in its log entry as they came.
#ifndef METASTORE_CORE_KV_METHOD_H_
#define METASTORE_CORE_KV_METHOD_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace metastore::kv {

/// How many messages each side sends.
enum class Kind : std::uint8_t {
  unary,   ///< One request: ClientRequest. One reply: Reply; or what takes more than a step: Chunk and StreamEnd.
  stream,  ///< Any number of either: StreamOpened, StreamRequest, Chunk, StreamEnd.
};

/// enumerator, kind, gRPC path.
#define METASTORE_METHODS(X)                                          \
  X(range, unary, "/etcdserverpb.KV/Range")                           \
  X(range_stream, unary, "/etcdserverpb.KV/RangeStream")              \
  X(put, unary, "/etcdserverpb.KV/Put")                               \
  X(delete_range, unary, "/etcdserverpb.KV/DeleteRange")              \
  X(txn, unary, "/etcdserverpb.KV/Txn")                               \
  X(compact, unary, "/etcdserverpb.KV/Compact")                       \
  X(watch, stream, "/etcdserverpb.Watch/Watch")                       \
  X(lease_grant, unary, "/etcdserverpb.Lease/LeaseGrant")             \
  X(lease_revoke, unary, "/etcdserverpb.Lease/LeaseRevoke")           \
  X(lease_time_to_live, unary, "/etcdserverpb.Lease/LeaseTimeToLive") \
  X(lease_leases, unary, "/etcdserverpb.Lease/LeaseLeases")           \
  X(lease_keep_alive, stream, "/etcdserverpb.Lease/LeaseKeepAlive")   \
  X(member_list, unary, "/etcdserverpb.Cluster/MemberList")           \
  X(member_add, unary, "/etcdserverpb.Cluster/MemberAdd")             \
  X(member_remove, unary, "/etcdserverpb.Cluster/MemberRemove")       \
  X(member_update, unary, "/etcdserverpb.Cluster/MemberUpdate")       \
  X(member_promote, unary, "/etcdserverpb.Cluster/MemberPromote")     \
  X(status, unary, "/etcdserverpb.Maintenance/Status")                \
  X(alarm, unary, "/etcdserverpb.Maintenance/Alarm")                  \
  X(defragment, unary, "/etcdserverpb.Maintenance/Defragment")        \
  X(hash, unary, "/etcdserverpb.Maintenance/Hash")                    \
  X(hash_kv, unary, "/etcdserverpb.Maintenance/HashKV")               \
  X(move_leader, unary, "/etcdserverpb.Maintenance/MoveLeader")       \
  X(downgrade, unary, "/etcdserverpb.Maintenance/Downgrade")

enum class Method : std::uint8_t {
#define METASTORE_METHOD_NAME(name, kind, path) name,
  METASTORE_METHODS(METASTORE_METHOD_NAME)
#undef METASTORE_METHOD_NAME
};

inline constexpr std::size_t method_count = 0
#define METASTORE_METHOD_ONE(name, kind, path) +1
    METASTORE_METHODS(METASTORE_METHOD_ONE)
#undef METASTORE_METHOD_ONE
    ;

constexpr Kind kind(Method method) {
  constexpr Kind kinds[] = {
#define METASTORE_METHOD_KIND(name, kind, path) Kind::kind,
      METASTORE_METHODS(METASTORE_METHOD_KIND)
#undef METASTORE_METHOD_KIND
  };
  return kinds[static_cast<std::size_t>(method)];
}
std::string_view path(Method method);
std::string_view name(Method method);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_METHOD_H_
