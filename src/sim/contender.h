// A simulated client that wants what only one can have: a lock, or to be elected, as etcd's clients make both of a
// session (a lease that is kept alive), a key of its own under a common prefix, and a watch of the key before its own.
// Whoever created the first key under the prefix holds. It does all by the hands of a client, a watcher and a keeper of
// its own, in deeds like everybody's: what it concludes from their answers is the same in a run that was written down.
// Source: the protocol of etcd's clientv3/concurrency (Mutex, Election).
#ifndef METASTORE_SIM_CONTENDER_H_
#define METASTORE_SIM_CONTENDER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/calling.h"
#include "sim/client.h"
#include "sim/deed.h"
#include "sim/keeper.h"
#include "sim/watcher.h"
#include "sim/world.h"

namespace metastore::sim {

struct ContenderCounts {
  std::uint64_t taken_at_once = 0;
  std::uint64_t taken_after_waiting = 0;
  std::uint64_t found_gone = 0;  ///< Nobody was before it any more, but its own key had gone.
  std::uint64_t proclaimed = 0;
  void operator+=(const ContenderCounts& other) {
    taken_at_once += other.taken_at_once;
    taken_after_waiting += other.taken_after_waiting;
    found_gone += other.found_gone;
    proclaimed += other.proclaimed;
  }
};

class Contender final : private port::Task {
 public:
  struct Hands {
    Client& client;
    Watcher& watcher;
    Keeper& keeper;
    std::uint64_t watcher_id = 0;
    std::uint64_t keeper_id = 0;
  };

  Contender(Stage& stage, Doors& doors, const Hands& hands, std::uint64_t id);
  ~Contender();
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;

  /// Told by its client.
  void on_answer(const Operation& operation);
  /// Told by its watcher: something has come, or the stream has ended.
  void on_news();
  const ContenderCounts& counts() const { return counts_; }

 private:
  /// What it does, or waits for.
  enum class Step : std::uint8_t {
    resting,
    granting,
    entering,
    looking,
    waiting,
    confirming,
    holding,
    proclaiming,
    leaving,
    asking_who_leads,
    observing,
  };

  // What follows from the answers, whoever made it ask.
  void learn_entry(const Operation& operation, const Txn& txn);
  void learn_look(const Operation& operation, const Get& get);
  void learn_own(const Operation& operation);
  void claim(const Operation& operation);
  void forget_key();

  // What it draws.
  void run() override;
  void go_on();
  void begin();
  void enter();
  void look();
  void wait();
  void confirm();
  void hold();
  void leave();
  void observe();
  void end_session();
  void keep();
  void ask(Request request, Step step);
  template <typename Kind>
  void decide(const Kind& kind);
  void turn_within(Duration longest);
  bool is_at_work() const;

  Stage& stage_;
  Doors& doors_;
  Door* door_;
  const Hands hands_;
  const std::uint64_t id_;
  Prng prng_;
  Calling<&Contender::keep> keeping_{*this};
  World::Ticket turn_;
  World::Ticket keeping_ticket_;
  ContenderCounts counts_;

  std::string prefix_;
  std::string key_;                   ///< Its own, once it is in; "" before and after.
  std::int64_t create_revision_ = 0;  ///< Of its key.
  bool is_first_ = false;             ///< Nobody was before it when it looked.
  bool holds_ = false;
  bool has_waited_ = false;
  std::string blocker_;  ///< The key before its own; "" if it was told of none.

  Step step_ = Step::resting;
  const Operation* answered_ = nullptr;
  std::int64_t session_ = 0;  ///< Its lease; 0: none.
  std::int64_t sessions_ = 0;
  std::int64_t ttl_seconds_ = 0;
  bool is_silent_ = false;          ///< It keeps nothing alive.
  std::int64_t seen_revision_ = 0;  ///< By its last answer.
  std::string wanted_key_;
  Instant until_;  ///< How long it holds, waits or observes.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CONTENDER_H_
