// The headers of one gRPC request, and whether they make a request that can be served. One object is used again for
// stream after stream, so that its strings keep their room.
#ifndef METASTORE_API_REQUEST_HEAD_H_
#define METASTORE_API_REQUEST_HEAD_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "api/client_version.h"
#include "api/grpc.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/kv/method.h"

namespace metastore::api {

/// What a head that can be served asks for.
struct Demand {
  kv::Method method = kv::Method::range;
  Duration timeout = Duration::max();  ///< Duration::max() where none was sent.
  ClientVersion client_version;
  bool require_leader = false;  ///< Metadata "hasleader: true": answer "no leader" at once if there is none.
};

class RequestHead {
 public:
  explicit RequestHead(std::uint64_t header_bytes_max) : header_bytes_max_(header_bytes_max) {}

  void clear();
  void add(std::string_view name, std::string_view value);
  Result<Demand, Failure> judge() const;

 private:
  std::uint64_t header_bytes_max_;
  std::uint64_t header_bytes_ = 0;
  std::string method_;
  std::string path_;
  std::string content_type_;
  std::string encoding_;
  std::string timeout_;
  ClientVersion client_version_;
  bool require_leader_ = false;
  bool version_is_text_ = true;
};

}  // namespace metastore::api

#endif  // METASTORE_API_REQUEST_HEAD_H_
