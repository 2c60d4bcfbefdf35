#include "sim/stream_call.h"

#include <algorithm>

#include "sim/door.h"
#include "sim/wire.h"

namespace metastore::sim {

StreamCall::StreamCall(Door& door, kv::Method method, bool requires_leader, port::Task& news)
    : door_(door), method_(method), news_(news) {
  if (NetworkSim* const network = door.network(); network != nullptr) {
    line_.emplace(*network, door.port(), arrival_);
    const auto metadata = requires_leader ? api::Metadata{{"hasleader", "true"}} : api::Metadata();
    stream_ = line_->calls().open(kv::path(method), std::nullopt, metadata);
    line_->flush();
  } else {
    id_ = door.open_stream(method, requires_leader, *this);
  }
}

StreamCall::~StreamCall() {
  if (!id_ || is_over_) return;
  door_.forget(*id_);
  door_.post(StreamClosed{*id_});
}

void StreamCall::send(std::string message) {
  ++words_;
  if (id_) return door_.post(StreamRequest{*id_, Bytes::copy_of(message)});
  line_->send(stream_, Bytes::copy_of(message));
}

void StreamCall::read_on(bool wants_more) {
  if (is_over_) return;
  if (line_) return line_->pause_reading(!wants_more);
  if (!wants_more || undrained_bytes_ == 0) return;
  // What was said and not answered yet will still be answered.
  words_ -= std::min(words_, std::exchange(words_answered_, 0));
  door_.post(StreamDrained{*id_, std::exchange(undrained_bytes_, 0)});
}

void StreamCall::on_chunk(const Chunk& chunk) {
  if (chunk.message_bytes > 0) {
    if (!bytes_.empty()) fault_ = "a message was not completed";
    message_bytes_ = chunk.message_bytes;
    message_bytes_max_ = std::max(message_bytes_max_, fragments_bytes_ + message_bytes_);
  }
  for (const Bytes& part : chunk.parts) {
    bytes_ += part.view();
    undrained_bytes_ += part.size();
  }
  // What the member sends ahead is bounded, but for the message that crosses the line, and words without contents: one
  // for each request, and one at the end of each watch.
  constexpr std::uint64_t word_bytes = 100;
  const std::uint64_t words_bytes = (words_ + watches_a_stream_max) * word_bytes;
  if (undrained_bytes_ > door_.limits().stream_credit_bytes + message_bytes_max_ + words_bytes) {
    fault_ = "it was sent more than it has credit for";
  }
  if (bytes_.size() >= message_bytes_) {
    const auto message = method_ == kv::Method::watch ? decode_watch_message(bytes_) : std::nullopt;
    fragments_bytes_ = message && message->is_fragment ? fragments_bytes_ + message_bytes_ : 0;
    messages_.push_back(std::exchange(bytes_, {}));
    ++words_answered_;
  }
  news_.run();
}

void StreamCall::on_end() {
  is_over_ = true;
  news_.run();
}

void StreamCall::on_bytes() {
  for (api::StreamMessage& message : line_->take_received()) messages_.emplace_back(message.message.view());
  for (const api::CallResult& result : line_->take_results()) {
    if (result.stream == stream_) is_over_ = true;
  }
  news_.run();
}

}  // namespace metastore::sim
