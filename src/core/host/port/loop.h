// The clock and the turns of one loop thread: what the host and the sessions need of time.
// Two implementations: Asio's io_context (net/loop_asio) and the simulator's world (sim/loop_sim). A Task is owned by
// whoever schedules it and must be cancelled, or outlive the loop; nothing here allocates a closure.
#ifndef METASTORE_CORE_HOST_PORT_LOOP_H_
#define METASTORE_CORE_HOST_PORT_LOOP_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace metastore::port {

class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual void run() = 0;

  /// Where a loop notes what it owes this task, so that it need not search or allocate. For loops alone.
  struct Place {
    std::size_t soon = 0;
    Instant deadline = Instant::never();
  };
  Place place;

 protected:
  ~Task() = default;
};

class Loop {
 public:
  virtual ~Loop() = default;

  /// Monotonic; equal within one turn or rising.
  virtual Instant now() const = 0;
  virtual WallTime wall_now() const = 0;
  /// 16 bytes that nobody can guess (in a simulation: drawn from the seed).
  virtual std::array<std::uint64_t, 2> entropy() = 0;

  /// Runs `task` once, soon, never within this call; asking again before it ran changes nothing.
  virtual void run_soon(Task& task) = 0;
  /// Runs `task` once at or after `at`. Each task has one deadline: the latest call wins; Instant::never() clears it.
  virtual void run_at(Task& task, Instant at) = 0;
  /// Forgets `task`: neither its turn nor its deadline will come.
  virtual void cancel(Task& task) = 0;
};

/// One piece of blocking work. `run` happens away from the loop and must touch nothing that the loop touches meanwhile;
/// `done` happens on the loop afterwards.
class Job {
 public:
  virtual void run() = 0;
  virtual void done() = 0;

 protected:
  ~Job() = default;
};

/// A helper thread that does jobs one after another, in order (in a simulation: events with a drawn latency).
class Worker {
 public:
  virtual ~Worker() = default;
  /// `job` stays alive until its `done`. After the worker is destroyed neither will be called.
  virtual void submit(Job& job) = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_LOOP_H_
