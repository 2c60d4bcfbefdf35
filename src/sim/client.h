// One simulated client: thinks, asks one thing, waits for the answer or loses patience, and writes down what it was
// told. The surveyor is a client too: it reads the revisions that nobody answered for, so that the oracles know what
// became of requests with an unknown outcome.
#ifndef METASTORE_SIM_CLIENT_H_
#define METASTORE_SIM_CLIENT_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/calling.h"
#include "sim/deed.h"
#include "sim/history.h"
#include "sim/judge.h"
#include "sim/plan.h"
#include "sim/trace_log.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace metastore::sim {

class Contender;
class Door;
class Doors;

/// How a request ended, as its client sees it.
struct Answer {
  std::optional<Bytes> message;  ///< The response, if there is one.
  std::string error;             ///< Otherwise; "" where the connection broke.
};

/// What all clients of a run share.
struct Stage {
  const Plan& plan;
  World& world;
  History& history;
  Workload& workload;
  Judge& judge;
  TraceLog& trace;
  DeedLog& deeds;
  std::uint64_t operations_left = 0;
  bool is_final = false;  ///< The workload is over: the surveyor reads what is left to know, and the newest revision.
  Instant final_since = {};
  bool writes_on = false;                   ///< Whoever writes then does not stop.
  std::optional<Instant> answered_at = {};  ///< The first write or linearizable read that was asked since then.
};

class Client {
 public:
  /// The auditor asks after every lease once the workload is over, until those that may end have ended. The writer
  /// writes then, until it is told that it has. A hand asks what somebody else decides.
  enum class Role : std::uint8_t { worker, surveyor, auditor, writer, hand };

  Client(Stage& stage, Doors& doors, Role role, std::uint64_t id);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::uint64_t id() const { return id_; }
  bool is_idle() const { return operation_ == nullptr && waiting_.empty(); }
  /// The workload is over. Requires: it is the writer, and no request of it is under way.
  void start();
  /// How often the writer was told that it has written.
  std::uint64_t written() const { return written_; }
  /// The surveyor has read the newest revision after the workload's end.
  bool has_concluded() const {
    return has_concluded_ && stage_.history.settled_revision() == stage_.history.newest_revision();
  }
  /// Of the leases that anybody knows of, those that the auditor need not ask after again.
  std::size_t audited() const { return audited_; }
  /// How long all leases that may end have to be left alone until they have.
  Duration silence() const;
  /// Asks as soon as it can, if that is within the patience that it has. Requires: it acts by deeds alone.
  void perform(const Ask& ask);
  void report_to(Contender& contender) { contender_ = &contender; }
  /// To be called by the door, for a request that it took.
  void on_answer(Answer answer);

 private:
  bool is_told() const { return role_ == Role::hand || (role_ == Role::worker && stage_.plan.is_scripted); }
  void pause();
  void pause_for(Duration longest);
  void ask();
  void ask_as_told();
  void begin(Request request, Duration patience);
  void give_up();
  void finish(Answer answer);
  std::optional<Request> next_request();
  std::optional<Request> next_survey();
  std::optional<Request> next_audit();
  std::optional<Request> next_write() const;
  void learn(const Operation& operation);

  Stage& stage_;
  Doors& doors_;
  Door* door_;  ///< Of the member that it asks.
  Role role_;
  std::uint64_t id_;
  Prng prng_;
  Calling<&Client::ask> turn_{*this};
  Calling<&Client::give_up> patience_{*this};
  World::Ticket turn_ticket_;
  World::Ticket patience_ticket_;
  struct Waiting {
    Ask ask;
    Instant until;
  };
  std::deque<Waiting> waiting_;     ///< What it was told to ask.
  Contender* contender_ = nullptr;  ///< Whose answers these are.
  Operation* operation_ = nullptr;
  std::int64_t gap_ = 0;  ///< The surveyor's last look: a gap that is still one at the next look is surveyed.
  bool has_concluded_ = false;
  std::size_t audited_ = 0;
  std::uint64_t written_ = 0;
  bool has_been_silent_ = false;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CLIENT_H_
