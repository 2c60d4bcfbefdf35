#include "storage/checkpointer.h"

#include <iterator>
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

void Checkpointer::stage(std::vector<ImageStep> steps) {
  if (!status_) return;
  std::move(steps.begin(), steps.end(), std::back_inserter(staging_.waiting));
  if (!staging_.is_busy) staging_.begin();
}

void Checkpointer::Staging::begin() {
  is_busy = !waiting.empty();
  if (!is_busy) return;
  const auto has_rows = [](const ImageStep& candidate) {
    return candidate.kind == ImageStep::Kind::rows || candidate.kind == ImageStep::Kind::last_rows;
  };
  begins = has_rows(waiting.front()) && waiting.front().parts == 1;
  std::string joined;
  do {
    step = std::move(waiting.front());
    waiting.pop_front();
    joined += step.rows.view();
  } while (step.kind == ImageStep::Kind::rows && !waiting.empty() && has_rows(waiting.front()) &&
           waiting.front().image == step.image);
  rows.rows = Bytes::copy_of(joined);
  step.rows = Bytes();
  owner.worker_.submit(*this);
}

void Checkpointer::Staging::run() {
  if (step.kind == ImageStep::Kind::install) {
    status = owner.engine_->install(std::move(staged));
    return;
  }
  if (step.kind == ImageStep::Kind::drop) {
    staged.reset();
    status = owner.engine_->drop_staged();
    return;
  }
  if (begins) {
    staged.reset();
    port::StorageResult<std::unique_ptr<port::Engine>> empty = owner.engine_->stage();
    if (!empty) {
      status = empty.error();
      return;
    }
    staged = std::move(empty).value();
  }
  status = staged->write(rows);
  if (status && step.kind == ImageStep::Kind::last_rows) status = staged->check();
}

void Checkpointer::Staging::done() {
  if (!owner.status_) return;
  rows.rows = Bytes();
  if (!status) {
    owner.status_ = status;
    return owner.inbox_.storage_failed(status.error());
  }
  if (step.kind == ImageStep::Kind::install) {
    owner.inbox_.post(ImageInstalled{step.image});
  } else if (step.kind != ImageStep::Kind::drop) {
    owner.inbox_.post(ImageStaged{step.image, step.parts});
  }
  begin();
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
