#include "net/peer_channel.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/encoder.h"

namespace metastore::net {
namespace {

constexpr std::uint64_t message_overhead_bytes = 128;
constexpr std::uint64_t entry_overhead_bytes = 32;
/// Doubling that often is more than any limit allows.
constexpr std::uint64_t doublings_max = 20;

}  // namespace

std::uint64_t size_bytes(const raft::Envelope& message) {
  std::uint64_t bytes = message_overhead_bytes;
  if (const auto* append = std::get_if<raft::AppendRequest>(&message.message)) {
    for (const raft::Entry& entry : append->entries) bytes += entry.data.size() + entry_overhead_bytes;
  } else if (const auto* forward = std::get_if<raft::ProposalForward>(&message.message)) {
    bytes += forward->data.size();
  } else if (const auto* part = std::get_if<raft::SnapshotPart>(&message.message)) {
    bytes += part->rows.size();
  }
  return bytes;
}

std::uint64_t frame_bytes_max(const Limits& limits) {
  return std::max(limits.peer_frame_bytes_max, limits.append_message_bytes_max + 2 * limits.request_bytes_max);
}

PeerChannel::PeerChannel(PeerSurroundings& around, const Peer& peer, Lane lane, Prng prng)
    : around_(around), peer_(peer.id), lane_(lane), data_id_(peer.data_id), prng_(prng), due_(now()) {
  for (const std::string& url : peer.urls) {
    if (auto address = parse_peer_url(url)) {
      addresses_.push_back(*std::move(address));
    } else {
      trace(TraceLevel::warn, "cannot use the URL of a peer: only http://host:port is known", url);
    }
  }
  if (!addresses_.empty()) arm();
}

PeerChannel::~PeerChannel() { around_.ports.loop.cancel(*this); }

void PeerChannel::queue(raft::Envelope message) {
  // What nobody listens to now would only be stale later.
  if (state_ == State::waiting) {
    ++around_.counts.messages_dropped;
    return;
  }
  const std::uint64_t bytes = size_bytes(message);
  const std::uint64_t bytes_max =
      lane_ == Lane::bulk ? around_.limits.peer_bulk_bytes_max : around_.limits.peer_urgent_bytes_max;
  // One message must fit, however large. Of entries the first are of use without the last, but not the other way round:
  // a peer that lacks more than has room would be sent the end of it again and again.
  if (!queue_.empty() && queued_bytes_ + bytes > bytes_max) {
    ++around_.counts.messages_dropped;
    return;
  }
  queue_.push_back({std::move(message), bytes});
  queued_bytes_ += bytes;
}

PeerQueue PeerChannel::waiting() const {
  PeerQueue queue{.lane = lane_, .messages = queue_.size(), .bytes = 0};
  for (const Queued& queued : queue_) queue.bytes += size_bytes(queued.message);
  return queue;
}

void PeerChannel::flush() {
  if (state_ != State::connected || is_writing_) return;
  std::string out;
  const bool has_messages = !queue_.empty();
  while (!queue_.empty() && out.size() < around_.limits.connection_write_bytes) {
    const std::size_t begin = begin_frame(out);
    Encoder encoder(out);
    raft::encode(encoder, queue_.front().message);
    end_frame(out, begin, FrameKind::message);
    queued_bytes_ -= queue_.front().bytes;
    queue_.pop_front();
    ++around_.counts.messages_sent;
  }
  if (owes_ping_ || (lane_ == Lane::bulk && has_messages && queue_.empty())) {
    owes_ping_ = false;
    settling_ping_ = next_ping_++;
    std::string number;
    append_varint(number, settling_ping_);
    append_frame(out, FrameKind::ping, number);
  } else if (has_messages) {
    // No answer has been asked for yet that would say these have been read.
    settling_ping_ = next_ping_;
  }
  if (out.empty()) return;
  around_.counts.sent_bytes += out.size();
  is_writing_ = true;
  connection_->write(std::move(out));
}

void PeerChannel::arm() { around_.ports.loop.run_at(*this, due_); }

void PeerChannel::run() {
  switch (state_) {
    case State::waiting:
      return call();
    case State::calling:
      return end(Ending::silent, "the call was not answered in time");
    case State::greeting:
      return end(Ending::silent, "the hello was not answered in time");
    case State::connected: {
      const Duration silence = milliseconds(around_.limits.peer_silence_ms) * (lane_ == Lane::bulk ? 4 : 1);
      if (now() - heard_ >= silence) return end(Ending::silent, "no word for too long");
      owes_ping_ = true;
      flush();
      due_ = now() + milliseconds(around_.limits.peer_ping_ms);
      return arm();
    }
  }
}

void PeerChannel::call() {
  state_ = State::calling;
  due_ = now() + milliseconds(around_.limits.peer_hello_ms);
  arm();
  const PeerAddress& address = addresses_[next_address_++ % addresses_.size()];
  attempt_ = around_.ports.network.connect(address.host, address.port, *this);
}

void PeerChannel::on_connected(std::unique_ptr<port::Connection> connection) {
  attempt_.reset();
  connection_ = std::move(connection);
  connection_->set_user(*this);
  reader_.emplace(around_.budget, greeting_bytes_max);
  state_ = State::greeting;
  due_ = now() + milliseconds(around_.limits.peer_hello_ms);
  arm();
  std::string out;
  append_frame(out, FrameKind::hello, encode(Hello{around_.self, peer_, lane_}));
  is_writing_ = true;
  connection_->write(std::move(out));
}

void PeerChannel::on_connect_failed(const port::ConnectError& error) {
  const bool is_gone = error.kind == port::ConnectError::Kind::refused;
  end(is_gone ? Ending::gone : Ending::silent, error.message);
}

void PeerChannel::on_bytes(BytesView bytes) {
  around_.counts.received_bytes += bytes.size();
  while (state_ == State::greeting || state_ == State::connected) {
    const auto frame = reader_->next(bytes);
    if (!frame) return refuse(RefusalReason::damaged, std::string(describe(frame.error())));
    if (!frame.value().has_value()) return;
    heard_ = now();
    if (!on_frame(*frame.value())) return;
  }
}

bool PeerChannel::on_frame(const Frame& frame) {
  if (frame.kind == FrameKind::refusal) {
    if (auto refusal = decode_refusal(frame.payload)) {
      refuse(refusal->reason, refusal->sentence);
      return false;
    }
  } else if (state_ == State::greeting && frame.kind == FrameKind::welcome) {
    return on_welcome(frame);
  } else if (state_ == State::connected && frame.kind == FrameKind::pong) {
    Decoder in(frame.payload);
    answered_ping_ = std::max(answered_ping_, std::min(in.u64(), next_ping_ - 1));
    return true;
  }
  refuse(RefusalReason::not_a_peer, "it does not speak the protocol of members");
  return false;
}

bool PeerChannel::on_welcome(const Frame& frame) {
  const auto welcome = decode_welcome(frame.payload);
  if (!welcome || welcome->from.member != peer_ || welcome->from.cluster != around_.self.cluster) {
    refuse(RefusalReason::wrong_member, "another member answers at its URL; correct its peer URLs");
    return false;
  }
  if (data_id_ != 0 && welcome->from.data_id != data_id_) {
    refuse(RefusalReason::other_data,
           "it runs on another data directory than the one it joined with; remove it and add it again");
    return false;
  }
  state_ = State::connected;
  failures_ = 0;
  is_loss_traced_ = false;
  traced_refusals_.clear();
  settling_ping_ = answered_ping_ = next_ping_ - 1;
  due_ = now() + milliseconds(around_.limits.peer_ping_ms);
  arm();
  if (lane_ == Lane::urgent) {
    told_connected_ = true;
    trace(TraceLevel::info, "peer became active", {});
    around_.ports.inbox.post(PeerConnected{peer_});
  }
  flush();
  return true;
}

void PeerChannel::on_drained() {
  is_writing_ = false;
  flush();
}

void PeerChannel::on_closed() { end(Ending::gone, "the connection broke"); }

void PeerChannel::end(Ending ending, std::string_view why) {
  const bool was_connected = state_ == State::connected;
  attempt_.reset();
  connection_.reset();
  reader_.reset();
  is_writing_ = owes_ping_ = false;
  around_.counts.messages_dropped += queue_.size();
  queue_.clear();
  queued_bytes_ = 0;
  state_ = State::waiting;

  const std::uint64_t doublings = std::min(failures_++, doublings_max);
  const Duration longest = milliseconds(around_.limits.peer_retry_max_ms);
  const Duration pause =
      std::min(longest, milliseconds(around_.limits.peer_retry_min_ms) * (std::int64_t{1} << doublings));
  due_ = now() + prng_.between(pause / 2, pause);
  arm();

  if (lane_ != Lane::urgent) return;
  if (ending != Ending::refused && !std::exchange(is_loss_traced_, true)) {
    trace(TraceLevel::warn, was_connected ? "peer became inactive" : "cannot reach a peer", why);
  }
  if (ending == Ending::gone && told_connected_ != false) {
    told_connected_ = false;
    around_.ports.inbox.post(PeerUnreachable{peer_});
  } else if (ending != Ending::gone) {
    if (told_connected_ == true) around_.ports.inbox.post(PeerLost{peer_});
    told_connected_.reset();
  }
}

void PeerChannel::refuse(RefusalReason reason, const std::string& sentence) {
  if (lane_ == Lane::urgent && traced_refusals_.insert(reason).second) {
    trace(TraceLevel::error, "no connection to a peer: refused", sentence);
    if (reason == RefusalReason::removed_member) around_.ports.inbox.post(Expelled{peer_});
  }
  end(Ending::refused, sentence);
}

void PeerChannel::trace(TraceLevel level, std::string_view fact, std::string_view why) {
  TraceLine line{level, fact, {{"remote-peer-id", raft::describe(peer_)}}};
  if (!why.empty()) line.fields.push_back({"error", std::string(why)});
  around_.ports.trace.trace({std::move(line)});
}

}  // namespace metastore::net
