#include "sim/watcher.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "sim/door.h"
#include "sim/wire.h"

namespace metastore::sim {
namespace {

constexpr Duration final_pause = Duration::milliseconds(20);

}  // namespace

Watcher::Watcher(Stage& stage, Door& door, std::uint64_t id)
    : stage_(stage),
      door_(door),
      name_("watcher " + std::to_string(id)),
      prng_(stage.plan.seed, name_),
      turn_(stage.world.after(prng_.between(Duration(), stage.plan.think_max), *this)) {}

Watcher::~Watcher() {
  stage_.world.cancel(turn_);
  if (stream_.has_value()) door_.forget(*stream_);
}

void Watcher::run() {
  const Duration pause = stage_.is_final ? final_pause : std::max(stage_.plan.think_max * 4, final_pause);
  turn_ = stage_.world.after(prng_.between(Duration::microseconds(1), pause), *this);
  if (!door_.is_open()) return;
  if (!stream_.has_value()) {
    open();
  } else {
    act();
  }
}

WatchSession Watcher::draw_session() {
  WatchSession session{.opened = stage_.world.now(), .keys = all_keys()};
  const auto key = [&] { return "key/" + std::to_string(prng_.below(stage_.plan.keys)); };
  if (prng_.chance(1, 3)) session.keys = {key(), ""};
  if (prng_.chance(1, 4)) session.keys = {key(), std::string(1, '\0')};
  const std::int64_t newest = stage_.history.newest_revision();
  if (resume_at_.has_value() && prng_.chance(2, 3)) {
    session.asked_start = *resume_at_;
  } else if (prng_.chance(1, 2)) {
    session.asked_start = prng_.between(std::int64_t{1}, newest + 3);
  }
  if (stage_.is_final && session.asked_start > newest) session.asked_start = 0;
  session.wants_previous = prng_.chance(1, 2);
  session.without_puts = prng_.chance(1, 8);
  session.without_deletes = prng_.chance(1, 8);
  return session;
}

void Watcher::open() {
  session_ = &stage_.judge.begin_watch(draw_session());
  is_slow_ = false;
  bytes_.clear();
  message_bytes_ = 0;
  message_bytes_max_ = 0;
  undrained_bytes_ = 0;
  responses_ = 0;
  stream_ = door_.open_watch(*this);
  door_.post(StreamRequest{*stream_, Bytes::copy_of(encode_watch(*session_))});
}

void Watcher::act() {
  if (!session_->is_open) return close();
  if (stage_.is_final) {
    // One that waits for the future is never told of progress.
    if (session_->asked_start > stage_.history.newest_revision() + 1) return close();
    is_slow_ = false;
    if (!has_concluded()) door_.post(StreamRequest{*stream_, Bytes::copy_of(encode_progress_request())});
  } else if (prng_.chance(1, 40)) {
    return close();
  } else if (prng_.chance(1, 20)) {
    is_slow_ = !is_slow_;
  } else if (prng_.chance(1, 20)) {
    door_.post(StreamRequest{*stream_, Bytes::copy_of(encode_progress_request())});
  }
  if (!is_slow_) drain();
}

void Watcher::drain() {
  if (undrained_bytes_ == 0) return;
  door_.post(StreamDrained{*stream_, std::exchange(undrained_bytes_, 0)});
}

void Watcher::close() {
  door_.forget(*stream_);
  door_.post(StreamClosed{*stream_});
  on_end();
}

void Watcher::on_end() {
  session_->is_open = false;
  if (session_->created_revision != 0 && !session_->compact_revision.has_value()) resume_at_ = session_->next();
  stream_.reset();
  session_ = nullptr;
  told_up_to_ = 0;
}

void Watcher::on_chunk(const Chunk& chunk) {
  if (chunk.message_bytes > 0) {
    if (!bytes_.empty()) stage_.judge.fail({"protocol", stage_.world.now(), name_ + ": a message was not completed"});
    message_bytes_ = chunk.message_bytes;
    message_bytes_max_ = std::max(message_bytes_max_, message_bytes_);
  }
  for (const Bytes& part : chunk.parts) {
    bytes_ += part.view();
    undrained_bytes_ += part.size();
  }
  // What the member sends ahead is bounded, but for the message that crosses the line, and the word that it is over.
  constexpr std::uint64_t word_bytes = 100;
  if (undrained_bytes_ > stage_.plan.limits.stream_credit_bytes + message_bytes_max_ + word_bytes) {
    stage_.judge.fail({"O10", stage_.world.now(), name_ + " was sent more than it has credit for"});
  }
  if (bytes_.size() < message_bytes_) return;
  const auto message = decode_watch_message(bytes_);
  bytes_.clear();
  if (!message.has_value()) {
    return stage_.judge.fail({"protocol", stage_.world.now(), name_ + ": a response that does not decode"});
  }
  on_message(*message);
}

void Watcher::on_message(const WatchMessage& message) {
  ++responses_;
  const auto wrong = [&](const std::string& what) {
    stage_.judge.fail({"O5", stage_.world.now(), name_ + ": " + what});
  };
  if (message.is_created) {
    if (responses_ != 1) return wrong("created after its first response");
    session_->created_revision = message.revision;
    if (message.is_canceled) wrong("refused: " + message.cancel_reason);
    return;
  }
  if (message.is_canceled) {
    if (message.compact_revision == 0) return wrong("canceled for no reason");
    session_->compact_revision = message.compact_revision;
    session_->is_open = false;
    resume_at_ = message.compact_revision;
    return;
  }
  if (message.events.empty()) {
    if (message.watch_id != -1) return wrong("an empty response");
    session_->progress.push_back({session_->events.size(), message.revision});
    stage_.history.saw_revision(message.revision);
    told_up_to_ = message.revision;
    return;
  }
  if (message.revision < message.events.back().kv.mod_revision) return wrong("a header behind its events");
  stage_.history.saw_revision(message.revision);
  for (WatchEvent event : message.events) {
    event.response = responses_;
    session_->events.push_back(std::move(event));
  }
}

}  // namespace metastore::sim
