// The server's side of one HTTP/2 connection that carries gRPC calls: bytes in and bytes out. It knows no socket
// and no clock (`now` is given in), so the simulator runs it as production does. nghttp2 does frames, HPACK and flow
// control; the rules of gRPC and the policy against abusive clients are here.
// Source: RFC 9113; grpc-go's server transport for pings and failures (contract 1.4).
#ifndef METASTORE_API_HTTP2_SESSION_H_
#define METASTORE_API_HTTP2_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/grpc.h"
#include "api/request_head.h"
#include "api/session_options.h"
#include "api/token_bucket.h"
#include "api/unfinished_requests.h"
#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/method.h"
#include "core/replica/input.h"

struct nghttp2_session;

namespace metastore::api {

/// A whole unary request is here; it wants one answer on its stream.
struct CallReceived {
  RequestId id;
  StreamId stream;
  kv::Method method = kv::Method::range;
  Bytes message;
  Instant deadline = Instant::never();
  bool require_leader = false;
  ClientVersion client_version;
  bool operator==(const CallReceived&) const = default;
};

/// A streaming call begins. Its requests follow as StreamRequest, their end as StreamRequestsEnded.
struct CallOpened {
  RequestId id;
  StreamId stream;
  kv::Method method = kv::Method::watch;
  Instant deadline = Instant::never();
  bool require_leader = false;
  ClientVersion client_version;
  bool operator==(const CallOpened&) const = default;
};

/// Nobody waits for an answer any more.
struct CallCanceled {
  RequestId id;
  bool operator==(const CallCanceled&) const = default;
};

/// StreamDrained comes of write_to alone.
using CallEvent =
    std::variant<CallReceived, CallOpened, StreamRequest, StreamRequestsEnded, StreamDrained, CallCanceled>;

/// Invariants:
/// 1. Each CallReceived and CallOpened is followed by its end (reply, finish or fail) or by one CallCanceled, never by
///    both; nothing of the call follows that.
/// 2. The same bytes give the same events, however they are cut.
class Http2Session {
 public:
  /// `ids` names the calls; it is shared by all sessions of a member and outlives this one.
  Http2Session(const SessionOptions& options, RequestIds& ids);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  void receive(BytesView bytes, Instant now, std::vector<CallEvent>& events);
  /// Answers the call on `stream`. Requires: it was received and neither answered nor canceled.
  void reply(StreamId stream, Bytes message);
  void fail(StreamId stream, const Failure& failure);
  /// Goes on with the answer: `message_bytes` begins a message of that size, 0 continues the one that was begun.
  void send(StreamId stream, std::uint64_t message_bytes, std::vector<Bytes> parts);
  /// Ends the answer well. Requires: all messages are complete.
  void finish(StreamId stream);
  /// The connection is gone: cancels every call that has no answer.
  void close(std::vector<CallEvent>& events);

  /// Appends what may be sent now, until `bytes` are reached (the last frame may exceed them). A stream that ends by
  /// what is sent here (a broken rule, GOAWAY) may cancel its call.
  void write_to(std::string& out, std::size_t bytes, std::vector<CallEvent>& events);
  /// Replies that flow control or the socket has not let out yet.
  std::uint64_t waiting_bytes() const { return waiting_bytes_; }
  /// What this client makes us hold: replies, messages that are not whole, open streams.
  std::uint64_t held_bytes() const;
  /// Frames but data that wait to be written.
  std::size_t waiting_frames() const;
  /// Since when the client has said nothing more of a greeting, head or message that it began; the oldest of them.
  std::optional<Instant> unfinished_since() const;
  /// Calls without an answer.
  std::size_t calls_open() const { return calls_open_; }

  /// No new streams (GOAWAY); those that are open get their answers.
  void begin_shutdown();
  /// Takes nothing at all: the client is told to stay away, and why.
  void refuse_all(std::string_view reason);
  /// Asks for a sign of life.
  void send_ping();
  /// Nothing more will be read, and all is written.
  bool finished() const;

 private:
  struct Stream;
  struct Callbacks;
  struct Deleter {
    void operator()(nghttp2_session* session) const;
  };

  Stream& open_stream(std::int32_t id);
  Stream* find_stream(std::int32_t id) const;
  void on_head(Stream& stream);
  void on_body(Stream& stream, BytesView bytes);
  void on_request_end(Stream& stream);
  void on_stream_close(Stream& stream);
  void count_received(Stream& stream);
  void on_ping();
  void on_reset();
  void cancel_calls(std::vector<CallEvent>& events);
  /// The call on `stream`, which has no end yet.
  Stream& call_on(StreamId stream);
  void begin_answer(Stream& stream);
  /// Its data may be sent again.
  void resume(Stream& stream);
  void end_answer(Stream& stream, const Failure& status);
  /// What the client said breaks a rule: it gets `failure`, whatever the call has come to.
  void refuse(Stream& stream, const Failure& failure);
  /// Ends the connection with GOAWAY; whatever is open is canceled.
  void go_away(std::uint32_t http2_error, std::string_view reason);

  const SessionOptions options_;
  RequestIds& ids_;
  std::unique_ptr<nghttp2_session, Deleter> session_;
  std::vector<std::unique_ptr<Stream>> streams_;  ///< All that were ever needed at once.
  std::vector<Stream*> unused_;
  std::size_t streams_open_ = 0;
  std::size_t calls_open_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;  ///< Of messages that are not handed out.
  std::vector<Bytes> messages_;       ///< Scratch of on_body.
  UnfinishedRequests unfinished_;
  std::vector<Stream*> draining_;  ///< Streams of which something was sent in this write_to.

  // Valid during receive and write_to.
  Instant now_;
  std::vector<CallEvent>* events_ = nullptr;
  std::string* out_ = nullptr;
  std::size_t out_bytes_max_ = 0;

  std::optional<Instant> begun_at_;
  bool greeted_ = false;  ///< The preface and the first settings are whole.
  std::optional<Instant> last_ping_at_;
  int ping_strikes_ = 0;
  bool sent_since_ping_ = false;  ///< Headers or data: they forgive the pings so far.
  TokenBucket resets_;

  bool gone_away_ = false;
  bool all_written_ = false;  ///< After go_away.
};

}  // namespace metastore::api

#endif  // METASTORE_API_HTTP2_SESSION_H_
