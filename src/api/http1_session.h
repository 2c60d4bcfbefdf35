// The server's side of one HTTP/1.1 connection: bytes in and bytes out, one request at a time. Requests that a client
// sends ahead (pipelining) wait as bytes until the one before them is answered. Boost.Beast parses; nothing else of it,
// and nothing of Asio, is used, so this runs in the simulator too.
// Source: RFC 9112.
#ifndef METASTORE_API_HTTP1_SESSION_H_
#define METASTORE_API_HTTP1_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/session_options.h"
#include "core/base/bytes.h"

namespace metastore::api {

struct HttpRequest {
  std::string method;  ///< "GET".
  std::string target;  ///< As it came: path and query, not decoded.
  std::string body;
  bool operator==(const HttpRequest&) const = default;
};

inline constexpr std::string_view plain_text = "text/plain; charset=utf-8";

struct HttpResponse {
  int status = 200;
  std::string_view content_type;  ///< A literal.
  std::string body;
  std::string_view allow = {};  ///< The methods that would be right, for status 405. A literal.
  bool operator==(const HttpResponse&) const = default;
};

/// "Not Found" for 404.
std::string_view http_reason(int status);

class Http1Session {
 public:
  explicit Http1Session(const SessionOptions& options);
  ~Http1Session();
  Http1Session(const Http1Session&) = delete;
  Http1Session& operator=(const Http1Session&) = delete;

  void receive(BytesView bytes);
  /// The next request, once it is whole and the one before it is answered. What is no request is answered here.
  std::optional<HttpRequest> next();
  /// Requires: a request was taken and not answered.
  void respond(const HttpResponse& response);

  /// Answers unasked and ends the connection. Requires: no request is open.
  void reject(int status, std::string_view reason);

  void write_to(std::string& out);
  /// Output and input that wait.
  std::uint64_t waiting_bytes() const { return out_.size() + in_.size(); }
  bool request_open() const { return request_open_; }
  /// A request has begun to come in, and the client owes its rest.
  bool request_unfinished() const { return !request_open_ && !ending_ && (parser_ != nullptr || !in_.empty()); }

  /// After the request under way no other is taken; without one the connection ends.
  void begin_shutdown();
  /// Nothing more will be read, and all is written.
  bool finished() const { return ending_ && !request_open_ && out_.empty(); }

 private:
  struct Parser;

  void append_response(const HttpResponse& response);

  const SessionOptions options_;
  std::unique_ptr<Parser> parser_;  ///< Of the request that is coming in.
  std::string in_;
  std::string out_;
  bool head_only_ = false;  ///< The open request's method is HEAD.
  bool keep_alive_ = true;
  bool request_open_ = false;
  bool ending_ = false;
};

}  // namespace metastore::api

#endif  // METASTORE_API_HTTP1_SESSION_H_
