#include "storage/log_store.h"

#include <iterator>
#include <utility>

#include "core/base/assert.h"

namespace metastore::storage {

namespace {

std::uint64_t size_of(const raft::LogWrite& write) {
  std::uint64_t size = 0;
  for (const raft::Entry& entry : write.append) size += entry.data.size();
  return size;
}

}  // namespace

LogStore::LogStore(std::unique_ptr<Wal> wal, const Limits& limits, port::Worker& worker, port::Inbox& inbox)
    : wal_(std::move(wal)),
      batch_bytes_max_(limits.wal_batch_bytes_max),
      worker_(worker),
      inbox_(inbox),
      costs_(wal_->costs()) {}

void LogStore::write(std::vector<raft::LogWrite> writes) {
  if (work_ == Work::failed) return;
  waiting_.insert(waiting_.end(), std::make_move_iterator(writes.begin()), std::make_move_iterator(writes.end()));
  if (work_ == Work::none) begin_work(false);
}

/// Upkeep takes turns with batches, so that neither starves the other.
void LogStore::begin_work(bool may_keep_up) {
  if (may_keep_up && wal_->wants_upkeep()) {
    work_ = Work::upkeep;
  } else if (!waiting_.empty()) {
    work_ = Work::batch;
    begin_batch();
  } else if (wal_->wants_upkeep()) {
    work_ = Work::upkeep;
  } else {
    work_ = Work::none;
    return;
  }
  worker_.submit(*this);
}

void LogStore::begin_batch() {
  std::uint64_t size = 0;
  do {
    size += size_of(waiting_.front());
    batch_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  } while (!waiting_.empty() && size + size_of(waiting_.front()) <= batch_bytes_max_);
}

void LogStore::run() { status_ = work_ == Work::batch ? wal_->append(batch_) : wal_->upkeep(); }

void LogStore::done() {
  ASSERT(work_ == Work::batch || work_ == Work::upkeep);
  if (!status_) {
    work_ = Work::failed;
    waiting_.clear();
    inbox_.storage_failed(status_.error());
    return;
  }
  const bool was_batch = work_ == Work::batch;
  costs_ = wal_->costs();
  if (was_batch) {
    inbox_.post(LogWritten{batch_.back().id});
    batch_.clear();
  }
  begin_work(was_batch);
}

}  // namespace metastore::storage
