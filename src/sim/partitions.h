// Cuts the network between members as the plan says: one from all, some from the others, in one direction, all but a
// bridge, or one after another; and mends it again. One cut at a time.
// Source of the last one: FoundationDB's swizzle-clogging.
#ifndef METASTORE_SIM_PARTITIONS_H_
#define METASTORE_SIM_PARTITIONS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/deed.h"
#include "sim/network_sim.h"
#include "sim/plan.h"
#include "sim/trace_log.h"
#include "sim/world.h"

namespace metastore::sim {

class Partitions final : private port::Task {
 public:
  Partitions(const Plan& plan, World& world, NetworkSim& network, TraceLog& trace, DeedLog& deeds);
  ~Partitions();
  Partitions(const Partitions&) = delete;
  Partitions& operator=(const Partitions&) = delete;

  /// Cuts nothing but all ways between these two parties.
  void part(const std::vector<Site>& ones, const std::vector<Site>& others);
  void mend();
  void perform(const CutLinks& cut);
  void perform(const Mend& mend);
  /// All is mended, for good.
  void retire();
  const std::array<std::uint64_t, cut_kinds>& counts() const { return counts_; }

 private:
  void run() override;
  template <typename Kind>
  void decide(const Kind& kind);
  /// Empty, if it begins later.
  CutLinks draw_cut();
  void isolate(Site one, CutLinks& cut) const;

  const Plan& plan_;
  World& world_;
  NetworkSim& network_;
  TraceLog& trace_;
  DeedLog& deeds_;
  Prng prng_;
  World::Ticket ticket_;
  bool is_cut_ = false;
  std::vector<Site> to_isolate_;  ///< Of a cut that goes on, and
  std::vector<Site> to_mend_;     ///< of one that is mended little by little; the next are the last.
  std::array<std::uint64_t, cut_kinds> counts_ = {};
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_PARTITIONS_H_
