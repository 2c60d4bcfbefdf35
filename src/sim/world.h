// Virtual time and the one queue of what is to happen, ordered by (time, order of asking). Every simulated clock,
// thread, socket, client and fault is a Task in it; between two events no time passes and nothing else runs.
// It must never depend on addresses: a Task's place in memory decides nothing.
#ifndef METASTORE_SIM_WORLD_H_
#define METASTORE_SIM_WORLD_H_

#include <cstdint>
#include <vector>

#include "core/base/time.h"
#include "core/host/port/loop.h"

namespace metastore::sim {

class World {
 public:
  /// Names one appointment of a task. Default: none.
  struct Ticket {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };

  Instant now() const { return now_; }
  std::uint64_t events() const { return events_; }

  /// Runs `task` at `at`, or now if that is past. A task may have many appointments.
  Ticket at(Instant at, port::Task& task);
  Ticket after(Duration delay, port::Task& task) { return at(now_ + delay, task); }
  /// Forgets an appointment; one that was kept or forgotten already is no error.
  void cancel(Ticket ticket);
  bool is_pending(Ticket ticket) const;

  /// Lets the next thing happen. False if nothing is left to happen.
  bool step();

 private:
  struct Slot {
    port::Task* task = nullptr;  ///< Null: forgotten.
    std::uint32_t generation = 1;
  };
  struct Appointment {
    Instant at;
    std::uint64_t order = 0;
    std::uint32_t slot = 0;
  };
  static bool is_later(const Appointment& a, const Appointment& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  Instant now_ = Instant::from_nanoseconds(0);
  std::uint64_t next_order_ = 0;
  std::uint64_t events_ = 0;
  std::vector<Appointment> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WORLD_H_
