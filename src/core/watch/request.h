// What a watch stream's client asks, decoded from WatchRequest. Nothing here is checked against the store.
#ifndef METASTORE_CORE_WATCH_REQUEST_H_
#define METASTORE_CORE_WATCH_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/base/bytes.h"

namespace metastore::watch {

struct CreateRequest {
  std::string key;
  std::string range_end;
  std::int64_t start_revision = 0;
  std::int64_t watch_id = 0;  ///< 0: the server picks one.
  bool progress_notify = false;
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false;
  bool fragment = false;
  bool operator==(const CreateRequest&) const = default;
};

struct CancelRequest {
  std::int64_t watch_id = 0;
  bool operator==(const CancelRequest&) const = default;
};

struct ProgressRequest {
  bool operator==(const ProgressRequest&) const = default;
};

/// Nothing stands for a union that is empty or unknown, which etcd ignores (contract 1.6).
using Request = std::variant<std::monostate, CreateRequest, CancelRequest, ProgressRequest>;

/// None if the message is damaged.
std::optional<Request> decode(BytesView message);

}  // namespace metastore::watch

#endif  // METASTORE_CORE_WATCH_REQUEST_H_
