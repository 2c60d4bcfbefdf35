// Brings the member down as the plan says and boots it again: at drawn file operations, between them, in the middle of
// a boot, or politely. Once retired it only sees to it that the member is up.
#ifndef METASTORE_SIM_NEMESIS_H_
#define METASTORE_SIM_NEMESIS_H_

#include <array>
#include <cstdint>
#include <deque>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/machine.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace metastore::sim {

struct NemesisCounts {
  std::array<std::uint64_t, fault_kinds> faults = {};
  std::uint64_t boot_crashes = 0;  ///< Of power_at_operation, those during a boot.
};

class Nemesis final : private port::Task {
 public:
  Nemesis(const Plan& plan, World& world, Machine& machine, TraceLog& trace);
  ~Nemesis();
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  /// The machine went down by itself: it will be booted again.
  void on_down();
  /// No more faults, but for a plan's own crash_operations; what is down is booted soon.
  void retire();
  const NemesisCounts& counts() const { return counts_; }

 private:
  void run() override;
  void boot();
  void strike();
  /// No fault is left to be done.
  bool is_spent() const;
  void schedule(Duration longest);
  void note(std::string_view what);

  const Plan& plan_;
  World& world_;
  Machine& machine_;
  TraceLog& trace_;
  Prng prng_;
  World::Ticket ticket_;
  std::deque<std::uint64_t> crash_operations_;
  std::uint64_t strikes_ = 0;
  bool is_retired_ = false;
  NemesisCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_NEMESIS_H_
