// One accepted connection on the peer port, from its first byte to its end: hello, welcome, then messages and pings; or
// a refusal. It holds one unfinished frame at most, and ends a caller that is silent or slow.
#ifndef METASTORE_NET_PEER_VISITOR_H_
#define METASTORE_NET_PEER_VISITOR_H_

#include <memory>
#include <optional>
#include <string>

#include "net/peer_door.h"

namespace metastore::net {

class PeerDoor::Visitor final : private port::ConnectionUser, private port::Task {
 public:
  Visitor(PeerDoor& door, std::unique_ptr<port::Connection> connection);
  ~Visitor() { loop().cancel(*this); }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;

  bool is_stranger() const { return state_ == State::silent; }
  bool has_ended() const { return state_ == State::ended; }
  /// Who was let in, and on which lane.
  bool is_admitted() const { return state_ == State::admitted; }
  bool is_from(MemberId member, Lane lane) const {
    return is_admitted() && hello_.from.member == member && hello_.lane == lane;
  }
  const Hello& hello() const { return hello_; }

  void refuse(const Refusal& refusal);
  void end();

 private:
  enum class State : std::uint8_t {
    silent,  ///< Has not said who it is.
    admitted,
    leaving,  ///< The last word is on its way, mostly a refusal; what still comes is not read as anything.
    ended,
  };

  void on_bytes(BytesView bytes) override;
  void on_drained() override;
  void on_closed() override { end(); }
  /// Its time is up.
  void run() override;

  void on_frame(const Frame& frame);
  void on_hello(const Frame& frame);
  void on_inquiry(const Frame& frame);
  void on_message(const Frame& frame);
  void leave();
  void flush();
  port::Loop& loop() const { return door_.around_.ports.loop; }
  Duration silence_max() const;

  PeerDoor& door_;
  std::unique_ptr<port::Connection> connection_;
  const std::string address_;
  FrameReader reader_;
  State state_ = State::silent;
  Hello hello_;
  std::string outgoing_;  ///< The greeting; then only pongs.
  std::optional<std::uint64_t> owed_pong_;
  bool is_writing_ = false;
  Instant heard_;
};

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_VISITOR_H_
