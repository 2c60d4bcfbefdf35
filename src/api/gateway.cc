#include "api/gateway.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/assert.h"

namespace metastore::api {
namespace {

/// A client that has just said something little is taken to wait for an answer, and to say more behind it.
constexpr Duration talking = Duration::milliseconds(10);
/// Meanwhile the others say so many bytes at once: its next word may have to wait for theirs.
constexpr std::uint64_t share_bytes = 1'024;
/// How far back what they might have said is made up for: a turn that lasts long must not silence them.
constexpr Duration share_credit = Duration::milliseconds(4);

Failure failure_of(ErrorCode code) { return {status_code(code), std::string(text(code))}; }

}  // namespace

Gateway::Gateway(const SessionOptions& options, port::Loop& loop, port::Inbox& inbox, const port::MemberFacts& facts)
    : options_(options),
      loop_(loop),
      inbox_(inbox),
      facts_(facts),
      holder_bytes_(options.limits.clients_bytes_max /
                    (options.limits.connections_max + options.limits.connections_refused_max)) {}

Gateway::~Gateway() { loop_.cancel(*this); }

void Gateway::accept(std::unique_ptr<port::Connection> connection, Admission admission) {
  if (shutting_down_) return;
  const bool full = sessions_.size() - sessions_refused_ >= options_.limits.connections_max;
  if (full && sessions_refused_ >= options_.limits.connections_refused_max) return;
  if (full) ++sessions_refused_;
  const std::uint64_t number = ++session_last_;
  sessions_.emplace(number, std::make_unique<Session>(*this, loop_, options_, number,
                                                      full ? Admission::refused : admission, std::move(connection)));
}

void Gateway::expect_call(Session& session, const CallReceived& call) {
  expect(session, call);
  counts_.calls.received(call.method, call.message.size());
}

void Gateway::expect_stream(Session& session, const CallOpened& call) {
  // It may stay for long, so it keeps no place among those that are answered in nearly their order.
  expect(session, call);
  streams_.emplace(call.id, settle(call.id));
}

void Gateway::on_call(Session& session, CallReceived call) {
  if (posted(call.id).session == nullptr) {
    settle(call.id);
    return;
  }
  if (call.require_leader && !facts_.has_leader()) {
    // Not at once: the bytes that brought the call may have canceled it too, which is told next.
    refused_.push_back({call.id, ErrorCode::no_leader});
    touch(session);
    return;
  }
  if (session.holds_calls()) {
    session.hold(std::move(call));
    return;
  }
  release(session, std::move(call));
}

void Gateway::on_opened(const CallOpened& call) {
  const auto found = streams_.find(call.id);
  if (found == streams_.end()) return;
  found->second.known = true;
  inbox_.post(StreamOpened{call.id, call.method, call.deadline, call.require_leader});
}

void Gateway::on_stream_request(StreamRequest request) {
  const auto found = streams_.find(request.id);
  if (found == streams_.end()) return;
  counts_.calls.received(found->second.method, request.message.size());
  inbox_.post(std::move(request));
}

void Gateway::on_stream_requests_ended(const StreamRequestsEnded& end) {
  if (streams_.contains(end.id)) inbox_.post(end);
}

void Gateway::release(Session& session, CallReceived call) {
  Posted& request = posted(call.id);
  if (request.session == nullptr) {
    settle(call.id);
    return;
  }
  if (posted_bytes_ + call.message.size() > options_.limits.clients_bytes_max) {
    refused_.push_back({call.id, ErrorCode::too_many_requests});
    touch(session);
    return;
  }
  request.bytes = call.message.size();
  posted_bytes_ += request.bytes;
  const WallTime asked_at = call.method == kv::Method::member_add ? loop_.wall_now() : WallTime();
  inbox_.post(ClientRequest{call.id, call.method, std::move(call.message), call.deadline, asked_at});
}

void Gateway::on_request(Session& session, const HttpRequest& request) {
  auto checkup = Checkup::begin(request.target, facts_);
  const std::string_view path = path_of(request.target);
  const bool is_version = path == "/version" && session.admission() != Admission::pages;
  const bool is_metrics = path == "/metrics";
  if (!checkup.has_value() && !is_version && !is_metrics) {
    session.respond(not_found());
  } else if (request.method != "GET") {
    session.respond(method_not_allowed());
  } else if (is_version) {
    session.respond(version_response(facts_.versions()));
  } else if (is_metrics) {
    session.respond(metrics_response(facts_.metrics()));
    ++counts_.scrapes;
  } else {
    go_on(session, *std::move(checkup));
  }
}

void Gateway::go_on(Session& session, Checkup checkup) {
  if (const auto probe = checkup.next_probe()) {
    const RequestId id = ids_.take();
    expect(id, session, StreamId(), kv::Method::range);
    checkups_.insert_or_assign(id, std::move(checkup));
    inbox_.post(ClientRequest{id, kv::Method::range, *probe, Instant::never()});
    return;
  }
  checkup.count(counts_.health);
  session.respond(checkup.response());
}

template <typename Call>
void Gateway::expect(Session& session, const Call& call) {
  expect(call.id, session, call.stream, call.method);
  counts_.calls.started(call.method, call.client_version);
}

void Gateway::count_handled(const Posted& call, StatusCode status) {
  counts_.calls.handled(call.method, status, loop_.now() - call.began);
}

void Gateway::expect(RequestId id, Session& session, StreamId stream, kv::Method method) {
  ASSERT(id == posted_first_.plus(posted_.size()));
  posted_.push_back({.session = &session, .stream = stream, .method = method, .began = loop_.now()});
}

Gateway::Posted& Gateway::posted(RequestId id) {
  ASSERT(id >= posted_first_);
  ASSERT(id < posted_first_.plus(posted_.size()));
  return posted_[id.value() - posted_first_.value()];
}

Gateway::Posted Gateway::settle(RequestId id) {
  Posted& request = posted(id);
  ASSERT(!request.answered);
  request.answered = true;
  posted_bytes_ -= request.bytes;
  const Posted settled = request;
  while (!posted_.empty() && posted_.front().answered) {
    posted_.pop_front();
    posted_first_ = posted_first_.next();
  }
  return settled;
}

void Gateway::on_cancel(RequestId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    posted(id).session = nullptr;
    return count_handled(posted(id), StatusCode::canceled);
  }
  const Posted stream = found->second;
  count_handled(stream, StatusCode::canceled);
  streams_.erase(found);
  if (stream.known) inbox_.post(StreamClosed{id});
}

void Gateway::on_cancel(Session& session) {
  for (Posted& request : posted_) {
    if (request.session == &session) request.session = nullptr;
  }
}

Gateway::Posted* Gateway::listener(RequestId id) {
  if (const auto found = streams_.find(id); found != streams_.end()) return &found->second;
  // A stream that is not found was closed by its client while this was under way.
  if (id < posted_first_ || posted(id).answered) return nullptr;
  Posted call = settle(id);
  call.known = true;
  if (call.session != nullptr) return &streams_.emplace(id, call).first->second;
  inbox_.post(StreamClosed{id});
  return nullptr;
}

void Gateway::stream(std::vector<Chunk> chunks, std::vector<StreamEnd> ends) {
  for (Chunk& chunk : chunks) {
    const Posted* call = listener(chunk.id);
    if (call == nullptr) continue;
    if (chunk.message_bytes > 0) counts_.calls.sent(call->method, chunk.message_bytes);
    call->session->send(call->stream, chunk.message_bytes, std::move(chunk.parts));
  }
  for (const StreamEnd& end : ends) {
    const auto found = streams_.find(end.id);
    if (found == streams_.end()) continue;
    const Posted stream = found->second;
    streams_.erase(found);
    count_handled(stream, end.error.has_value() ? status_code(*end.error) : StatusCode::ok);
    if (end.error.has_value()) {
      stream.session->fail(stream.stream, failure_of(*end.error));
    } else {
      stream.session->finish(stream.stream);
    }
  }
}

void Gateway::reply(std::vector<Reply> replies) {
  for (Reply& reply : replies) {
    const Posted request = settle(reply.id);
    auto checkup = checkups_.extract(reply.id);
    if (request.session == nullptr) continue;
    auto* message = std::get_if<Bytes>(&reply.result);
    const auto* error = std::get_if<ErrorCode>(&reply.result);
    if (request.stream == StreamId()) {
      checkup.mapped().on_answer(error == nullptr ? std::nullopt : std::optional(text(*error)));
      go_on(*request.session, std::move(checkup.mapped()));
      continue;
    }
    count_handled(request, error == nullptr ? StatusCode::ok : status_code(*error));
    if (error != nullptr) {
      request.session->fail(request.stream, failure_of(*error));
    } else {
      counts_.calls.sent(request.method, message->size());
      request.session->reply(request.stream, std::move(*message));
    }
  }
}

bool Gateway::admits(const Session& session, std::uint64_t bytes) {
  if (!session.is_known() || bytes > options_.limits.light_read_bytes) {
    const bool has_room = fresh_.empty() && left_over_.empty() && turn_bytes_ < options_.limits.turn_read_bytes;
    if (!has_room || yields(session)) return false;
    turn_bytes_ += bytes;
    return true;
  }
  if (session.number() != light_.number) light_ = {.number = session.number(), .others_at = light_.at};
  light_.at = loop_.now();
  return true;
}

bool Gateway::yields(const Session& session) const {
  return loop_.now() < (session.number() == light_.number ? light_.others_at : light_.at) + talking;
}

void Gateway::queue(Session& session, Words words) {
  if (session.waits_for_share) return;
  session.waits_for_share = true;
  words == Words::fresh ? fresh_.push_back(session.number()) : left_over_.push_back(session.number());
  loop_.run_soon(*this);
}

void Gateway::share_turn() {
  const Instant now = loop_.now();
  Instant next = now;
  std::uint64_t taken = std::exchange(turn_bytes_, 0);
  for (std::size_t waiting = fresh_.size() + left_over_.size(); waiting > 0; --waiting) {
    const bool is_fresh = !fresh_.empty() && (left_over_.empty() || fresh_is_next_);
    const auto found = sessions_.find(is_fresh ? fresh_.back() : left_over_.front());
    const bool has_share = found != sessions_.end() && yields(*found->second);
    if (has_share) next = share_at_;
    if (has_share ? now < share_at_ : taken >= options_.limits.turn_read_bytes) break;
    is_fresh ? fresh_.pop_back() : left_over_.pop_front();
    fresh_is_next_ = !is_fresh;
    if (found == sessions_.end()) continue;
    Session& session = *found->second;
    session.waits_for_share = false;
    const std::uint64_t bytes = session.take(has_share ? share_bytes : options_.limits.turn_read_bytes - taken);
    const Duration paid = Duration::nanoseconds(bytes * 1'000'000 / options_.limits.others_read_bytes);
    if (has_share) share_at_ = std::max(share_at_, now - share_credit) + paid;
    if (!has_share) taken += bytes;
    if (session.has_more()) queue(session, Words::left_over);
  }
  if (fresh_.empty() && left_over_.empty()) return;
  return now < next ? loop_.run_at(*this, next) : loop_.run_soon(*this);
}

void Gateway::touch(Session& session) {
  if (session.waits_for_flush) return;
  session.waits_for_flush = true;
  touched_.push_back(&session);
  loop_.run_soon(*this);
}

void Gateway::run() {
  if (!refused_.empty()) reply(std::exchange(refused_, {}));
  share_turn();
  flushed_.clear();
  flushed_.swap(touched_);
  bulky_.clear();
  // Those with little to send go first; of the others as many as the turn bears, and the rest in the next.
  for (Session* session : flushed_) {
    if (session->is_bulky()) {
      bulky_.push_back(session);
    } else {
      flush(*session, options_.limits.connection_write_bytes);
    }
  }
  std::uint64_t bytes = options_.limits.turn_write_bytes;
  for (Session* session : bulky_) {
    if (bytes > 0) {
      bytes -= std::min(bytes, flush(*session, bytes));
    } else {
      touched_.push_back(session);
      loop_.run_soon(*this);
    }
  }
  keep_budget();
}

std::uint64_t Gateway::flush(Session& session, std::uint64_t bytes_max) {
  session.waits_for_flush = false;
  const std::uint64_t written_bytes = session.flush(bytes_max);
  count(session, session.gone() ? 0 : session.held_bytes());
  if (session.gone()) {
    // A connection ends by a callback, and none comes from within the flush: nobody else points to this session now.
    ASSERT(!session.waits_for_flush);
    if (session.admission() == Admission::refused) --sessions_refused_;
    sessions_.erase(session.number());
  }
  return written_bytes;
}

void Gateway::count(Session& session, std::uint64_t bytes) {
  if (bytes == session.counted_bytes) return;
  held_bytes_ += bytes - session.counted_bytes;
  if (session.counted_bytes > holder_bytes_) holders_.erase({session.counted_bytes, session.number()});
  if (bytes > holder_bytes_) holders_.emplace(bytes, session.number());
  session.counted_bytes = bytes;
}

void Gateway::keep_budget() {
  while (held_bytes_ > options_.limits.clients_bytes_max) {
    Session& session = *sessions_.at(holders_.rbegin()->second);
    count(session, 0);
    session.expel();
  }
}

void Gateway::serve() {
  for (const auto& listener : listeners_) listener->accept();
}

void Gateway::begin_shutdown() {
  listeners_.clear();
  shutting_down_ = true;
  for (const auto& [number, session] : sessions_) session->begin_shutdown();
}

bool Gateway::idle() const {
  return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& entry) { return entry.second->idle(); });
}

}  // namespace metastore::api
