#include "sim/world.h"

#include <algorithm>

#include "core/base/assert.h"

namespace metastore::sim {

World::Ticket World::at(Instant at, port::Task& task) {
  ASSERT(at != Instant::never());
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot].task = &task;
  heap_.push_back({std::max(at, now_), next_order_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), is_later);
  return {slot, slots_[slot].generation};
}

void World::cancel(Ticket ticket) {
  // The slot stays taken until its appointment comes up, so that the order of cancelling decides nothing.
  if (is_pending(ticket)) slots_[ticket.slot].task = nullptr;
}

bool World::is_pending(Ticket ticket) const {
  return ticket.generation != 0 && slots_[ticket.slot].generation == ticket.generation &&
         slots_[ticket.slot].task != nullptr;
}

bool World::step() {
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    const Appointment next = heap_.back();
    heap_.pop_back();
    Slot& slot = slots_[next.slot];
    port::Task* const task = slot.task;
    slot.task = nullptr;
    ++slot.generation;
    free_slots_.push_back(next.slot);
    if (task == nullptr) continue;
    now_ = next.at;
    ++events_;
    task->run();
    return true;
  }
  return false;
}

}  // namespace metastore::sim
