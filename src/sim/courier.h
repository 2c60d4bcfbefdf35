// Stands between a member and its link to the others, and is more wicked than any network may be that keeps the order
// of bytes: it loses messages, hands them over twice, or so late that they outlive the run of the member that sent
// them. The laws of the boundary allow all of it (effects.h). What it does hand over travels by the production link.
// It must never change a message.
#ifndef METASTORE_SIM_COURIER_H_
#define METASTORE_SIM_COURIER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/executors.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace metastore::sim {

struct CourierCounts {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t late = 0;
};

/// Of one machine; it outlives the runs of the member there.
class Courier final : public port::PeerExecutor {
 public:
  Courier(World& world, const MessageFaults& faults, Prng prng);
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  void open(port::PeerExecutor& link) { link_ = &link; }
  void close();
  /// The member does nothing, or goes on: what is late waits for it.
  void pause() { is_paused_ = true; }
  void resume();
  /// Nothing is lost, repeated or late any more.
  void heal() { faults_ = {}; }

  void send(std::vector<raft::Envelope> messages) override;
  void set_peers(std::vector<Peer> peers) override { link_->set_peers(std::move(peers)); }

  const CourierCounts& counts() const { return counts_; }

 private:
  class Late;

  void hold(raft::Envelope message);
  void hand_over(std::uint64_t late);

  World& world_;
  MessageFaults faults_;
  Prng prng_;
  CourierCounts counts_;
  port::PeerExecutor* link_ = nullptr;
  std::map<std::uint64_t, std::unique_ptr<Late>> late_;
  std::uint64_t next_late_ = 1;
  bool is_paused_ = false;
  std::vector<std::uint64_t> held_;  ///< Late ones that came due meanwhile.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_COURIER_H_
