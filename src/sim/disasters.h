// What befalls a cluster as a whole, or whoever leads it: what nemeses that each know one member would hardly ever hit
// upon together. At most one member is on an empty disk at a time: that is all that the others can stand.
// A relapse is the moment in which letting such a member in costs most: some others are cut off, so that those who are
// left have committed what these lack; then one of those who have it loses its disk, and is alone with these. Whoever
// votes by an empty log makes one of them the leader.
#ifndef METASTORE_SIM_DISASTERS_H_
#define METASTORE_SIM_DISASTERS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/machine.h"
#include "sim/nemesis.h"
#include "sim/partitions.h"
#include "sim/plan.h"
#include "sim/trace_log.h"
#include "sim/world.h"

namespace metastore::sim {

class Disasters final : private port::Task {
 public:
  /// The machines and their nemeses, in the order of their numbers, may be made later.
  Disasters(const Plan& plan, World& world, std::vector<std::unique_ptr<Machine>>& machines,
            std::vector<std::unique_ptr<Nemesis>>& nemeses, Partitions& partitions, TraceLog& trace);
  ~Disasters();
  Disasters(const Disasters&) = delete;
  Disasters& operator=(const Disasters&) = delete;

  /// No more of them; everybody gets the own disk back.
  void retire();
  const std::array<std::uint64_t, disaster_kinds>& counts() const { return counts_; }
  std::uint64_t relapses() const { return relapse_count_; }

 private:
  void run() override;
  bool may_strike() const { return is_any_ && struck_ < plan_.disasters_max; }
  /// False if nobody is there whom it could befall.
  bool strike(Disaster kind);
  void take_power(std::uint64_t machines);
  /// False if there is nobody to begin with.
  bool begin_relapse();
  void go_on_relapse();
  /// Whether all members know who is who, so that nobody lets in a member that has lost its memory.
  bool are_all_known();

  const Plan& plan_;
  World& world_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  std::vector<std::unique_ptr<Nemesis>>& nemeses_;
  Partitions& partitions_;
  TraceLog& trace_;
  Prng prng_;
  Prng relapses_;
  World::Ticket ticket_;
  std::uint64_t struck_ = 0;
  LogIndex known_at_;                   ///< By when all members knew each other; 0 if they were not seen to.
  std::optional<std::size_t> swapped_;  ///< Whose disk is an empty one.
  std::array<std::uint64_t, disaster_kinds> counts_ = {};
  const bool is_any_;  ///< Besides relapses.
  std::uint64_t relapses_left_;
  std::uint64_t relapse_count_ = 0;
  std::vector<Site> behind_;  ///< Of a relapse: who is cut off,
  /// and who is not: the last of them does not lead, and is with the others once it has lost its disk.
  std::vector<Site> holders_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_DISASTERS_H_
