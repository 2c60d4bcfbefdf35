// Carries out what a replica wants of the engine, checkpoints above all: on a worker of its own, one at a time, so that
// neither the loop nor the log waits for the engine. CheckpointWritten follows when a checkpoint is durable; a storage
// failure is reported once and never retried. Runs on the loop thread; what the worker reads stays untouched meanwhile.
#ifndef METASTORE_STORAGE_CHECKPOINTER_H_
#define METASTORE_STORAGE_CHECKPOINTER_H_

#include <memory>
#include <optional>
#include <string>

#include "core/host/port/engine.h"
#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "storage/disk_costs.h"

namespace metastore::storage {

/// Must outlive the worker's last job: destroy the worker first.
class Checkpointer final : public port::CheckpointExecutor, private port::Job {
 public:
  Checkpointer(std::unique_ptr<port::Engine> engine, port::Worker& worker, port::Inbox& inbox);

  void write(Checkpoint checkpoint) override;
  void defragment() override;

  /// How long each took to be durable.
  const DiskDurations& write_nanoseconds() const { return write_nanoseconds_; }

 private:
  /// Stands in the worker's queue as a checkpoint does, so that neither begins before the other is done.
  struct Defragmentation final : port::Job {
    explicit Defragmentation(Checkpointer& owner_) : owner(owner_) {}
    void run() override { result = owner.engine_->defragment(); }
    void done() override;

    Checkpointer& owner;
    port::StorageResult<std::string> result = std::string();
  };

  void run() override;
  void done() override;

  std::unique_ptr<port::Engine> engine_;
  port::Worker& worker_;
  port::Inbox& inbox_;

  std::optional<Checkpoint> checkpoint_;  ///< Being written: the worker reads it.
  port::StorageStatus status_ = Done{};
  DiskDurations write_nanoseconds_;
  Defragmentation defragmentation_{*this};
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_CHECKPOINTER_H_
