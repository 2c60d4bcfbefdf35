// Carries out what a replica wants of the engine, checkpoints above all: on a worker of its own, one at a time, so
// that neither the loop nor the log waits for the engine. CheckpointWritten follows when a checkpoint is durable,
// ImageStaged when parts of a snapshot are, of which those that wait share a write; a storage failure is reported once
// and never retried. Runs on the loop thread; what the worker reads stays untouched meanwhile.
#ifndef METASTORE_STORAGE_CHECKPOINTER_H_
#define METASTORE_STORAGE_CHECKPOINTER_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  void stage(std::vector<ImageStep> steps) override;

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

  /// The same for snapshots: one job is one step, or several parts at once.
  struct Staging final : port::Job {
    explicit Staging(Checkpointer& owner_) : owner(owner_) {}
    void begin();
    void run() override;
    void done() override;

    Checkpointer& owner;
    std::deque<ImageStep> waiting;
    bool is_busy = false;
    ImageStep step;       ///< Under way, without its rows ...
    bool begins = false;  ///< ... which are the first ...
    Checkpoint rows;      ///< ... and all that are written with it.
    std::unique_ptr<port::Engine> staged;
    port::StorageStatus status = Done{};
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
  Staging staging_{*this};
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_CHECKPOINTER_H_
