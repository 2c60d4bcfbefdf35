// Carries out the log writes that a replica wants: on a worker, one batch at a time. What arrives while a batch is
// being synced waits and shares the next one. Each batch is answered by LogWritten only after its fdatasync; a storage
// failure is reported once and never retried. Runs on the loop thread; what the worker reads stays untouched meanwhile.
#ifndef METASTORE_STORAGE_LOG_STORE_H_
#define METASTORE_STORAGE_LOG_STORE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/base/limits.h"
#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "storage/wal.h"

namespace metastore::storage {

/// Must outlive the worker's last job: destroy the worker first.
class LogStore final : public port::LogExecutor, private port::Job {
 public:
  LogStore(std::unique_ptr<Wal> wal, const Limits& limits, port::Worker& worker, port::Inbox& inbox);

  void write(std::vector<raft::LogWrite> writes) override;

  /// As of the last batch that is done.
  const WalCosts& costs() const { return costs_; }

 private:
  enum class Work : std::uint8_t { none, batch, upkeep, failed };

  void run() override;
  void done() override;
  void begin_work(bool may_keep_up);
  void begin_batch();

  std::unique_ptr<Wal> wal_;
  const std::uint64_t batch_bytes_max_;
  port::Worker& worker_;
  port::Inbox& inbox_;

  Work work_ = Work::none;              ///< What the worker is doing.
  std::deque<raft::LogWrite> waiting_;  ///< Not yet begun.
  std::vector<raft::LogWrite> batch_;   ///< The worker reads it while work_ is batch.
  port::StorageStatus status_ = Done{};
  WalCosts costs_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_LOG_STORE_H_
