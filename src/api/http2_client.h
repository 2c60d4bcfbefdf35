// The client's side of one HTTP/2 connection for gRPC calls: bytes in and bytes out, no socket, no clock. The
// simulator's clients and our own native client are made of it; a call's deadline travels in its header, and whoever
// owns the clock cancels what is overdue.
#ifndef METASTORE_API_HTTP2_CLIENT_H_
#define METASTORE_API_HTTP2_CLIENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/grpc.h"
#include "api/session_options.h"
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/time.h"

struct nghttp2_session;

namespace metastore::api {

/// How one call ended.
struct CallResult {
  StreamId stream;
  StatusCode code = StatusCode::ok;
  std::string text;
  Bytes message;  ///< Empty unless the code is ok.
  /// unknown: the server may have acted on it. refused: it surely has not looked at it, as it said GOAWAY or
  /// REFUSED_STREAM. Where the server sent a status, that status tells, and this is unknown.
  Outcome outcome = Outcome::unknown;
  bool operator==(const CallResult&) const = default;
};

/// One message on a stream.
struct StreamMessage {
  StreamId stream;
  Bytes message;
  bool operator==(const StreamMessage&) const = default;
};

struct Http2ClientOptions {
  std::string authority = "localhost";
  std::uint64_t message_bytes_max = 2'147'483'647;
  std::uint32_t stream_window_bytes = 1'048'576;
  std::uint32_t connection_window_bytes = 4'194'304;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

class Http2Client {
 public:
  explicit Http2Client(Http2ClientOptions options);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  /// Starts a call. Requires: usable().
  StreamId call(std::string_view path, Bytes message, std::optional<Duration> timeout, const Metadata& metadata = {});
  /// Starts a streaming call. Requires: usable().
  StreamId open(std::string_view path, std::optional<Duration> timeout, const Metadata& metadata = {});
  /// Says one more message on a stream. Requires: it is open, and not ended by end().
  void send(StreamId stream, Bytes message);
  /// Says no more on a stream, and goes on listening.
  void end(StreamId stream);
  bool is_open(StreamId stream) const { return calls_.contains(stream.value()); }
  /// What streams have received since the last call, in its order.
  std::vector<StreamMessage> take_received() { return std::exchange(received_, {}); }

  /// Gives the call up; its result is code canceled. Requires: it is open.
  void cancel(StreamId stream, std::vector<CallResult>& results);

  void receive(BytesView bytes, std::vector<CallResult>& results);
  /// Appends what may be sent now, until `bytes` are reached (the last frame may exceed them).
  void write_to(std::string& out, std::size_t bytes, std::vector<CallResult>& results);
  /// The connection is gone: every open call ends as unavailable, and nothing goes in or out any more.
  void close(std::vector<CallResult>& results);

  /// False once the server said GOAWAY or the connection broke: calls need a new connection.
  bool usable() const { return usable_; }
  /// Why, in the server's words ("too_many_pings"), if it gave any.
  std::string_view goaway_reason() const { return goaway_reason_; }
  std::size_t calls_open() const { return calls_open_; }

 private:
  struct Call;
  struct Callbacks;
  struct Deleter {
    void operator()(nghttp2_session* session) const;
  };

  Call* find_call(std::int32_t id) const;
  StreamId submit(std::unique_ptr<Call> call, std::string_view path, std::optional<Duration> timeout,
                  const Metadata& metadata);
  /// Its data may be sent again.
  void resume(StreamId stream);
  void on_stream_close(Call& call, std::uint32_t http2_error);

  const Http2ClientOptions options_;
  std::unique_ptr<nghttp2_session, Deleter> session_;
  std::map<std::int32_t, std::unique_ptr<Call>> calls_;
  std::size_t calls_open_ = 0;
  std::vector<StreamMessage> received_;
  std::vector<Bytes> messages_;  ///< Scratch.
  bool usable_ = true;
  std::string goaway_reason_;

  // Valid during receive and write_to.
  std::vector<CallResult>* results_ = nullptr;
  std::string* out_ = nullptr;
  std::size_t out_bytes_max_ = 0;
};

}  // namespace metastore::api

#endif  // METASTORE_API_HTTP2_CLIENT_H_
