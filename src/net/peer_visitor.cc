#include "net/peer_visitor.h"

#include <utility>

#include "core/base/encoder.h"

namespace metastore::net {

PeerDoor::Visitor::Visitor(PeerDoor& door, std::unique_ptr<port::Connection> connection)
    : door_(door),
      connection_(std::move(connection)),
      address_(connection_->remote_address()),
      reader_(door.around_.budget, greeting_bytes_max) {
  connection_->set_user(*this);
  loop().run_at(*this, loop().now() + milliseconds(door_.around_.limits.peer_hello_ms));
}

Duration PeerDoor::Visitor::silence_max() const {
  return milliseconds(door_.around_.limits.peer_silence_ms) * (hello_.lane == Lane::bulk ? 4 : 1);
}

void PeerDoor::Visitor::run() {
  if (state_ == State::admitted && loop().now() - heard_ < silence_max()) {
    return loop().run_at(*this, heard_ + silence_max());
  }
  if (state_ == State::silent) {
    return refuse(
        {RefusalReason::not_a_peer, "this is the peer port of a MetaStore member, and no hello came in time"});
  }
  end();
}

void PeerDoor::Visitor::on_bytes(BytesView bytes) {
  door_.around_.counts.received_bytes += bytes.size();
  while (state_ == State::silent || state_ == State::admitted) {
    const auto frame = reader_.next(bytes);
    if (!frame) {
      const bool is_stranger = state_ == State::silent;
      return refuse({is_stranger ? RefusalReason::not_a_peer : RefusalReason::damaged,
                     is_stranger ? "this is the peer port of a MetaStore member; clients use --listen-client-urls"
                                 : std::string(describe(frame.error()))});
    }
    if (!frame.value().has_value()) return;
    heard_ = loop().now();
    on_frame(*frame.value());
  }
}

void PeerDoor::Visitor::on_frame(const Frame& frame) {
  if (state_ == State::silent && frame.kind == FrameKind::hello) return on_hello(frame);
  if (state_ == State::silent && frame.kind == FrameKind::inquiry) return on_inquiry(frame);
  if (state_ == State::admitted && frame.kind == FrameKind::message) return on_message(frame);
  if (state_ == State::admitted && frame.kind == FrameKind::ping) {
    Decoder in(frame.payload);
    owed_pong_ = in.u64();
    return flush();
  }
  refuse({RefusalReason::not_a_peer, "a frame that does not belong here"});
}

void PeerDoor::Visitor::on_hello(const Frame& frame) {
  const auto hello = decode_hello(frame.payload);
  if (!hello) return refuse({RefusalReason::not_a_peer, "a hello of another protocol, or of another version of it"});
  hello_ = *hello;
  if (const auto refusal = door_.judge(hello_)) return refuse(*refusal);
  door_.admit(*this, hello_);
  state_ = State::admitted;
  reader_.set_payload_bytes_max(frame_bytes_max(door_.around_.limits));
  loop().run_at(*this, heard_ + silence_max());
  append_frame(outgoing_, FrameKind::welcome, encode(Welcome{door_.around_.self}));
  flush();
}

void PeerDoor::Visitor::on_inquiry(const Frame& frame) {
  if (!is_inquiry(frame.payload)) return refuse({RefusalReason::not_a_peer, "an inquiry of another protocol"});
  append_frame(outgoing_, FrameKind::roster, encode(door_.roster()));
  leave();
}

void PeerDoor::Visitor::on_message(const Frame& frame) {
  auto message = raft::decode_envelope(frame.payload);
  if (!message) return refuse({RefusalReason::damaged, "a message that cannot be read"});
  if (message->from != hello_.from.member || message->to != door_.around_.self.member) {
    return refuse({RefusalReason::damaged, "a message from or to another member"});
  }
  ++door_.around_.counts.messages_received;
  door_.around_.ports.inbox.post(PeerMessage{*std::move(message)});
}

void PeerDoor::Visitor::refuse(const Refusal& refusal) {
  if (state_ == State::leaving || state_ == State::ended) return;
  door_.on_refused(hello_.from.member, address_, refusal);
  append_frame(outgoing_, FrameKind::refusal, encode(refusal));
  leave();
}

void PeerDoor::Visitor::leave() {
  state_ = State::leaving;
  owed_pong_.reset();
  // A caller that does not hang up, or takes nothing, gets so much longer.
  loop().run_at(*this, loop().now() + milliseconds(door_.around_.limits.peer_hello_ms));
  flush();
}

void PeerDoor::Visitor::flush() {
  if (is_writing_ || connection_ == nullptr) return;
  if (const auto number = std::exchange(owed_pong_, std::nullopt)) {
    std::string payload;
    append_varint(payload, *number);
    append_frame(outgoing_, FrameKind::pong, payload);
  }
  if (outgoing_.empty()) return;
  door_.around_.counts.sent_bytes += outgoing_.size();
  is_writing_ = true;
  connection_->write(std::exchange(outgoing_, {}));
  if (state_ == State::leaving) connection_->shut_down();
}

void PeerDoor::Visitor::on_drained() {
  is_writing_ = false;
  if (state_ == State::admitted || !outgoing_.empty()) flush();
}

void PeerDoor::Visitor::end() {
  state_ = State::ended;
  connection_.reset();
  loop().cancel(*this);
  door_.clear_soon();
}

}  // namespace metastore::net
