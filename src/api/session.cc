#include "api/session.h"

#include <algorithm>
#include <utility>

#include "api/gateway.h"
#include "core/base/assert.h"
#include "core/base/overloaded.h"

namespace metastore::api {
namespace {

/// What every HTTP/2 client says first and no HTTP/1 client can (RFC 9113, 3.4).
constexpr std::string_view http2_greeting = "PRI * HTTP/2.0\r\n";

constexpr std::string_view too_many_connections = "too many connections";
constexpr std::string_view pages_alone = "only pages of metrics and health are served here, over HTTP/1.1";

/// One frame's worth: whoever waits for no more delays nobody.
constexpr std::uint64_t bulky_bytes = 16'384;

/// What a request costs at least, and any share of a client that has not asked anything yet, in bytes read.
constexpr std::uint64_t request_bytes = 256;
constexpr std::uint64_t stranger_bytes = 1'024;

std::uint64_t message_bytes(const CallEvent& event) {
  const auto* call = std::get_if<CallReceived>(&event);
  const auto* request = std::get_if<StreamRequest>(&event);
  return call != nullptr ? call->message.size() : request != nullptr ? request->message.size() : 0;
}

}  // namespace

Session::Session(Gateway& gateway, port::Loop& loop, const SessionOptions& options, std::uint64_t number,
                 Admission admission, std::unique_ptr<port::Connection> connection)
    : gateway_(gateway),
      loop_(loop),
      options_(options),
      number_(number),
      admission_(admission),
      connection_(std::move(connection)),
      share_(options.limits.turn_requests),
      heard_at_(loop.now()) {
  connection_->set_user(*this);
  const Duration patience = admission == Admission::refused ? options.closing_timeout : options.client_deadline();
  loop_.run_at(*this, heard_at_ + patience);
}

Session::~Session() { loop_.cancel(*this); }

void Session::on_bytes(BytesView bytes) {
  heard_at_ = loop_.now();
  if (closing_ || gone_) return;
  if (!has_more() && gateway_.admits(*this, bytes.size())) {
    receive(bytes);
  } else {
    unread_.append(bytes);
    gateway_.queue(*this, Gateway::Words::fresh);
  }
  gateway_.touch(*this);
}

void Session::receive(BytesView bytes) {
  if (auto* opening = std::get_if<Opening>(&protocol_)) {
    opening->bytes.append(bytes);
    const std::size_t compared = std::min(opening->bytes.size(), http2_greeting.size());
    const bool greets = http2_greeting.starts_with(std::string_view(opening->bytes).substr(0, compared));
    if (greets && compared < http2_greeting.size()) return;
    open(std::exchange(opening->bytes, {}));
  } else if (auto* http2 = std::get_if<Http2Session>(&protocol_)) {
    http2->receive(bytes, heard_at_, events_);
    dispatch_events();
  } else {
    std::get<Http1Session>(protocol_).receive(bytes);
    dispatch_requests();
  }
}

std::uint64_t Session::take(std::uint64_t bytes_max) {
  if (gone_ || closing_) return 0;
  share_ = options_.limits.turn_requests;
  ask_more();
  std::uint64_t bytes = 0;
  if (asked_.empty() && !unread_.empty()) {
    bytes = std::min<std::uint64_t>(bytes_max, unread_.size() - unread_at_);
    receive(BytesView(unread_).substr(unread_at_, bytes));
    unread_at_ += bytes;
  }
  if (unread_at_ == unread_.size()) {
    unread_.clear();
    unread_at_ = 0;
  }
  gateway_.touch(*this);
  const std::uint64_t requests = options_.limits.turn_requests - share_;
  return std::max({bytes, requests * request_bytes, is_known_ ? 0 : stranger_bytes});
}

void Session::open(std::string bytes) {
  const bool refused = admission_ == Admission::refused;
  if (!refused) set_timer();
  if (bytes.starts_with(http2_greeting)) {
    auto& http2 = protocol_.emplace<Http2Session>(options_, gateway_.ids());
    if (refused) http2.refuse_all(too_many_connections);
    if (admission_ == Admission::pages) http2.refuse_all(pages_alone);
    http2.receive(bytes, heard_at_, events_);
    dispatch_events();
    return;
  }
  auto& http1 = protocol_.emplace<Http1Session>(options_);
  if (refused) http1.reject(503, too_many_connections);
  http1.receive(bytes);
  dispatch_requests();
}

void Session::dispatch_events() {
  // What is asked may wait for its turn, what is no longer wanted and what was taken must not.
  const Overloaded dispatch{
      [this](const CallCanceled& call) {
        gateway_.on_cancel(call.id);
        return true;
      },
      [this](const StreamDrained& event) {
        gateway_.on_drained(event);
        return true;
      },
      [this](const CallReceived& call) {
        gateway_.expect_call(*this, call);
        return false;
      },
      [this](const CallOpened& call) {
        gateway_.expect_stream(*this, call);
        return false;
      },
      [](const auto&) { return false; },
  };
  for (CallEvent& event : events_) {
    if (std::visit(dispatch, event)) continue;
    if (asked_.empty() && share_ > 0) {
      --share_;
      ask(event);
    } else {
      held_message_bytes_ += message_bytes(event);
      asked_.push_back(std::move(event));
      gateway_.queue(*this, Gateway::Words::left_over);
    }
  }
  events_.clear();
}

void Session::ask(CallEvent& event) {
  is_known_ = true;
  const Overloaded visitor{
      [this](CallReceived& call) { gateway_.on_call(*this, std::move(call)); },
      [this](const CallOpened& call) { gateway_.on_opened(call); },
      [this](StreamRequest& request) { gateway_.on_stream_request(std::move(request)); },
      [this](const StreamRequestsEnded& end) { gateway_.on_stream_requests_ended(end); },
      [](const auto&) { UNREACHABLE(); },
  };
  std::visit(visitor, event);
}

void Session::ask_more() {
  while (!asked_.empty() && (gone_ || closing_ || share_ > 0)) {
    if (share_ > 0) --share_;
    held_message_bytes_ -= message_bytes(asked_.front());
    ask(asked_.front());
    asked_.pop_front();
  }
}

void Session::dispatch_requests() {
  auto& http1 = std::get<Http1Session>(protocol_);
  while (auto request = http1.next()) {
    unfinished_since_.reset();
    is_known_ = true;
    gateway_.on_request(*this, *request);
  }
  if (!http1.request_unfinished()) {
    unfinished_since_.reset();
  } else if (!unfinished_since_) {
    unfinished_since_ = loop_.now();
  }
}

bool Session::holds_calls() const {
  const auto* http2 = std::get_if<Http2Session>(&protocol_);
  if (http2 == nullptr || gone_ || closing_) return false;
  return !held_.empty() || http2->waiting_bytes() > options_.limits.connection_reply_bytes_max;
}

void Session::hold(CallReceived call) {
  held_message_bytes_ += call.message.size();
  held_.push_back(std::move(call));
}

std::uint64_t Session::held_bytes() const {
  const auto* http2 = std::get_if<Http2Session>(&protocol_);
  return held_message_bytes_ + unread_.size() + written_bytes_ + (http2 == nullptr ? 0 : http2->held_bytes());
}

void Session::release_calls() {
  const auto& http2 = std::get<Http2Session>(protocol_);
  while (!held_.empty() && (gone_ || closing_ || http2.waiting_bytes() <= options_.limits.connection_reply_bytes_max)) {
    held_message_bytes_ -= held_.front().message.size();
    gateway_.release(*this, std::move(held_.front()));
    held_.pop_front();
  }
}

void Session::reply(StreamId stream, Bytes message) {
  std::get<Http2Session>(protocol_).reply(stream, std::move(message));
  gateway_.touch(*this);
}

void Session::fail(StreamId stream, const Failure& failure) {
  std::get<Http2Session>(protocol_).fail(stream, failure);
  gateway_.touch(*this);
}

void Session::send(StreamId stream, std::uint64_t message_bytes, std::vector<Bytes> parts) {
  std::get<Http2Session>(protocol_).send(stream, message_bytes, std::move(parts));
  gateway_.touch(*this);
}

void Session::finish(StreamId stream) {
  std::get<Http2Session>(protocol_).finish(stream);
  gateway_.touch(*this);
}

void Session::respond(const HttpResponse& response) {
  std::get<Http1Session>(protocol_).respond(response);
  gateway_.touch(*this);
}

bool Session::is_bulky() const {
  const auto* http2 = std::get_if<Http2Session>(&protocol_);
  return http2 != nullptr && !gone_ && !closing_ && !writing_ && http2->waiting_bytes() > bulky_bytes;
}

std::uint64_t Session::flush(std::uint64_t bytes_max) {
  if (gone_ || closing_) return 0;
  std::uint64_t written_bytes = 0;
  share_ = options_.limits.turn_requests;
  if (std::holds_alternative<Http1Session>(protocol_)) dispatch_requests();
  if (!writing_) {
    std::string out;
    if (auto* http2 = std::get_if<Http2Session>(&protocol_)) {
      const std::uint64_t waited_bytes = http2->waiting_bytes();
      const std::uint64_t bytes =
          std::min({bytes_max, options_.limits.connection_write_bytes, options_.limits.connection_send_bytes_max});
      // With room for what stands around the messages and for a last frame beyond, which must not make all of it move.
      out.reserve(std::min(waited_bytes + waited_bytes / 64 + 256, bytes + 32'768));
      http2->write_to(out, bytes, events_);
      writes_replies_ = http2->waiting_bytes() < waited_bytes;
      dispatch_events();
      release_calls();
    } else if (auto* http1 = std::get_if<Http1Session>(&protocol_)) {
      http1->write_to(out);
    }
    if (!out.empty()) {
      writing_ = true;
      written_bytes = written_bytes_ = out.size();
      connection_->write(std::move(out));
    } else if (protocol_finished()) {
      closing_ = true;
      unread_.clear();
      cancel_calls();
      loop_.run_at(*this, loop_.now() + options_.closing_timeout);
      connection_->shut_down();
    }
  }
  update_reading();
  update_owed();
  return written_bytes;
}

void Session::update_owed() {
  const auto* http2 = std::get_if<Http2Session>(&protocol_);
  if (!writing_ && (http2 == nullptr || http2->waiting_bytes() == 0)) {
    owed_since_.reset();
  } else if (!owed_since_) {
    owed_since_ = loop_.now();
  }
}

bool Session::protocol_finished() const {
  if (const auto* http2 = std::get_if<Http2Session>(&protocol_)) return http2->finished();
  if (const auto* http1 = std::get_if<Http1Session>(&protocol_)) return http1->finished();
  return false;
}

void Session::update_reading() {
  // A reply that waits for the client's flow control must not stop us from reading its WINDOW_UPDATE, so HTTP/2 pauses
  // only behind a write that the socket does not take.
  const std::uint64_t bytes_max = options_.limits.connection_send_bytes_max;
  bool paused = false;
  if (const auto* http2 = std::get_if<Http2Session>(&protocol_)) {
    paused = writing_ &&
             (http2->waiting_bytes() > bytes_max || http2->waiting_frames() > options_.limits.connection_frames_max);
  }
  if (const auto* http1 = std::get_if<Http1Session>(&protocol_)) paused = http1->waiting_bytes() > bytes_max;
  paused |= has_more();
  if (paused == reading_paused_) return;
  reading_paused_ = paused;
  connection_->pause_reading(paused);
}

void Session::on_drained() {
  writing_ = false;
  written_bytes_ = 0;
  // A client that takes nothing but acknowledgements of its own frames does not take what it asked for.
  const auto* http2 = std::get_if<Http2Session>(&protocol_);
  if (writes_replies_ || http2 == nullptr || http2->waiting_bytes() == 0) owed_since_.reset();
  gateway_.touch(*this);
}

void Session::on_closed() { drop(); }

void Session::begin_shutdown() {
  if (std::holds_alternative<Opening>(protocol_)) {
    drop();
    return;
  }
  if (auto* http2 = std::get_if<Http2Session>(&protocol_)) http2->begin_shutdown();
  if (auto* http1 = std::get_if<Http1Session>(&protocol_)) http1->begin_shutdown();
  gateway_.touch(*this);
}

bool Session::idle() const {
  if (gone_ || closing_) return true;
  if (writing_) return false;
  if (const auto* http2 = std::get_if<Http2Session>(&protocol_)) {
    return http2->calls_open() == 0 && http2->waiting_bytes() == 0 && !waits_for_flush;
  }
  if (const auto* http1 = std::get_if<Http1Session>(&protocol_)) return !http1->request_open() && !waits_for_flush;
  return true;
}

Instant Session::too_slow_at() const {
  const auto* http2 = std::get_if<Http2Session>(&protocol_);
  const std::optional<Instant> unfinished = http2 != nullptr ? http2->unfinished_since() : unfinished_since_;
  return std::min(unfinished.value_or(Instant::never()), owed_since_.value_or(Instant::never())) +
         options_.client_deadline();
}

void Session::set_timer() {
  // What begins after this glance cannot be overdue before the next one.
  const Instant glance = loop_.now() + options_.client_deadline();
  const Instant silent =
      pinged_at_ ? *pinged_at_ + options_.keepalive_timeout : heard_at_ + options_.keepalive_interval;
  loop_.run_at(*this, std::min({glance, too_slow_at(), silent}));
}

void Session::run() {
  const Instant now = loop_.now();
  if (closing_ || admission_ == Admission::refused || std::holds_alternative<Opening>(protocol_) ||
      now >= too_slow_at()) {
    drop();
    return;
  }
  // Source: grpc-go's server keepalive.
  if (pinged_at_ && heard_at_ >= *pinged_at_) pinged_at_.reset();
  if (pinged_at_ ? now >= *pinged_at_ + options_.keepalive_timeout : now >= heard_at_ + options_.keepalive_interval) {
    auto* http2 = std::get_if<Http2Session>(&protocol_);
    if (pinged_at_ || http2 == nullptr) {
      drop();
      return;
    }
    pinged_at_ = now;
    http2->send_ping();
    gateway_.touch(*this);
  }
  set_timer();
}

void Session::drop() {
  if (gone_) return;
  gone_ = true;
  unread_.clear();
  loop_.cancel(*this);
  cancel_calls();
  gateway_.touch(*this);
}

void Session::cancel_calls() {
  if (auto* http2 = std::get_if<Http2Session>(&protocol_)) {
    http2->close(events_);
    dispatch_events();
    ask_more();
    release_calls();
  } else if (auto* http1 = std::get_if<Http1Session>(&protocol_); http1 != nullptr && http1->request_open()) {
    gateway_.on_cancel(*this);
  }
}

}  // namespace metastore::api
