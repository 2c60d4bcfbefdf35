#include "api/http2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "api/http2_header.h"
#include "core/base/assert.h"

namespace metastore::api {

struct Http2Client::Call {
  explicit Call(std::uint64_t message_bytes_max) : reader(message_bytes_max) {}

  void say(Bytes words) {
    request.begin_message(words.size());
    if (!words.empty()) request.add(std::move(words));
  }

  std::int32_t id = 0;
  bool is_stream = false;
  bool request_ended = false;  ///< All that will be said is in `request`.
  OutgoingBody request;
  MessageReader reader;
  std::optional<Bytes> message;
  std::string http_status;
  std::optional<int> code;
  std::string text;
  std::optional<Failure> failure;  ///< What the client itself found wrong with the response.
  bool ended = false;              ///< The server has said all it will say.
  bool canceled = false;           ///< Its result is out; it lives on only until nghttp2 lets go of its stream.
};

void Http2Client::Deleter::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

struct Http2Client::Callbacks {
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    Call* call = self(user).find_call(frame->hd.stream_id);
    if (call == nullptr) return 0;
    const std::string_view name_text = text_of(name, name_size);
    const std::string_view value_text = text_of(value, value_size);
    if (name_text == ":status") {
      call->http_status = value_text;
    } else if (name_text == "grpc-message") {
      call->text = percent_decode(value_text);
    } else if (name_text == "grpc-status") {
      int code = 0;
      const auto [end, error] = std::from_chars(value_text.data(), value_text.data() + value_text.size(), code);
      const bool known = error == std::errc() && code >= 0 && code <= static_cast<int>(StatusCode::unauthenticated);
      call->code = known ? code : static_cast<int>(StatusCode::unknown);
    }
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* user) {
    Http2Client& client = self(user);
    Call* call = client.find_call(id);
    if (call == nullptr || call->failure) return 0;
    client.messages_.clear();
    call->failure = call->reader.read(text_of(data, size), client.messages_);
    for (Bytes& message : client.messages_) {
      if (call->is_stream) {
        if (!call->canceled) client.received_.push_back({StreamId(id), std::move(message)});
        continue;
      }
      if (call->message) call->failure = {StatusCode::internal, "more than one message in a unary response"};
      call->message = std::move(message);
    }
    return 0;
  }

  static int on_frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Client& client = self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      client.usable_ = false;
      client.goaway_reason_ = text_of(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
    } else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
      Call* call = client.find_call(frame->hd.stream_id);
      if (call != nullptr && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) call->ended = true;
    }
    return 0;
  }

  static int on_stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t http2_error, void* user) {
    Http2Client& client = self(user);
    if (Call* call = client.find_call(id)) client.on_stream_close(*call, http2_error);
    return 0;
  }

  static ssize_t read_request(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t size, std::uint32_t* flags,
                              nghttp2_data_source* source, void*) {
    const Call& call = *static_cast<const Call*>(source->ptr);
    const std::uint64_t unsent = call.request.unsent_bytes();
    if (unsent == 0 && !call.request_ended) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (unsent > size || !call.request_ended) return static_cast<ssize_t>(std::min<std::uint64_t>(unsent, size));
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(unsent);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head, std::size_t size,
                       nghttp2_data_source* source, void* user) {
    Http2Client& client = self(user);
    if (client.out_->size() >= client.out_bytes_max_) return NGHTTP2_ERR_WOULDBLOCK;
    client.out_->append(text_of(frame_head, http2_frame_head_bytes));
    static_cast<Call*>(source->ptr)->request.send(size, *client.out_);
    return 0;
  }
};

Http2Client::Http2Client(Http2ClientOptions options) : options_(std::move(options)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_must(nghttp2_session_callbacks_new(&callbacks));
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_received);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_closed);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, Callbacks::send_data);
  nghttp2_option* option = nullptr;
  nghttp2_must(nghttp2_option_new(&option));
  // As in the server's session: the library must not meter by a clock of its own.
  nghttp2_option_set_stream_reset_rate_limit(option, std::numeric_limits<std::uint64_t>::max(),
                                             std::numeric_limits<std::uint64_t>::max());
  nghttp2_session* session = nullptr;
  nghttp2_must(nghttp2_session_client_new2(&session, callbacks, this, option));
  session_.reset(session);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);

  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.stream_window_bytes},
  };
  nghttp2_must(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
  nghttp2_must(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                     static_cast<std::int32_t>(options_.connection_window_bytes)));
}

Http2Client::~Http2Client() = default;

Http2Client::Call* Http2Client::find_call(std::int32_t id) const {
  return static_cast<Call*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

StreamId Http2Client::call(std::string_view path, Bytes message, std::optional<Duration> timeout,
                           const Metadata& metadata) {
  auto call = std::make_unique<Call>(options_.message_bytes_max);
  call->say(std::move(message));
  call->request_ended = true;
  return submit(std::move(call), path, timeout, metadata);
}

StreamId Http2Client::open(std::string_view path, std::optional<Duration> timeout, const Metadata& metadata) {
  auto call = std::make_unique<Call>(options_.message_bytes_max);
  call->is_stream = true;
  return submit(std::move(call), path, timeout, metadata);
}

void Http2Client::send(StreamId stream, Bytes message) {
  calls_.at(stream.value())->say(std::move(message));
  resume(stream);
}

void Http2Client::end(StreamId stream) {
  calls_.at(stream.value())->request_ended = true;
  resume(stream);
}

void Http2Client::resume(StreamId stream) {
  // It fails if the data is not deferred: then it is on its way already.
  const int result = nghttp2_session_resume_data(session_.get(), stream.value());
  ASSERT(result == 0 || result == NGHTTP2_ERR_INVALID_ARGUMENT);
}

StreamId Http2Client::submit(std::unique_ptr<Call> call, std::string_view path, std::optional<Duration> timeout,
                             const Metadata& metadata) {
  ASSERT(usable_);
  const std::string timeout_text = timeout ? format_timeout(*timeout) : std::string();
  std::vector<nghttp2_nv> headers = {
      header(":method", "POST", uncopied),
      header(":scheme", "http", uncopied),
      header(":path", path, NGHTTP2_NV_FLAG_NONE),
      header(":authority", options_.authority, NGHTTP2_NV_FLAG_NONE),
      header("content-type", "application/grpc", uncopied),
      header("te", "trailers", uncopied),
  };
  if (timeout) headers.push_back(header("grpc-timeout", timeout_text, NGHTTP2_NV_FLAG_NONE));
  for (const auto& [name, value] : metadata) headers.push_back(header(name, value, NGHTTP2_NV_FLAG_NONE));
  nghttp2_data_provider provider{};
  provider.source.ptr = call.get();
  provider.read_callback = Callbacks::read_request;
  const std::int32_t id =
      nghttp2_submit_request(session_.get(), nullptr, headers.data(), headers.size(), &provider, call.get());
  ASSERT(id > 0);
  call->id = id;
  calls_.emplace(id, std::move(call));
  ++calls_open_;
  return StreamId(id);
}

void Http2Client::cancel(StreamId stream, std::vector<CallResult>& results) {
  ASSERT(calls_.contains(stream.value()));
  Call& call = *calls_.at(stream.value());
  ASSERT(!call.canceled);
  call.canceled = true;
  --calls_open_;
  results.push_back({stream, StatusCode::canceled, "context canceled", Bytes(), Outcome::unknown});
  nghttp2_must(nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.value(), NGHTTP2_CANCEL));
}

void Http2Client::on_stream_close(Call& call, std::uint32_t http2_error) {
  if (call.canceled) {
    calls_.erase(call.id);
    return;
  }
  CallResult result{StreamId(call.id)};
  if (call.failure) {
    result.code = call.failure->code;
    result.text = call.failure->text;
  } else if (call.ended && call.code) {
    result.code = static_cast<StatusCode>(*call.code);
    result.text = std::move(call.text);
  } else if (call.ended) {
    result.code = StatusCode::unknown;
    result.text = "no grpc-status, HTTP status " + call.http_status;
  } else {
    result.code = StatusCode::unavailable;
    result.text = std::string("stream closed: ") + nghttp2_http2_strerror(http2_error);
    if (http2_error == NGHTTP2_REFUSED_STREAM) result.outcome = Outcome::refused;
  }
  if (result.code == StatusCode::ok && !call.is_stream) {
    if (call.message) {
      result.message = std::move(*call.message);
    } else {
      result.code = StatusCode::internal;
      result.text = "no message in a unary response";
    }
  }
  --calls_open_;
  results_->push_back(std::move(result));
  calls_.erase(call.id);
}

void Http2Client::receive(BytesView bytes, std::vector<CallResult>& results) {
  if (session_ == nullptr) return;
  results_ = &results;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0 || nghttp2_session_want_read(session_.get()) == 0) usable_ = false;
  results_ = nullptr;
}

void Http2Client::write_to(std::string& out, std::size_t bytes, std::vector<CallResult>& results) {
  if (session_ == nullptr) return;
  out_ = &out;
  out_bytes_max_ = out.size() + bytes;
  results_ = &results;
  while (out.size() < out_bytes_max_) {
    const std::uint8_t* data = nullptr;
    const std::size_t before = out.size();
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
    ASSERT(size >= 0);
    out.append(text_of(data, static_cast<std::size_t>(size)));
    if (out.size() == before) break;
  }
  out_ = nullptr;
  results_ = nullptr;
}

void Http2Client::close(std::vector<CallResult>& results) {
  usable_ = false;
  session_.reset();
  for (const auto& [id, call] : calls_) {
    if (call->canceled) continue;
    results.push_back({StreamId(id), StatusCode::unavailable, "connection closed", Bytes(), Outcome::unknown});
  }
  calls_.clear();
  calls_open_ = 0;
}

}  // namespace metastore::api
