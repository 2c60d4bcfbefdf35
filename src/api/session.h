// One client connection: finds out by its first bytes whether HTTP/2 or HTTP/1.1 is spoken, runs that protocol, and
// writes at most once a turn. It decides nothing about requests: it hands them to the gateway and gets answers.
#ifndef METASTORE_API_SESSION_H_
#define METASTORE_API_SESSION_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/http1_session.h"
#include "api/http2_session.h"
#include "api/session_options.h"
#include "core/host/port/loop.h"
#include "core/host/port/network.h"

namespace metastore::api {

class Gateway;

/// What a new connection gets.
enum class Admission : std::uint8_t {
  served,   ///< All that there is.
  pages,    ///< What --listen-metrics-urls serves: metrics and health.
  refused,  ///< It is told that there are too many.
};

class Session final : private port::ConnectionUser, private port::Task {
 public:
  Session(Gateway& gateway, port::Loop& loop, const SessionOptions& options, std::uint64_t number, Admission admission,
          std::unique_ptr<port::Connection> connection);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::uint64_t number() const { return number_; }
  Admission admission() const { return admission_; }

  /// Answers to what was handed to the gateway and not canceled since. They leave with the next flush.
  void reply(StreamId stream, Bytes message);
  void fail(StreamId stream, const Failure& failure);
  void send(StreamId stream, std::uint64_t message_bytes, std::vector<Bytes> parts);
  void finish(StreamId stream);
  void respond(const HttpResponse& response);

  /// Whether new calls wait here because the client does not take the replies that it has asked for.
  bool holds_calls() const;
  void hold(CallReceived call);

  /// What is held for this client, as the budget of all counts it.
  std::uint64_t held_bytes() const;
  /// Ends the connection at once, whatever is under way.
  void expel() { drop(); }

  /// Its share of a turn: requests that wait, then up to `bytes_max` of what was read. Returns what that cost, in
  /// bytes.
  std::uint64_t take(std::uint64_t bytes_max);
  /// Whether something waits for its next share.
  bool has_more() const { return !asked_.empty() || !unread_.empty(); }
  /// It has asked something.
  bool is_known() const { return is_known_; }

  /// Once a turn, if anything happened: writes up to `bytes_max`. Returns what it wrote.
  std::uint64_t flush(std::uint64_t bytes_max);
  /// It has so much to write that those with little go first.
  bool is_bulky() const;
  void begin_shutdown();
  /// Nothing is owed to the client.
  bool idle() const;
  /// The connection has ended, all calls are canceled: to be destroyed.
  bool gone() const { return gone_; }

  /// Kept by the gateway: whether this session waits for its flush, and for its next share.
  bool waits_for_flush = false;
  bool waits_for_share = false;
  /// Kept by the gateway: what its budget counts for this session.
  std::uint64_t counted_bytes = 0;

 private:
  /// Before it is known what the client speaks.
  struct Opening {
    std::string bytes;
  };

  void on_bytes(BytesView bytes) override;
  void on_drained() override;
  void on_closed() override;
  /// The deadline that was set last: for closing, for being too slow, for silence.
  void run() override;

  void receive(BytesView bytes);
  void open(std::string bytes);
  void dispatch_events();
  /// Hands to the gateway what was asked.
  void ask(CallEvent& event);
  /// Of what waits, as many as the share allows; all, when nobody will be answered.
  void ask_more();
  void dispatch_requests();
  void release_calls();
  bool protocol_finished() const;
  void update_reading();
  /// Notes since when the client takes nothing of what it is owed.
  void update_owed();
  /// When this client will have been too slow, as far as is known now.
  Instant too_slow_at() const;
  void set_timer();
  void cancel_calls();
  void drop();

  Gateway& gateway_;
  port::Loop& loop_;
  const SessionOptions& options_;
  const std::uint64_t number_;
  const Admission admission_;
  std::unique_ptr<port::Connection> connection_;
  std::variant<Opening, Http2Session, Http1Session> protocol_;
  std::vector<CallEvent> events_;  ///< Scratch.
  std::deque<CallEvent> asked_;    ///< Requests beyond this turn's share, in the order of their arrival.
  std::string unread_;             ///< Bytes beyond it, behind those requests.
  std::size_t unread_at_ = 0;      ///< Where they begin.
  std::deque<CallReceived> held_;  ///< Behind replies that the client does not take, in the order of their arrival.
  std::uint64_t held_message_bytes_ = 0;
  std::uint64_t share_;              ///< How many requests this turn may still take.
  std::uint64_t written_bytes_ = 0;  ///< That the socket has not taken.
  Instant heard_at_;
  std::optional<Instant> pinged_at_;
  std::optional<Instant> owed_since_;        ///< The client has taken nothing since, and something waits for it.
  std::optional<Instant> unfinished_since_;  ///< Of an HTTP/1 request.
  bool writes_replies_ = false;              ///< What is being written holds data of replies.
  bool is_known_ = false;
  bool writing_ = false;
  bool reading_paused_ = false;
  bool closing_ = false;  ///< Our side is shut; the peer's is awaited.
  bool gone_ = false;
};

}  // namespace metastore::api

#endif  // METASTORE_API_SESSION_H_
