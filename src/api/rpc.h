// The RPCs of etcd's API by their gRPC paths (contract 1.1): those that the core serves, and those that are known but
// not served yet, which are told apart from paths that nobody knows.
#ifndef METASTORE_API_RPC_H_
#define METASTORE_API_RPC_H_

#include <span>
#include <string>
#include <string_view>

#include "api/grpc.h"
#include "core/base/result.h"
#include "core/kv/method.h"

namespace metastore::api {

/// The method behind `path`, or the refusal in grpc-go's words.
Result<kv::Method, Failure> find_method(std::string_view path);

/// As gRPC's metrics name it: "unary", "server_stream" or "bidi_stream".
std::string_view grpc_type(kv::Method method);

struct Service {
  std::string_view name;
  std::span<const std::string_view> methods;
};

/// Every service that etcd registers on its client port.
std::span<const Service> known_services();

}  // namespace metastore::api

#endif  // METASTORE_API_RPC_H_
