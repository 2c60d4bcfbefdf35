#include "core/raft/outbox.h"

#include <utility>

#include "core/base/assert.h"

namespace metastore::raft {

void Outbox::send(Envelope envelope, LogWriteId write, std::uint64_t held_max, Output& out) {
  if (write <= durable_) {
    out.messages.push_back(std::move(envelope));
  } else if (held_.size() < held_max || envelope.to == envelope.from) {
    held_.push_back({write, std::move(envelope)});
  }
}

LogWriteId Outbox::begin_write(Instant now) {
  if (is_idle()) progress_at_ = now;
  last_write_ = next_write();
  return last_write_;
}

std::vector<Envelope> Outbox::on_written(Instant now, LogWriteId id) {
  ASSERT(id <= last_write_);
  if (id <= durable_) return {};
  durable_ = id;
  progress_at_ = now;
  std::vector<Envelope> released;
  std::vector<Held> still_held;
  for (Held& held : held_) {
    if (held.write <= durable_) {
      released.push_back(std::move(held.envelope));
    } else {
      still_held.push_back(std::move(held));
    }
  }
  held_ = std::move(still_held);
  return released;
}

void Outbox::check_invariants() const {
  ASSERT(durable_ <= last_write_);
  for (const Held& held : held_) {
    ASSERT(held.write > durable_);
    ASSERT(held.write <= next_write());
  }
}

}  // namespace metastore::raft
