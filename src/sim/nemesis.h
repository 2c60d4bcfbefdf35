// Brings one member down as the plan says and boots it again: at drawn file operations, between them, in the middle of
// a boot, politely, or by a disk that fails and is repaired; now and then a bit has turned over while it was down. Once
// retired it only sees to it that the member is up.
#ifndef METASTORE_SIM_NEMESIS_H_
#define METASTORE_SIM_NEMESIS_H_

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/deed.h"
#include "sim/machine.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace metastore::sim {

/// Of files that were not as they had been written when a member was started.
struct DamageCounts {
  std::uint64_t done = 0;
  std::uint64_t accepted = 0;  ///< The member was started in spite of it; other oracles judge what it says.
  std::uint64_t log_refused = 0;
  std::uint64_t engine_refused = 0;
  std::uint64_t identity_refused = 0;
};

struct NemesisCounts {
  std::array<std::uint64_t, fault_kinds> faults = {};
  std::uint64_t boot_crashes = 0;           ///< Of power_at_operation, those during a boot.
  std::uint64_t long_pauses_of_leader = 0;  ///< Of the pauses, those that outlast an election timeout.
  std::uint64_t reconfigured = 0;           ///< Boots with other settings than the plan's.
  DamageCounts flips;
  DamageCounts misplaced;
};

class Nemesis final : private port::Task {
 public:
  Nemesis(const Plan& plan, World& world, Machine& machine, TraceLog& trace, DeedLog& deeds, std::uint64_t number);
  ~Nemesis();
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  /// What befalls its member by no draw of its own; whatever goes down by it is booted again.
  template <typename Kind>
  void suffer(const Kind& kind) {
    const bool was_down = machine_.is_down();
    decide(kind);
    if (!was_down && machine_.is_down()) schedule(plan_.down_max);
  }
  /// The machine's member may be started.
  void on_admitted() { schedule(Duration()); }
  /// The member has begun to stage, or to install, a part of a snapshot: rare moments, and good ones to die soon.
  void on_image_step();
  /// The machine went down by itself: it will be booted again.
  void on_down();
  void perform(const Boot& boot);
  void perform(const PowerOff& off);
  void perform(const Kill& kill);
  void perform(const Stop& stop);
  void perform(const BreakDisk& disk);
  void perform(const SwapDisk& swap);
  void perform(const StallDisk& stall);
  void perform(const Pause& pause);
  void perform(const JumpClock& jump);
  /// No more faults, but for a plan's own crash_operations; what is down is booted soon.
  void retire();
  /// From then on, until recover(): its member is of no use. Whoever is cut off is so by others.
  void stay_broken(Rest how);
  void recover();
  const NemesisCounts& counts() const { return counts_; }

 private:
  class Interruption final : public port::Task {
   public:
    explicit Interruption(Nemesis& nemesis) : nemesis_(nemesis) {}
    void run() override { nemesis_.interrupt(); }

   private:
    Nemesis& nemesis_;
  };

  void run() override;
  template <typename Kind>
  void decide(const Kind& kind) {
    if (!is_retired_) deeds_.add(world_.now(), kind);
    perform(kind);
  }
  void boot();
  void mend();
  /// A part of a file that is not as it was written.
  struct Damage {
    std::string path;
    std::uint64_t offset = 0;
    std::string before;
    std::string after;
    std::optional<Flip> flip;  ///< That alone differs.
  };

  void start(const Boot& boot);
  /// None where there is no such place, or nothing changes.
  std::optional<Damage> flip(const Flip& flip);
  std::optional<Damage> misplace(const Misplaced& misplaced);
  bool is_end_of_log(const std::string& path) const;
  void undo(const Damage& damage);
  std::optional<Flip> draw_flip();
  std::optional<Misplaced> draw_misplaced();
  JumpClock draw_jump();
  bool has_byte(const std::string& path, std::uint64_t offset) const;
  void strike();
  /// The disk that goes on failing does so again, soon.
  void fail_again();
  void interrupt();
  void interrupt_within(Duration longest);
  /// No fault is left to be done.
  bool is_spent() const;
  void schedule(Duration longest);
  void note(std::string_view what);

  const Plan& plan_;
  World& world_;
  Machine& machine_;
  TraceLog& trace_;
  DeedLog& deeds_;
  const std::uint64_t number_;
  const std::string name_;
  Prng prng_;
  Prng oddities_;  ///< Misplaced pieces, and other configurations.
  Prng images_;
  World::Ticket ticket_;
  Interruption interruption_{*this};
  World::Ticket interruption_ticket_;
  bool has_stalled_ = false;  ///< Its disk does, because of an image.
  std::deque<std::uint64_t> crash_operations_;
  std::uint64_t strikes_ = 0;
  bool is_retired_ = false;
  std::optional<Rest> broken_;
  std::uint64_t failures_left_ = 0;  ///< Of a disk that goes on failing.
  NemesisCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_NEMESIS_H_
