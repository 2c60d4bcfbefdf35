// What a server's HTTP/2 session keeps of one stream. An object is used again for stream after stream, so that what it
// holds keeps its room; it decides nothing. For http2_session.cc alone.
#ifndef METASTORE_API_HTTP2_STREAM_H_
#define METASTORE_API_HTTP2_STREAM_H_

#include <cstdint>
#include <optional>

#include "api/grpc.h"
#include "api/http2_session.h"
#include "api/request_head.h"
#include "api/unfinished_requests.h"
#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/method.h"

namespace metastore::api {

/// What is known of one call, from its first header to the closing of its stream.
struct CallState {
  Demand demand;
  Instant deadline = Instant::never();
  std::optional<Bytes> message;
  bool ended = false;      ///< The client has said all it will say.
  bool refused = false;    ///< It broke a rule: what else it says is not heard.
  RequestId call;          ///< 0 until a unary request is whole, or a stream's head has come.
  bool answered = false;   ///< The call has its end, or was canceled.
  bool answering = false;  ///< The answer's headers are on their way.
  bool finished = false;   ///< Trailers follow when the body is sent.
  Failure status{StatusCode::ok, {}};
  bool in_chunks = false;           ///< Whoever answers is told what was sent.
  std::uint64_t drained_bytes = 0;  ///< Sent in this write_to.

  bool is_stream() const { return kv::kind(demand.method) == kv::Kind::stream; }
};

/// A call and its buffers, which are used again for the stream after this.
struct Http2Session::Stream : CallState {
  explicit Stream(const SessionOptions& options)
      : head(options.limits.header_bytes_max), reader(options.message_bytes_max()) {}

  std::int32_t id = 0;
  RequestHead head;
  MessageReader reader;
  OutgoingBody body;
  std::uint64_t received_bytes = 0;  ///< As it was counted last.
  UnfinishedRequests::Place unfinished;
};

}  // namespace metastore::api

#endif  // METASTORE_API_HTTP2_STREAM_H_
