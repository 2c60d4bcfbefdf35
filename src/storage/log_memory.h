// The log and the checkpoints of a member that keeps nothing (--engine=memory, design D5): every write counts as
// durable at once, and a restart begins with an empty member under a new identity.
#ifndef METASTORE_STORAGE_LOG_MEMORY_H_
#define METASTORE_STORAGE_LOG_MEMORY_H_

#include <vector>

#include "core/host/port/executors.h"

namespace metastore::storage {

class LogMemory final : public port::LogExecutor, public port::CheckpointExecutor {
 public:
  explicit LogMemory(port::Inbox& inbox) : inbox_(inbox) {}

  /// Requires: not empty.
  void write(std::vector<raft::LogWrite> writes) override { inbox_.post(LogWritten{writes.back().id}); }
  void write(Checkpoint checkpoint) override { inbox_.post(CheckpointWritten{checkpoint.applied_index}); }
  void defragment() override { inbox_.post(Defragmented{}); }
  void stage(std::vector<ImageStep> steps) override {
    for (const ImageStep& step : steps) {
      if (step.kind == ImageStep::Kind::install) {
        inbox_.post(ImageInstalled{step.image});
      } else if (step.kind != ImageStep::Kind::drop) {
        inbox_.post(ImageStaged{step.image, step.parts});
      }
    }
  }

 private:
  port::Inbox& inbox_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_LOG_MEMORY_H_
