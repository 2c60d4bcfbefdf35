// A simulated client that keeps leases alive: it opens a stream, renews a lease that it picks again and again, lets it
// go for another, falls silent for long, and comes back after a crash. Answers must come in the order of questions.
#ifndef METASTORE_SIM_KEEPER_H_
#define METASTORE_SIM_KEEPER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/calling.h"
#include "sim/client.h"
#include "sim/deed.h"
#include "sim/stream_call.h"
#include "sim/world.h"

namespace metastore::sim {

class Door;
class Doors;

class Keeper final : private port::Task {
 public:
  /// One of the plan's own, or else a contender's, which acts by deeds alone.
  Keeper(Stage& stage, Doors& doors, std::uint64_t id);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void perform(const Renew& renew);
  void perform(const CloseKeeper& close);
  /// Whether the lease that it was last told of, and that had ended, is this one.
  bool has_found_gone(std::int64_t lease) const { return gone_ == lease; }
  /// In the end all leases are left alone, so that one can see them end.
  void retire();

 private:
  void run() override;
  template <typename Kind>
  void decide(const Kind& kind);
  bool has_stream() const { return call_ != nullptr && !call_->is_over(); }
  void take_news();

  Stage& stage_;
  Doors& doors_;
  Door* door_;  ///< Of the member that it talks to.
  const std::uint64_t id_;
  const std::string name_;
  Prng prng_;
  Prng leader_prng_;  ///< Which streams require a leader.
  Calling<&Keeper::take_news> news_{*this};
  World::Ticket turn_;
  std::unique_ptr<StreamCall> call_;
  std::deque<KeepAlive*> asked_;  ///< On this stream and not answered.
  std::int64_t lease_ = 0;        ///< The one that it holds on to.
  std::int64_t gone_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_KEEPER_H_
