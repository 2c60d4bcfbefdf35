// One member's loop thread and helper threads in virtual time. A crash is the destruction of these objects: whatever
// they still had to do will not happen. While their process is paused they do nothing, and what became due meanwhile
// comes, in its order, when it goes on; the clocks do not wait. Time begins anew at each boot, from a drawn origin, as
// a machine's does, and goes at a pace of its own; the wall clock is what its people say.
#ifndef METASTORE_SIM_LOOP_SIM_H_
#define METASTORE_SIM_LOOP_SIM_H_

#include <deque>
#include <map>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/calling.h"
#include "sim/world.h"

namespace metastore::sim {

class LoopSim final : public port::Loop {
 public:
  /// The clock is up to `pace_ppm_max` millionths faster or slower than the world's.
  LoopSim(World& world, Prng prng, std::uint32_t pace_ppm_max = 0);
  ~LoopSim() override;
  LoopSim(const LoopSim&) = delete;
  LoopSim& operator=(const LoopSim&) = delete;

  Instant now() const override { return origin_ + paced(world_.now() - begin_); }
  WallTime wall_now() const override;
  std::array<std::uint64_t, 2> entropy() override { return {prng_.next(), prng_.next()}; }
  void run_soon(port::Task& task) override;
  void run_at(port::Task& task, Instant at) override;
  void cancel(port::Task& task) override;

  void pause() { is_paused_ = true; }
  void resume();
  /// The wall clock is set so much forward, or back.
  void jump(Duration by) { jumped_ = jumped_ + by; }

 private:
  /// What the loop owes a task, at the world's time.
  struct Appointment final : port::Task {
    Appointment(LoopSim& owner, port::Task& owed) : loop(owner), task(owed) {}
    void run() override;
    LoopSim& loop;
    port::Task& task;
    World::Ticket ticket;
  };
  struct Appointments {
    Appointments(LoopSim& loop, port::Task& task) : turn(loop, task), deadline(loop, task) {}
    Appointment turn;
    Appointment deadline;
  };

  Appointments& of(port::Task& task) { return tasks_.try_emplace(&task, *this, task).first->second; }
  void forget(Appointment& appointment);

  Duration paced(Duration elapsed) const;
  Instant in_world(Instant at) const;

  World& world_;
  Prng prng_;
  const Instant begin_;
  Instant origin_;
  std::int64_t pace_ppm_ = 0;
  /// Only looked up by address, never walked in a way that shows.
  std::map<port::Task*, Appointments> tasks_;
  Duration jumped_;
  bool is_paused_ = false;
  std::vector<Appointment*> held_;  ///< Became due while it was paused, in that order.
};

/// How long a helper thread takes before a job's work is done, and from there until the loop hears of it.
struct WorkerLatency {
  Duration work_min;
  Duration work_max;
  Duration report_max;
  /// A stall: `stall_chance` of 1,000 jobs take `stall` longer.
  std::uint32_t stall_chance = 0;
  Duration stall;
};

class WorkerSim final : public port::Worker {
 public:
  WorkerSim(World& world, Prng prng, const WorkerLatency& latency);
  ~WorkerSim() override;
  WorkerSim(const WorkerSim&) = delete;
  WorkerSim& operator=(const WorkerSim&) = delete;

  void submit(port::Job& job) override;
  /// The next job takes so much longer.
  void stall_next(Duration stall) { next_stall_ = stall; }
  std::uint64_t stalls() const { return stalls_; }
  /// The thread stops, once the call that it is in is done; or it goes on.
  void pause() { is_paused_ = true; }
  void resume();

 private:
  void begin_work();
  /// The job at the front of waiting_ was at work; its time is up, and it is run.
  void finish_work();
  /// The loop hears of the job at the front of worked_.
  void report();

  World& world_;
  Prng prng_;
  WorkerLatency latency_;
  Calling<&WorkerSim::finish_work> working_{*this};
  Calling<&WorkerSim::report> reporting_{*this};
  World::Ticket work_;
  std::deque<port::Job*> waiting_;
  struct Worked {
    port::Job* job;
    World::Ticket ticket;
  };
  std::deque<Worked> worked_;
  Instant last_report_ = Instant::from_nanoseconds(0);
  Duration next_stall_;
  bool is_paused_ = false;
  bool is_work_held_ = false;  ///< As the next, it became due while it was paused.
  std::size_t reports_held_ = 0;
  std::uint64_t stalls_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_LOOP_SIM_H_
