// The door of one member: owns the client connections, turns what they ask into ClientRequests and the replica's
// replies into answers. It frames bytes and refuses what cannot be served; it decodes no request. Everything that
// happened in a turn of the loop leaves in one write a connection.
#ifndef METASTORE_API_GATEWAY_H_
#define METASTORE_API_GATEWAY_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "api/call_counts.h"
#include "api/health.h"
#include "api/session.h"
#include "api/session_options.h"
#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "core/host/port/member_facts.h"
#include "core/host/port/network.h"

namespace metastore::api {

/// What came through the door since the start.
struct DoorCounts {
  CallCounts calls;
  HealthCounts health;
  std::uint64_t scrapes = 0;  ///< Pages of metrics.
};

class Gateway final : public port::ClientExecutor, public port::Acceptor, private port::Task {
 public:
  /// `loop`, `inbox` and `facts` outlive the gateway.
  Gateway(const SessionOptions& options, port::Loop& loop, port::Inbox& inbox, const port::MemberFacts& facts);
  ~Gateway() override;
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Lets nobody in through `listeners` before it is told to serve.
  void serve_at(std::vector<std::unique_ptr<port::Listener>> listeners) { listeners_ = std::move(listeners); }
  void serve() override;
  /// Requires: each reply is the only one to a request that this gateway posted.
  void reply(std::vector<Reply> replies) override;
  void stream(std::vector<Chunk> chunks, std::vector<StreamEnd> ends) override;
  void on_accepted(std::unique_ptr<port::Connection> connection) override {
    accept(std::move(connection), Admission::served);
  }
  /// For listeners whose clients get nothing but metrics and health.
  port::Acceptor& pages() { return pages_; }

  /// No new connections and streams; what is under way gets its answers.
  void begin_shutdown();
  /// Nothing is owed to any client.
  bool idle() const;
  std::size_t connections() const { return sessions_.size(); }
  const DoorCounts& counts() const { return counts_; }

  // What sessions tell.
  /// Whether `bytes` that were read may be looked at now. What little clients say goes before what others say much of
  /// and what strangers say: those wait for their share of a turn (queue), which is small as long as little is said.
  bool admits(const Session& session, std::uint64_t bytes);
  /// Fresh words go first, the latest of all, and in turn with what is left over of others: a crowd that says much
  /// keeps nobody waiting who comes behind it.
  enum class Words : std::uint8_t { fresh, left_over };
  void queue(Session& session, Words words);
  RequestIds& ids() { return ids_; }
  /// Each call by its name, at once and in order, though it may be some turns until it is asked.
  void expect_call(Session& session, const CallReceived& call);
  void expect_stream(Session& session, const CallOpened& call);
  void on_call(Session& session, CallReceived call);
  /// Hands a call that was held back to the replica, or forgets it if it has been canceled.
  void release(Session& session, CallReceived call);
  void on_opened(const CallOpened& call);
  void on_stream_request(StreamRequest request);
  void on_stream_requests_ended(const StreamRequestsEnded& end);
  void on_drained(const StreamDrained& event) { inbox_.post(event); }
  void on_request(Session& session, const HttpRequest& request);
  void on_cancel(RequestId id);
  /// The request under way on an HTTP/1 session.
  void on_cancel(Session& session);
  void touch(Session& session);

 private:
  /// A request that was posted. It stays until its reply comes, even if nobody waits for it any more.
  struct Posted {
    Session* session = nullptr;
    StreamId stream;  ///< 0 for HTTP/1.
    kv::Method method = kv::Method::range;
    bool answered = false;
    bool known = false;  ///< A stream that the replica was told of.
    Instant began;
    std::uint64_t bytes = 0;  ///< Of its message, while the replica has it.
  };

  struct Pages final : port::Acceptor {
    explicit Pages(Gateway& gateway_) : gateway(gateway_) {}
    void on_accepted(std::unique_ptr<port::Connection> connection) override {
      gateway.accept(std::move(connection), Admission::pages);
    }
    Gateway& gateway;
  };

  void run() override;
  void accept(std::unique_ptr<port::Connection> connection, Admission admission);
  /// Whether another client, one that says little, has just spoken and may go on soon.
  bool yields(const Session& session) const;
  void share_turn();
  /// Returns what it wrote. The session may be gone behind it.
  std::uint64_t flush(Session& session, std::uint64_t bytes_max);
  /// Asks the replica for the next probe, or answers.
  void go_on(Session& session, Checkup checkup);
  /// The request named `id` belongs to `session`. Ids come in order.
  void expect(RequestId id, Session& session, StreamId stream, kv::Method method);
  /// The same, of a call.
  template <typename Call>
  void expect(Session& session, const Call& call);
  /// Notes what became of a call.
  void count_handled(const Posted& call, StatusCode status);
  Posted& posted(RequestId id);
  /// Whom a chunk of `id` goes to: its first makes a stream of a unary call. Null if nobody listens any more.
  Posted* listener(RequestId id);
  /// Counts again what is held for `session`.
  void count(Session& session, std::uint64_t bytes);
  /// Closes connections until the rest is within the budget: those first for which most is held, since a client that
  /// takes its replies has little here.
  void keep_budget();
  /// Marks it answered and returns whose it was, if anybody's.
  Posted settle(RequestId id);

  const SessionOptions options_;
  port::Loop& loop_;
  port::Inbox& inbox_;
  const port::MemberFacts& facts_;
  Pages pages_{*this};
  std::vector<std::unique_ptr<port::Listener>> listeners_;
  DoorCounts counts_;
  RequestIds ids_;
  std::deque<Posted> posted_;  ///< By id, from `posted_first_` on: ids come in order and leave in nearly that.
  RequestId posted_first_{1};
  /// Streams, and unary calls answered in chunks, that the replica has not ended and the client still listens to.
  absl::btree_map<RequestId, Posted> streams_;
  std::map<RequestId, Checkup> checkups_;  ///< By the probe that each waits for.
  std::vector<Reply> refused_;             ///< Requests that are answered here, with the next flush.
  std::map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::uint64_t posted_bytes_ = 0;  ///< Messages that the replica has not answered.
  std::uint64_t held_bytes_ = 0;    ///< By all sessions.
  /// For how many of them more than this is held: for one at least when the budget is spent.
  const std::uint64_t holder_bytes_;
  absl::btree_set<std::pair<std::uint64_t, std::uint64_t>> holders_;  ///< Those sessions, by their bytes and numbers.
  std::uint64_t session_last_ = 0;
  std::uint64_t sessions_refused_ = 0;
  /// Who last said something little, when, and when somebody else did before.
  struct Light {
    std::uint64_t number = 0;
    Instant at;
    Instant others_at;
  };
  Light light_;
  std::uint64_t turn_bytes_ = 0;  ///< Admitted since the last turn that were no light client's.
  Instant share_at_;              ///< When the others have paid for what they said beside it.
  /// The numbers of sessions that wait for a share; some may be gone.
  std::vector<std::uint64_t> fresh_;
  std::deque<std::uint64_t> left_over_;
  bool fresh_is_next_ = true;
  std::vector<Session*> touched_;
  std::vector<Session*> flushed_;  ///< Scratch of run.
  std::vector<Session*> bulky_;    ///< Scratch of run.
  bool shutting_down_ = false;
};

}  // namespace metastore::api

#endif  // METASTORE_API_GATEWAY_H_
