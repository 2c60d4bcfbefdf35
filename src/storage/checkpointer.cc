#include "storage/checkpointer.h"

#include <utility>

#include "core/base/assert.h"

namespace metastore::storage {

Checkpointer::Checkpointer(std::unique_ptr<port::Engine> engine, port::Worker& worker, port::Inbox& inbox)
    : engine_(std::move(engine)), worker_(worker), inbox_(inbox) {}

void Checkpointer::write(Checkpoint checkpoint) {
  // After a failure nothing is durable any more, and the member is about to stop.
  if (!status_) return;
  ASSERT(!checkpoint_.has_value());
  checkpoint_ = std::move(checkpoint);
  worker_.submit(*this);
}

void Checkpointer::defragment() {
  if (status_) worker_.submit(defragmentation_);
}

void Checkpointer::Defragmentation::done() {
  // A checkpoint that failed before it has been reported.
  if (!owner.status_) return;
  if (result) return owner.inbox_.post(Defragmented{std::move(result).value()});
  owner.status_ = result.error();
  owner.inbox_.storage_failed(result.error());
}

void Checkpointer::run() { status_ = engine_->write(*checkpoint_); }

void Checkpointer::done() {
  const LogIndex applied_index = checkpoint_->applied_index;
  checkpoint_.reset();
  write_nanoseconds_.record(static_cast<std::uint64_t>(engine_->write_took.nanoseconds()));
  if (!status_) return inbox_.storage_failed(status_.error());
  inbox_.post(CheckpointWritten{applied_index});
}

}  // namespace metastore::storage
