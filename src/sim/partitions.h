// Cuts the network between members as the plan says: one from all, some from the others, in one direction, or all but a
// bridge; and mends it again. One cut at a time.
#ifndef METASTORE_SIM_PARTITIONS_H_
#define METASTORE_SIM_PARTITIONS_H_

#include <array>
#include <cstdint>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/deed.h"
#include "sim/plan.h"
#include "sim/post.h"
#include "sim/trace_log.h"
#include "sim/world.h"

namespace metastore::sim {

class Partitions final : private port::Task {
 public:
  Partitions(const Plan& plan, World& world, Post& post, TraceLog& trace, DeedLog& deeds);
  ~Partitions();
  Partitions(const Partitions&) = delete;
  Partitions& operator=(const Partitions&) = delete;

  void perform(const CutLinks& cut);
  void perform(const Mend& mend);
  /// All is mended, for good.
  void retire();
  const std::array<std::uint64_t, cut_kinds>& counts() const { return counts_; }

 private:
  void run() override;
  template <typename Kind>
  void decide(const Kind& kind);
  CutLinks draw_cut();

  const Plan& plan_;
  World& world_;
  Post& post_;
  TraceLog& trace_;
  DeedLog& deeds_;
  Prng prng_;
  World::Ticket ticket_;
  bool is_cut_ = false;
  std::array<std::uint64_t, cut_kinds> counts_ = {};
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_PARTITIONS_H_
