#include "sim/loop_sim.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore::sim {
namespace {

constexpr std::int64_t million = 1'000'000;

}  // namespace

LoopSim::LoopSim(World& world, Prng prng, std::uint32_t pace_ppm_max)
    : world_(world), prng_(prng), begin_(world.now()) {
  // As if the machine had been up for up to 100 days.
  origin_ = Instant() + prng_.between(Duration::seconds(1), Duration::seconds(8'640'000));
  const std::int64_t most = pace_ppm_max;
  if (most > 0) pace_ppm_ = prng_.between(-most, most);
}

LoopSim::~LoopSim() {
  for (const auto& [task, appointments] : tasks_) {
    world_.cancel(appointments.turn.ticket);
    world_.cancel(appointments.deadline.ticket);
  }
}

void LoopSim::Appointment::run() {
  if (loop.is_paused_) return loop.held_.push_back(this);
  // It may cancel itself meanwhile, and this with it.
  task.run();
}

void LoopSim::resume() {
  is_paused_ = false;
  for (Appointment* const due : std::exchange(held_, {})) {
    if (!world_.is_pending(due->ticket)) due->ticket = world_.at(world_.now(), *due);
  }
}

Duration LoopSim::paced(Duration elapsed) const {
  const std::int64_t whole = elapsed.nanoseconds() / million;
  const std::int64_t rest = elapsed.nanoseconds() % million;
  return elapsed + Duration::nanoseconds(whole * pace_ppm_ + rest * pace_ppm_ / million);
}

Instant LoopSim::in_world(Instant at) const {
  const Duration wanted = at - origin_;
  if (wanted <= Duration()) return world_.now();
  const std::int64_t pace = million + pace_ppm_;
  Duration elapsed =
      Duration::nanoseconds(wanted.nanoseconds() / pace * million + wanted.nanoseconds() % pace * million / pace);
  // Never early, whatever was rounded.
  while (paced(elapsed) < wanted) elapsed = elapsed + Duration::nanoseconds(1);
  return begin_ + elapsed;
}

WallTime LoopSim::wall_now() const {
  constexpr std::int64_t beginning_of_2026 = 1'767'225'600'000'000'000;
  return {beginning_of_2026 + (world_.now() + jumped_).nanoseconds()};
}

void LoopSim::run_soon(port::Task& task) {
  Appointment& turn = of(task).turn;
  if (!world_.is_pending(turn.ticket)) turn.ticket = world_.at(world_.now(), turn);
}

void LoopSim::run_at(port::Task& task, Instant at) {
  Appointment& deadline = of(task).deadline;
  forget(deadline);
  if (at != Instant::never()) deadline.ticket = world_.at(in_world(at), deadline);
}

void LoopSim::forget(Appointment& appointment) {
  world_.cancel(appointment.ticket);
  if (!held_.empty()) std::erase(held_, &appointment);
}

void LoopSim::cancel(port::Task& task) {
  const auto found = tasks_.find(&task);
  if (found == tasks_.end()) return;
  forget(found->second.turn);
  forget(found->second.deadline);
  tasks_.erase(found);
}

WorkerSim::WorkerSim(World& world, Prng prng, const WorkerLatency& latency)
    : world_(world), prng_(prng), latency_(latency) {}

WorkerSim::~WorkerSim() {
  world_.cancel(work_);
  for (const Worked& worked : worked_) world_.cancel(worked.ticket);
}

void WorkerSim::submit(port::Job& job) {
  waiting_.push_back(&job);
  if (waiting_.size() == 1) begin_work();
}

void WorkerSim::begin_work() {
  Duration work = prng_.between(latency_.work_min, latency_.work_max) + std::exchange(next_stall_, Duration());
  if (prng_.chance(latency_.stall_chance, 1000)) {
    work = work + latency_.stall;
    ++stalls_;
  }
  work_ = world_.after(work, working_);
}

void WorkerSim::resume() {
  is_paused_ = false;
  if (std::exchange(is_work_held_, false)) work_ = world_.at(world_.now(), working_);
  for (std::size_t i = 0; i < reports_held_; ++i) worked_[i].ticket = world_.at(world_.now(), reporting_);
  reports_held_ = 0;
}

void WorkerSim::finish_work() {
  if (is_paused_) {
    is_work_held_ = true;
    return;
  }
  port::Job* const job = waiting_.front();
  waiting_.pop_front();
  job->run();
  // Reports arrive in the order of the work.
  last_report_ = std::max(last_report_, world_.now() + prng_.between(Duration(), latency_.report_max));
  worked_.push_back({job, world_.at(last_report_, reporting_)});
  if (!waiting_.empty()) begin_work();
}

void WorkerSim::report() {
  if (is_paused_) {
    ++reports_held_;
    return;
  }
  port::Job* const job = worked_.front().job;
  worked_.pop_front();
  job->done();
}

}  // namespace metastore::sim
