// Moves leadership without a crash: now and then somebody asks the leader to hand over to another member. In part of
// the seeds the leader does not hear its successor: for as long as it believes that it leads there are two, and a lease
// that the one ends is kept alive at the other.
#ifndef METASTORE_SIM_SUCCESSION_H_
#define METASTORE_SIM_SUCCESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/client.h"
#include "sim/deed.h"
#include "sim/keeper.h"
#include "sim/machine.h"
#include "sim/partitions.h"
#include "sim/world.h"

namespace metastore::sim {

struct SuccessionCounts {
  std::uint64_t moves = 0;
  std::uint64_t deposed = 0;  ///< Leaders that were seen to believe that they lead while somebody else did.
};

class Succession final : private port::Task {
 public:
  /// By whose hands it asks.
  struct Hands {
    Client* client = nullptr;
    Keeper* keeper = nullptr;
    std::uint64_t keeper_id = 0;
  };

  /// Draws nothing before begin().
  Succession(Stage& stage, Doors& doors, std::vector<std::unique_ptr<Machine>>& machines, Partitions& partitions);
  ~Succession();
  Succession(const Succession&) = delete;
  Succession& operator=(const Succession&) = delete;

  /// Requires: the plan has successions.
  void begin(const Hands& hands);
  void perform(const MoveLeader& move);
  void retire();
  const SuccessionCounts& counts() const { return counts_; }

 private:
  /// The deposed leader, and what is done meanwhile.
  struct Contest {
    std::uint64_t deposed = 0;
    Instant until;
    bool has_revoked = false;
  };

  void run() override;
  void begin_contest(std::uint64_t leader, std::uint64_t successor);
  /// Whether the successor has all that the leader has: only then it is told, though the leader hears no more.
  bool is_level(std::uint64_t leader, std::uint64_t successor) const;
  void go_on(Contest& contest);
  void look_soon();
  template <typename Kind>
  void decide(const Kind& kind);
  std::uint64_t draw_successor(std::uint64_t leader);

  Stage& stage_;
  Doors& doors_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  Partitions& partitions_;
  Hands hands_;
  Prng prng_;
  World::Ticket turn_;
  std::int64_t lease_ = 0;  ///< The latest that it has asked for.
  std::optional<Contest> contest_;
  std::uint64_t moves_left_;
  SuccessionCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SUCCESSION_H_
