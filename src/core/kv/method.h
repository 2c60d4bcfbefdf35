// The unary RPCs that the core serves, and what is asked and answered: raw protobuf messages, decoded here and nowhere
// else. The raw bytes of a proposal are embedded in its log entry as they came.
#ifndef METASTORE_CORE_KV_METHOD_H_
#define METASTORE_CORE_KV_METHOD_H_

#include <cstdint>
#include <string_view>

namespace metastore::kv {

/// enumerator, gRPC path.
#define METASTORE_METHODS(X)                         \
  X(range, "/etcdserverpb.KV/Range")                 \
  X(put, "/etcdserverpb.KV/Put")                     \
  X(delete_range, "/etcdserverpb.KV/DeleteRange")    \
  X(txn, "/etcdserverpb.KV/Txn")                     \
  X(compact, "/etcdserverpb.KV/Compact")             \
  X(member_list, "/etcdserverpb.Cluster/MemberList") \
  X(status, "/etcdserverpb.Maintenance/Status")      \
  X(alarm, "/etcdserverpb.Maintenance/Alarm")

enum class Method : std::uint8_t {
#define METASTORE_METHOD_NAME(name, path) name,
  METASTORE_METHODS(METASTORE_METHOD_NAME)
#undef METASTORE_METHOD_NAME
};

std::string_view path(Method method);
std::string_view name(Method method);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_METHOD_H_
