// One of our connections to one peer: it calls, says who we are, waits for the welcome, then sends messages in order
// and asks now and then whether anybody is there. What the peer has to say comes on connections of its own (peer_door).
// It must never hold more than its lane's limit: the newest messages are lost first, as Raft allows. It calls again
// when the connection ends, ever more slowly, at drawn moments.
#ifndef METASTORE_NET_PEER_CHANNEL_H_
#define METASTORE_NET_PEER_CHANNEL_H_

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/base/prng.h"
#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "core/host/port/network.h"
#include "net/peer_address.h"
#include "net/peer_codec.h"
#include "net/peer_frame.h"

namespace metastore::net {

/// All of them outlive the link.
struct PeerPorts {
  port::Loop& loop;
  port::Network& network;
  port::Inbox& inbox;
  port::TraceSink& trace;
};

/// For figures; no decision depends on them.
struct PeerCounts {
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_dropped = 0;
};

/// Messages that wait to be sent.
struct PeerQueue {
  Lane lane = Lane::urgent;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// What every part of one link sees.
struct PeerSurroundings {
  PeerPorts ports;
  Limits limits;
  PeerIdentity self;
  FrameBudget budget;
  PeerCounts counts;
  /// Runs soon after a member of this cluster has called whom nobody here knows.
  port::Task* unknown_called = nullptr;
};

class PeerChannel final : private port::Connector, private port::ConnectionUser, private port::Task {
 public:
  PeerChannel(PeerSurroundings& around, const Peer& peer, Lane lane, Prng prng);
  ~PeerChannel();
  PeerChannel(const PeerChannel&) = delete;
  PeerChannel& operator=(const PeerChannel&) = delete;

  /// Takes a message; it leaves with the next flush(), or once the peer answers.
  void queue(raft::Envelope message);
  void flush();
  bool is_connected() const { return state_ == State::connected; }
  /// For whoever looks on.
  PeerQueue waiting() const;
  /// Everything that was queued has reached the peer, so that what takes another way cannot overtake it.
  bool is_settled() const { return queue_.empty() && answered_ping_ >= settling_ping_; }
  /// As published, once it is known.
  void set_data_id(std::uint64_t data_id) { data_id_ = data_id; }

 private:
  enum class State : std::uint8_t { waiting, calling, greeting, connected };
  enum class Ending : std::uint8_t {
    gone,     ///< Refused or broken: its process has most likely ended.
    silent,   ///< Nothing is known of it.
    refused,  ///< It will not talk to us, or we not to it.
  };

  void on_connected(std::unique_ptr<port::Connection> connection) override;
  void on_connect_failed(const port::ConnectError& error) override;
  void on_bytes(BytesView bytes) override;
  void on_drained() override;
  void on_closed() override;
  /// Something is due: a call, a ping, or giving up.
  void run() override;

  void call();
  /// False if the connection has ended by it.
  bool on_frame(const Frame& frame);
  bool on_welcome(const Frame& frame);
  void end(Ending ending, std::string_view why);
  void refuse(RefusalReason reason, const std::string& sentence);
  void ping();
  void arm();
  void trace(TraceLevel level, std::string_view fact, std::string_view why);
  Instant now() const { return around_.ports.loop.now(); }

  struct Queued {
    raft::Envelope message;
    std::uint64_t bytes = 0;
  };

  PeerSurroundings& around_;
  const MemberId peer_;
  const Lane lane_;
  std::vector<PeerAddress> addresses_;
  std::uint64_t data_id_;
  Prng prng_;

  State state_ = State::waiting;
  std::size_t next_address_ = 0;
  std::uint64_t failures_ = 0;  ///< Since the last welcome.
  Instant due_;                 ///< Waiting: the next call. Calling and greeting: when to give up. Connected: a ping.
  std::unique_ptr<port::ConnectAttempt> attempt_;
  std::unique_ptr<port::Connection> connection_;
  std::optional<FrameReader> reader_;
  bool is_writing_ = false;
  Instant heard_;

  std::deque<Queued> queue_;
  std::uint64_t queued_bytes_ = 0;
  std::uint64_t next_ping_ = 1;
  std::uint64_t settling_ping_ = 0;  ///< Its answer says that all before it has been read.
  std::uint64_t answered_ping_ = 0;
  bool owes_ping_ = false;

  std::optional<bool> told_connected_;       ///< What the replica was told last.
  bool is_loss_traced_ = false;              ///< Since the last welcome.
  std::set<RefusalReason> traced_refusals_;  ///< Since the last welcome.
};

/// What a message takes in memory and, nearly, on the wire.
std::uint64_t size_bytes(const raft::Envelope& message);
/// A message of this size is still a correct one.
std::uint64_t frame_bytes_max(const Limits& limits);

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_CHANNEL_H_
