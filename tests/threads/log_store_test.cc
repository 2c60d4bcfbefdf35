// The real log store on real files with the real worker, shut down while jobs are under way. Built with ThreadSanitizer
// too: entries are shared by a plain count between the log store and whoever proposed them, as in a member.
#include "storage/log_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "net/loop_asio.h"
#include "net/worker_asio.h"
#include "storage/engine_memory.h"
#include "storage/files_posix.h"
#include "storage/recovery.h"
#include "storage/temp_directory_posix.h"

namespace metastore {
namespace {

/// Stands for a replica: keeps some writes on their way, holds their entries, and stops the loop in the middle.
class Proposer final : public port::Inbox, private port::Task {
 public:
  Proposer(net::LoopAsio& loop, std::vector<raft::Entry> log, Prng& prng)
      : loop_(loop), prng_(prng), log_(std::move(log)), stop_at_(LogWriteId(50 + prng.below(100))) {}

  void start(storage::LogStore& store) {
    store_ = &store;
    loop_.run_soon(*this);
  }
  void post(Event event) override {
    const LogWriteId id = std::get<LogWritten>(event).id;
    CHECK(id > acknowledged_);
    CHECK(id <= proposed_);
    acknowledged_ = id;
    if (acknowledged_ >= stop_at_) {
      loop_.cancel(*this);
      loop_.stop();
    }
  }
  void storage_failed(const port::StorageError& error) override {
    FAIL_CHECK(error.message);
    loop_.stop();
  }

  LogWriteId acknowledged() const { return acknowledged_; }
  const std::vector<raft::Entry>& log() const { return log_; }

 private:
  /// Works in every turn, so that the worker is never alone with an entry.
  void run() override {
    loop_.run_soon(*this);
    const std::vector<raft::Entry> sent(
        log_.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(log_.size(), 40)), log_.end());
    if (proposed_.value() - acknowledged_.value() > 20) return;
    std::vector<raft::LogWrite> writes;
    for (std::uint64_t count = 1 + prng_.below(4); count > 0; --count) {
      std::string data(prng_.chance(1, 10) ? prng_.below(20'000) : prng_.below(200), 'v');
      log_.push_back({Term(1), LogIndex(log_.size() + 1), raft::EntryType::normal, Bytes::copy_of(data)});
      proposed_ = proposed_.next();
      writes.push_back({proposed_, raft::HardState{Term(1), MemberId(1), LogIndex(log_.size() - 1)}, {log_.back()}});
    }
    store_->write(std::move(writes));
  }

  net::LoopAsio& loop_;
  Prng& prng_;
  storage::LogStore* store_ = nullptr;
  std::vector<raft::Entry> log_;
  LogWriteId proposed_;
  LogWriteId acknowledged_;
  LogWriteId stop_at_;
};

TEST_CASE("what the log store acknowledged is there after a shutdown in the middle of its work") {
  storage::TempDirectory directory;
  Limits limits;
  limits.wal_segment_bytes = 200'000;
  limits.wal_batch_bytes_max = 30'000;
  storage::NewMember member;
  member.first.hard_state = raft::HardState{Term(1), MemberId(1), LogIndex(0)};
  Prng prng(1, "log_store_threads");
  std::vector<raft::Entry> acknowledged;
  std::vector<raft::Entry> proposed;
  for (int boot = 0; boot < 6; ++boot) {
    auto files = storage::PosixFiles::open_exclusively(directory.path());
    REQUIRE(files.ok());
    storage::EnginesMemory engines;
    port::StorageResult<storage::Recovery> recovery = storage::recover(*files.value(), engines, limits, member);
    if (!recovery) FAIL(recovery.error().message);
    const std::vector<raft::Entry>& found = recovery.value().recovered.log.entries;
    REQUIRE(found.size() >= acknowledged.size());
    REQUIRE(found.size() <= proposed.size());
    CHECK(std::equal(found.begin(), found.end(), proposed.begin()));

    net::LoopAsio loop;
    Proposer proposer(loop, found, prng);
    auto worker = std::make_unique<net::WorkerAsio>(loop);
    storage::LogStore store(std::move(recovery.value().wal), limits, *worker, proposer);
    proposer.start(store);
    loop.run();
    worker.reset();
    proposed = proposer.log();
    acknowledged.assign(proposed.begin(), proposed.begin() + static_cast<std::ptrdiff_t>(found.size()) +
                                              static_cast<std::ptrdiff_t>(proposer.acknowledged().value()));
  }
}

}  // namespace
}  // namespace metastore
