#include "api/request_head.h"

#include "api/rpc.h"
#include "core/base/utf8.h"

namespace metastore::api {
namespace {

/// What HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count for a header besides its bytes (RFC 9113, 6.5.2).
constexpr std::uint64_t header_overhead_bytes = 32;
/// Room that a string keeps for its next request; every true one fits.
constexpr std::size_t text_bytes_kept = 256;

bool is_grpc(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  return content_type == "application/grpc" || content_type == "application/grpc+proto";
}

}  // namespace

void RequestHead::clear() {
  header_bytes_ = 0;
  for (std::string* text : {&method_, &path_, &content_type_, &encoding_, &timeout_}) {
    text->clear();
    if (text->capacity() > text_bytes_kept) *text = std::string();
  }
  client_version_ = ClientVersion();
  require_leader_ = false;
  version_is_text_ = true;
}

void RequestHead::add(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size() + header_overhead_bytes;
  if (header_bytes_ > header_bytes_max_) return;
  if (name == ":path") {
    path_.assign(value);
  } else if (name == ":method") {
    method_.assign(value);
  } else if (name == "content-type") {
    content_type_.assign(value);
  } else if (name == "grpc-timeout") {
    timeout_.assign(value);
  } else if (name == "grpc-encoding") {
    encoding_.assign(value);
  } else if (name == "hasleader") {
    require_leader_ = value == "true";
  } else if (name == "client-api-version") {
    version_is_text_ = is_utf8(value);
    if (version_is_text_) client_version_ = ClientVersion(value);
  }
}

Result<Demand, Failure> RequestHead::judge() const {
  if (header_bytes_ > header_bytes_max_) {
    return Failure{StatusCode::resource_exhausted,
                   "grpc: received headers larger than max (" + std::to_string(header_bytes_) + " vs. " +
                       std::to_string(header_bytes_max_) + ")",
                   431};
  }
  if (!is_grpc(content_type_)) {
    return Failure{StatusCode::invalid_argument, "invalid gRPC request content-type " + quoted(content_type_), 415};
  }
  if (method_ != "POST") {
    return Failure{StatusCode::internal,
                   "Received a HEADERS frame with :method " + quoted(method_) + " which should be POST", 405};
  }
  Demand demand;
  if (!timeout_.empty()) {
    const auto timeout = parse_timeout(timeout_);
    if (!timeout) return Failure{StatusCode::internal, "malformed grpc-timeout: " + timeout.error(), 400};
    demand.timeout = timeout.value();
  }
  const auto method = find_method(path_);
  if (!method) return method.error();
  demand.method = method.value();
  if (!encoding_.empty() && encoding_ != "identity") {
    return Failure{StatusCode::unimplemented,
                   "grpc: Decompressor is not installed for grpc-encoding " + quoted(encoding_)};
  }
  if (!version_is_text_) {
    return Failure{StatusCode::invalid_argument, "etcdserver: invalid client api version"};
  }
  demand.client_version = client_version_;
  demand.require_leader = require_leader_;
  return demand;
}

}  // namespace metastore::api
