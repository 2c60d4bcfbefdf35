#include "sim/nemesis.h"

#include <string>

#include "core/base/assert.h"

namespace metastore::sim {

Nemesis::Nemesis(const Plan& plan, World& world, Machine& machine, TraceLog& trace)
    : plan_(plan),
      world_(world),
      machine_(machine),
      trace_(trace),
      prng_(plan.seed, "nemesis"),
      crash_operations_(plan.crash_operations.begin(), plan.crash_operations.end()) {
  schedule(Duration());
}

Nemesis::~Nemesis() { world_.cancel(ticket_); }

void Nemesis::on_down() {
  if (!machine_.files().powered()) ++counts_.faults[static_cast<std::size_t>(Fault::power_at_operation)];
  note(machine_.files().powered() ? "the member has stopped" : "the power went during a file operation");
  schedule(plan_.down_max);
}

void Nemesis::retire() {
  is_retired_ = true;
  if (plan_.crash_operations.empty()) machine_.files().power_off_at(0);
  if (machine_.is_down()) return schedule(Duration());
  world_.cancel(ticket_);
}

void Nemesis::run() {
  if (machine_.is_down()) return boot();
  strike();
}

void Nemesis::boot() {
  if (!machine_.files().powered()) machine_.files().power_on();
  const std::uint64_t operations = machine_.files().operations();
  if (!crash_operations_.empty()) {
    machine_.files().power_off_at(operations + crash_operations_.front());
    crash_operations_.pop_front();
  } else if (!is_spent() && prng_.below(100) < plan_.boot_crash_percent) {
    machine_.files().power_off_at(operations + 1 + prng_.below(plan_.boot_operations_ahead_max));
  }
  machine_.boot();
  if (!machine_.is_down()) {
    if (!is_spent()) schedule(plan_.fault_interval_max);
    return;
  }
  ++counts_.boot_crashes;
  ++strikes_;
  on_down();
}

bool Nemesis::is_spent() const { return is_retired_ || plan_.is_calm() || strikes_ >= plan_.faults_max; }

void Nemesis::strike() {
  if (is_spent()) return;
  schedule(plan_.fault_interval_max);
  if (machine_.is_draining()) return;
  ++strikes_;
  switch (static_cast<Fault>(prng_.weighted(plan_.fault_weights.data(), plan_.fault_weights.size()))) {
    case Fault::power_at_operation:
      // Counted when it happens: a member that touches no file keeps its power.
      machine_.files().power_off_at(machine_.files().operations() + 1 + prng_.below(plan_.operations_ahead_max));
      return note("orders the power off at a file operation");
    case Fault::power_now:
      ++counts_.faults[static_cast<std::size_t>(Fault::power_now)];
      note("takes the power away");
      machine_.power_off();
      return schedule(plan_.down_max);
    case Fault::kill:
      ++counts_.faults[static_cast<std::size_t>(Fault::kill)];
      note("kills the member");
      machine_.kill();
      return schedule(plan_.down_max);
    case Fault::restart:
      ++counts_.faults[static_cast<std::size_t>(Fault::restart)];
      note("asks the member to stop");
      return machine_.drain();
  }
}

void Nemesis::schedule(Duration longest) {
  world_.cancel(ticket_);
  ticket_ = world_.after(prng_.between(Duration(), longest), *this);
}

void Nemesis::note(std::string_view what) { trace_.add(world_.now(), "nemesis", what); }

}  // namespace metastore::sim
