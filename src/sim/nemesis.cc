#include "sim/nemesis.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/assert.h"

namespace metastore::sim {

Nemesis::Nemesis(const Plan& plan, World& world, Machine& machine, TraceLog& trace, std::uint64_t number)
    : plan_(plan),
      world_(world),
      machine_(machine),
      trace_(trace),
      name_(numbered("nemesis", number)),
      prng_(plan.seed, name_),
      crash_operations_(plan.crash_operations.begin(), plan.crash_operations.end()) {
  schedule(Duration());
}

Nemesis::~Nemesis() { world_.cancel(ticket_); }

void Nemesis::on_down() {
  if (machine_.files().has_broken()) {
    // The machine is repaired, and started anew: what the disk had not kept is gone.
    note("the disk failed, and is repaired");
    machine_.files().repair();
    if (machine_.files().powered()) machine_.files().power_off();
    return schedule(plan_.down_max);
  }
  if (!machine_.files().powered()) ++counts_.faults[static_cast<std::size_t>(Fault::power_at_operation)];
  note(machine_.files().powered() ? "the member has stopped" : "the power went during a file operation");
  schedule(plan_.down_max);
}

void Nemesis::retire() {
  is_retired_ = true;
  if (plan_.crash_operations.empty()) machine_.files().power_off_at(0);
  if (!machine_.files().has_broken()) machine_.files().repair();
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
  start();
  if (!machine_.is_down()) {
    if (!is_spent()) schedule(plan_.fault_interval_max);
    return;
  }
  if (!machine_.files().has_broken()) ++counts_.boot_crashes;
  ++strikes_;
  on_down();
}

void Nemesis::start() {
  std::optional<Flip> flip;
  if (!is_spent() && prng_.below(100) < plan_.flip_percent) flip = flip_something();
  if (!flip) return machine_.boot();
  ++counts_.flips;
  note("a bit of " + flip->path + " turns over, at " + std::to_string(flip->offset));
  machine_.boot(flip->path);
  undo(*flip);
  if (!machine_.is_down()) {
    ++counts_.flips_accepted;
  } else if (machine_.files().powered() && !machine_.files().has_broken()) {
    note("it is turned back");
    ++(flip->path.starts_with("member/wal/")  ? counts_.log_flips_refused
       : flip->path.starts_with("member/db/") ? counts_.engine_flips_refused
                                              : counts_.identity_flips_refused);
    machine_.boot();
  }
}

std::optional<Nemesis::Flip> Nemesis::flip_something() {
  const std::vector<std::string> files = machine_.files().all_files();
  if (files.empty()) return std::nullopt;
  Flip flip;
  flip.path = files[prng_.below(files.size())];
  const std::string contents = machine_.files().contents(flip.path);
  if (contents.empty()) return std::nullopt;
  // Segments are filled with zeros ahead: most flips should hit what was written.
  const std::size_t last = contents.find_last_not_of('\0');
  const bool is_anywhere = last == std::string::npos || prng_.chance(1, 4);
  flip.offset = prng_.below(is_anywhere ? contents.size() : last + 1);
  flip.bit = static_cast<unsigned>(prng_.below(8));
  machine_.files().flip(flip.path, flip.offset, flip.bit);
  flip.flipped = machine_.files().contents(flip.path)[flip.offset];
  return flip;
}

void Nemesis::undo(const Flip& flip) {
  const std::vector<std::string> files = machine_.files().all_files();
  if (std::find(files.begin(), files.end(), flip.path) == files.end()) return;
  const std::string contents = machine_.files().contents(flip.path);
  // The member may have written over it.
  if (flip.offset >= contents.size() || contents[flip.offset] != flip.flipped) return;
  machine_.files().flip(flip.path, flip.offset, flip.bit);
}

bool Nemesis::is_spent() const { return is_retired_ || plan_.is_calm() || strikes_ >= plan_.faults_max; }

void Nemesis::strike() {
  if (is_spent()) return;
  schedule(plan_.fault_interval_max);
  if (machine_.is_draining()) return;
  ++strikes_;
  const auto fault = static_cast<Fault>(prng_.weighted(plan_.fault_weights.data(), plan_.fault_weights.size()));
  switch (fault) {
    case Fault::power_at_operation:
      // Counted when it happens: a member that touches no file keeps its power.
      machine_.files().power_off_at(machine_.files().operations() + 1 + prng_.below(plan_.operations_ahead_max));
      return note("orders the power off at a file operation");
    case Fault::sync_error:
    case Fault::write_error:
    case Fault::disk_full: {
      // Counted by the disk, when it happens.
      constexpr DiskFault faults[] = {DiskFault::sync_error, DiskFault::write_error, DiskFault::full};
      const std::uint64_t operation = machine_.files().operations() + 1 + prng_.below(plan_.operations_ahead_max);
      machine_.files().break_at(operation,
                                faults[static_cast<std::size_t>(fault) - static_cast<std::size_t>(Fault::sync_error)]);
      return note("orders a failure of the disk");
    }
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

void Nemesis::note(std::string_view what) { trace_.add(world_.now(), name_, what); }

}  // namespace metastore::sim
