#include "api/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <limits>

#include "api/http2_header.h"
#include "api/http2_stream.h"
#include "core/base/assert.h"

namespace metastore::api {
namespace {

/// Pings that may come too early before the connection ends; grpc-go's number.
constexpr int ping_strikes_max = 2;
/// What an open stream costs besides its messages: ours, the library's, and a path or two.
constexpr std::uint64_t stream_bytes = 2'048;
/// Without an open stream there is no reason to ping more often than this; grpc-go's number.
constexpr Duration ping_interval_idle = Duration::seconds(7200);

void submit_trailers(nghttp2_session* handle, std::int32_t id, const Failure& status) {
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string message = percent_encode(status.text);
  const nghttp2_nv trailers[] = {header("grpc-status", code, NGHTTP2_NV_FLAG_NONE),
                                 header("grpc-message", message, NGHTTP2_NV_FLAG_NONE)};
  nghttp2_must(nghttp2_submit_trailer(handle, id, trailers, message.empty() ? 1 : 2));
}

/// What the stream says goes before what others say, sixteen frames to one where both have much to say.
void put_before_bulk(nghttp2_session* handle, std::int32_t id) {
  nghttp2_priority_spec priority;
  nghttp2_priority_spec_init(&priority, 0, NGHTTP2_MAX_WEIGHT, 0);
  nghttp2_must(nghttp2_session_change_stream_priority(handle, id, &priority));
}

}  // namespace

void Http2Session::Deleter::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

/// What nghttp2 calls. Nothing here decides; after go_away what still comes in is ignored.
struct Http2Session::Callbacks {
  static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& session = self(user);
    if (session.gone_away_ || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    session.open_stream(frame->hd.stream_id);
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (Stream* stream = self(user).find_stream(frame->hd.stream_id)) {
      stream->head.add(text_of(name, name_size), text_of(value, value_size));
    }
    return 0;
  }

  static int on_frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& session = self(user);
    if (session.gone_away_) return 0;
    session.greeted_ = true;
    switch (frame->hd.type) {
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) session.on_ping();
        return 0;
      case NGHTTP2_RST_STREAM:
        session.on_reset();
        return 0;
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA: {
        Stream* stream = session.find_stream(frame->hd.stream_id);
        if (stream == nullptr) return 0;
        stream->ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) session.on_head(*stream);
        if (stream->ended && !stream->refused) session.on_request_end(*stream);
        return 0;
      }
      default:
        return 0;
    }
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* user) {
    Http2Session& session = self(user);
    Stream* stream = session.gone_away_ ? nullptr : session.find_stream(id);
    if (stream != nullptr && !stream->refused) session.on_body(*stream, text_of(data, size));
    return 0;
  }

  static int on_stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    if (Stream* stream = self(user).find_stream(id)) self(user).on_stream_close(*stream);
    return 0;
  }

  static int on_frame_sent(nghttp2_session* handle, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    Http2Session& session = self(user);
    session.sent_since_ping_ = true;
    const Stream* stream = session.find_stream(frame->hd.stream_id);
    // The answer is complete before the request: the client need not send the rest (RFC 9113, 8.1).
    if (stream != nullptr && !stream->ended && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      nghttp2_must(nghttp2_submit_rst_stream(handle, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR));
    }
    return 0;
  }

  /// Says how much of the answer goes into the next frame; send_data writes it.
  static ssize_t read_body(nghttp2_session* handle, std::int32_t id, std::uint8_t*, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const Stream& stream = *static_cast<const Stream*>(source->ptr);
    const std::uint64_t unsent = stream.body.unsent_bytes();
    if (unsent == 0 && !stream.finished) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (unsent > size || !stream.finished) return static_cast<ssize_t>(std::min<std::uint64_t>(unsent, size));
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    submit_trailers(handle, id, stream.status);
    return static_cast<ssize_t>(unsent);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head, std::size_t size,
                       nghttp2_data_source* source, void* user) {
    Http2Session& session = self(user);
    if (session.out_->size() >= session.out_bytes_max_) return NGHTTP2_ERR_WOULDBLOCK;
    session.out_->append(text_of(frame_head, http2_frame_head_bytes));
    Stream& stream = *static_cast<Stream*>(source->ptr);
    const std::uint64_t payload = stream.body.send(size, *session.out_);
    session.waiting_bytes_ -= size;
    session.sent_since_ping_ = true;
    if (stream.in_chunks && payload > 0) {
      if (stream.drained_bytes == 0) session.draining_.push_back(&stream);
      stream.drained_bytes += payload;
    }
    return 0;
  }
};

Http2Session::Http2Session(const SessionOptions& options, RequestIds& ids)
    : options_(options), ids_(ids), resets_(options.limits.resets_burst_max, options.limits.resets_a_second) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_must(nghttp2_session_callbacks_new(&callbacks));
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_received);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_closed);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::on_frame_sent);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, Callbacks::send_data);

  nghttp2_option* option = nullptr;
  nghttp2_must(nghttp2_option_new(&option));
  // The library would meter resets by a clock of its own (design D6); on_reset does it in the time that we are given.
  nghttp2_option_set_stream_reset_rate_limit(option, std::numeric_limits<std::uint64_t>::max(),
                                             std::numeric_limits<std::uint64_t>::max());
  // Closed streams would be kept for priorities, as many as may be open: without end.
  nghttp2_option_set_no_closed_streams(option, 1);
  // The library would refuse an :authority that is a whole URL, which clients of etcd do send; RequestHead judges.
  nghttp2_option_set_no_http_messaging(option, 1);

  nghttp2_session* session = nullptr;
  nghttp2_must(nghttp2_session_server_new2(&session, callbacks, this, option));
  session_.reset(session);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);

  const auto setting = [](std::uint64_t value, std::uint64_t max) {
    return static_cast<std::uint32_t>(std::min(value, max));
  };
  constexpr std::uint64_t window_max = std::numeric_limits<std::int32_t>::max();
  constexpr std::uint64_t any = std::numeric_limits<std::uint32_t>::max();
  const Limits& limits = options_.limits;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, setting(limits.connection_streams_max, any)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, setting(limits.stream_window_bytes, window_max)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, setting(limits.header_bytes_max, any)},
  };
  nghttp2_must(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
  nghttp2_must(nghttp2_session_set_local_window_size(
      session, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(setting(limits.connection_window_bytes, window_max))));
}

Http2Session::~Http2Session() = default;

Http2Session::Stream& Http2Session::open_stream(std::int32_t id) {
  if (unused_.empty()) {
    streams_.push_back(std::make_unique<Stream>(options_));
    unused_.push_back(streams_.back().get());
  }
  Stream& stream = *unused_.back();
  unused_.pop_back();
  stream.id = id;
  unfinished_.heard(stream.unfinished, now_);
  ++streams_open_;
  nghttp2_must(nghttp2_session_set_stream_user_data(session_.get(), id, &stream));
  return stream;
}

Http2Session::Stream* Http2Session::find_stream(std::int32_t id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

void Http2Session::receive(BytesView bytes, Instant now, std::vector<CallEvent>& events) {
  if (gone_away_) return;
  now_ = now;
  if (!begun_at_) begun_at_ = now;
  events_ = &events;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken == NGHTTP2_ERR_FLOODED) {
    go_away(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that want an answer");
  } else if (taken < 0) {
    go_away(NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror(static_cast<int>(taken)));
  }
  events_ = nullptr;
}

void Http2Session::on_head(Stream& stream) {
  const auto demand = stream.head.judge();
  stream.head.clear();
  if (!demand) {
    refuse(stream, demand.error());
    return;
  }
  stream.demand = demand.value();
  if (stream.demand.timeout < Duration::max()) stream.deadline = now_ + stream.demand.timeout;
  // From here on the client of a unary call owes a message, that of a stream may be silent.
  if (!stream.is_stream()) return;
  unfinished_.finished(stream.unfinished);
  put_before_bulk(session_.get(), stream.id);
  stream.call = ids_.take();
  ++calls_open_;
  events_->push_back(CallOpened{stream.call, StreamId(stream.id), stream.demand.method, stream.deadline,
                                stream.demand.require_leader, stream.demand.client_version});
}

void Http2Session::on_body(Stream& stream, BytesView bytes) {
  messages_.clear();
  const auto failure = stream.reader.read(bytes, messages_);
  for (Bytes& message : messages_) {
    if (stream.is_stream()) {
      // Behind its end the client may still talk; nobody listens.
      if (!stream.answered) events_->push_back(StreamRequest{stream.call, std::move(message)});
      continue;
    }
    if (stream.message) {
      refuse(stream, {StatusCode::internal,
                      "cardinality violation: received multiple request messages for non-client-streaming RPC"});
      return;
    }
    stream.message = std::move(message);
  }
  if (stream.is_stream() && stream.reader.at_boundary()) {
    unfinished_.finished(stream.unfinished);
  } else {
    unfinished_.heard(stream.unfinished, now_);
  }
  count_received(stream);
  if (failure) refuse(stream, *failure);
}

void Http2Session::on_request_end(Stream& stream) {
  unfinished_.finished(stream.unfinished);
  if (!stream.reader.at_boundary()) {
    refuse(stream, {StatusCode::internal, "unexpected EOF"});
  } else if (stream.is_stream()) {
    if (!stream.answered) events_->push_back(StreamRequestsEnded{stream.call});
  } else if (!stream.message) {
    refuse(stream,
           {StatusCode::internal, "cardinality violation: received no request message from non-client-streaming RPC"});
  } else if (stream.deadline <= now_) {
    refuse(stream, {StatusCode::deadline_exceeded, std::string(text(ErrorCode::deadline_exceeded))});
  } else {
    stream.call = ids_.take();
    ++calls_open_;
    events_->push_back(CallReceived{stream.call, StreamId(stream.id), stream.demand.method, std::move(*stream.message),
                                    stream.deadline, stream.demand.require_leader, stream.demand.client_version});
    stream.message.reset();
    count_received(stream);
  }
}

void Http2Session::on_stream_close(Stream& stream) {
  unfinished_.finished(stream.unfinished);
  waiting_bytes_ -= stream.body.unsent_bytes();
  if (stream.call != RequestId() && !stream.answered) {
    --calls_open_;
    events_->push_back(CallCanceled{stream.call});
  }
  std::erase(draining_, &stream);
  static_cast<CallState&>(stream) = CallState();
  stream.head.clear();
  stream.reader.clear();
  stream.body.clear();
  count_received(stream);
  --streams_open_;
  unused_.push_back(&stream);
}

void Http2Session::count_received(Stream& stream) {
  const std::uint64_t bytes = stream.reader.held_bytes() + (stream.message ? stream.message->size() : 0);
  received_bytes_ += bytes - std::exchange(stream.received_bytes, bytes);
}

std::optional<Instant> Http2Session::unfinished_since() const {
  return greeted_ ? unfinished_.silent_since() : begun_at_;
}

std::uint64_t Http2Session::held_bytes() const {
  return waiting_bytes_ + received_bytes_ + streams_.size() * stream_bytes;
}

std::size_t Http2Session::waiting_frames() const { return nghttp2_session_get_outbound_queue_size(session_.get()); }

void Http2Session::on_ping() {
  // Source: grpc-go, handlePing.
  const std::optional<Instant> previous = std::exchange(last_ping_at_, now_);
  if (std::exchange(sent_since_ping_, false)) {
    ping_strikes_ = 0;
    return;
  }
  const Duration interval_min = streams_open_ > 0 ? options_.keepalive_min_time : ping_interval_idle;
  if (previous && now_ < *previous + interval_min) ++ping_strikes_;
  if (ping_strikes_ > ping_strikes_max) go_away(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

void Http2Session::on_reset() {
  if (!resets_.take(now_)) go_away(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_resets");
}

void Http2Session::refuse(Stream& stream, const Failure& failure) {
  unfinished_.finished(stream.unfinished);
  stream.refused = true;
  if (stream.call != RequestId() && !stream.answered) {
    --calls_open_;
    stream.answered = true;
    events_->push_back(CallCanceled{stream.call});
  }
  // A well ended answer stays what it is.
  if (!stream.finished) end_answer(stream, failure);
}

void Http2Session::begin_answer(Stream& stream) {
  stream.answering = true;
  const nghttp2_nv headers[] = {header(":status", "200", uncopied),
                                header("content-type", "application/grpc", uncopied)};
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::read_body;
  nghttp2_must(nghttp2_submit_response(session_.get(), stream.id, headers, std::size(headers), &provider));
}

void Http2Session::end_answer(Stream& stream, const Failure& status) {
  stream.finished = true;
  stream.status = status;
  if (stream.answering) {
    resume(stream);
    return;
  }
  stream.answering = true;
  const std::string http_status = std::to_string(status.http_status);
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string message = percent_encode(status.text);
  const nghttp2_nv headers[] = {
      header(":status", http_status, NGHTTP2_NV_FLAG_NONE), header("content-type", "application/grpc", uncopied),
      header("grpc-status", code, NGHTTP2_NV_FLAG_NONE),    header("grpc-message", message, NGHTTP2_NV_FLAG_NONE),
      header("grpc-accept-encoding", "identity", uncopied),
  };
  nghttp2_must(nghttp2_submit_response(session_.get(), stream.id, headers, std::size(headers), nullptr));
}

void Http2Session::resume(Stream& stream) {
  // It fails if the data is not deferred: then it is on its way already.
  const int result = nghttp2_session_resume_data(session_.get(), stream.id);
  ASSERT(result == 0 || result == NGHTTP2_ERR_INVALID_ARGUMENT);
}

Http2Session::Stream& Http2Session::call_on(StreamId id) {
  Stream* stream = find_stream(id.value());
  ASSERT(stream != nullptr);
  ASSERT(stream->call != RequestId());
  ASSERT(!stream->answered);
  return *stream;
}

void Http2Session::send(StreamId id, std::uint64_t message_bytes, std::vector<Bytes> parts) {
  Stream& stream = call_on(id);
  stream.in_chunks = true;
  waiting_bytes_ -= stream.body.unsent_bytes();
  if (message_bytes > 0) stream.body.begin_message(message_bytes);
  for (Bytes& part : parts) stream.body.add(std::move(part));
  waiting_bytes_ += stream.body.unsent_bytes();
  if (!stream.answering) {
    begin_answer(stream);
  } else {
    resume(stream);
  }
}

void Http2Session::finish(StreamId id) {
  Stream& stream = call_on(id);
  ASSERT(stream.body.is_complete());
  --calls_open_;
  stream.answered = true;
  end_answer(stream, {StatusCode::ok, {}});
}

void Http2Session::reply(StreamId id, Bytes message) {
  Stream& stream = call_on(id);
  --calls_open_;
  stream.answered = true;
  stream.body.begin_message(message.size());
  if (!message.empty()) stream.body.add(std::move(message));
  waiting_bytes_ += stream.body.unsent_bytes();
  stream.finished = true;
  begin_answer(stream);
}

void Http2Session::fail(StreamId id, const Failure& failure) {
  Stream& stream = call_on(id);
  --calls_open_;
  stream.answered = true;
  stream.refused = true;
  end_answer(stream, failure);
}

void Http2Session::cancel_calls(std::vector<CallEvent>& events) {
  for (const auto& stream : streams_) {
    if (stream->call == RequestId() || stream->answered) continue;
    --calls_open_;
    stream->answered = true;
    events.push_back(CallCanceled{stream->call});
  }
}

void Http2Session::close(std::vector<CallEvent>& events) {
  cancel_calls(events);
  gone_away_ = true;
  all_written_ = true;
}

void Http2Session::write_to(std::string& out, std::size_t bytes, std::vector<CallEvent>& events) {
  out_ = &out;
  out_bytes_max_ = out.size() + bytes;
  events_ = &events;
  while (out.size() < out_bytes_max_) {
    const std::uint8_t* data = nullptr;
    const std::size_t before = out.size();
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
    ASSERT(size >= 0);
    out.append(text_of(data, static_cast<std::size_t>(size)));
    if (out.size() == before) {
      all_written_ = gone_away_;
      break;
    }
  }
  for (Stream* stream : std::exchange(draining_, {})) {
    const std::uint64_t drained = std::exchange(stream->drained_bytes, 0);
    if (!stream->answered) events.push_back(StreamDrained{stream->call, drained});
  }
  out_ = nullptr;
  events_ = nullptr;
}

void Http2Session::begin_shutdown() {
  if (gone_away_) return;
  nghttp2_must(nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                                     nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR, nullptr,
                                     0));
}

void Http2Session::go_away(std::uint32_t http2_error, std::string_view reason) {
  if (gone_away_) return;
  gone_away_ = true;
  // Now, and not as the streams close: what the library reads after this depends on how the bytes were cut.
  if (events_ != nullptr) cancel_calls(*events_);
  nghttp2_must(nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                                     nghttp2_session_get_last_proc_stream_id(session_.get()), http2_error,
                                     reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size()));
}

void Http2Session::refuse_all(std::string_view reason) { go_away(NGHTTP2_ENHANCE_YOUR_CALM, reason); }

void Http2Session::send_ping() { nghttp2_must(nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr)); }

bool Http2Session::finished() const {
  if (gone_away_) return all_written_;
  return nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0;
}

}  // namespace metastore::api
