#include "storage/log_store.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "storage/engine_memory.h"
#include "storage/files_posix.h"
#include "storage/recovery.h"
#include "storage/temp_directory_posix.h"

namespace metastore::storage {
namespace {

/// Runs a job when it is told to.
class ManualWorker final : public port::Worker {
 public:
  void submit(port::Job& job) override {
    CHECK(job_ == nullptr);
    job_ = &job;
  }
  bool busy() const { return job_ != nullptr; }
  void run_one() {
    REQUIRE(job_ != nullptr);
    port::Job& job = *std::exchange(job_, nullptr);
    job.run();
    job.done();
  }

 private:
  port::Job* job_ = nullptr;
};

class RecordingInbox final : public port::Inbox {
 public:
  void post(Event event) override { written.push_back(std::get<LogWritten>(event).id.value()); }
  void storage_failed(const port::StorageError& error) override { failures.push_back(error.message); }
  std::vector<std::uint64_t> written;
  std::vector<std::string> failures;
};

/// Files whose syncs fail once they are told to, and which count them.
struct Faults {
  int syncs = 0;
  bool fail = false;
};

class FaultyFile final : public port::File {
 public:
  FaultyFile(std::unique_ptr<port::File> file, Faults& faults) : file_(std::move(file)), faults_(faults) {}
  port::StorageResult<std::uint64_t> size() override { return file_->size(); }
  port::StorageResult<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    return file_->read_at(offset, out);
  }
  port::StorageStatus write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
    return file_->write_at(offset, parts);
  }
  port::StorageStatus sync() override {
    ++faults_.syncs;
    if (faults_.fail) return port::StorageError{"the disk is gone"};
    return file_->sync();
  }
  port::StorageStatus truncate(std::uint64_t size) override { return file_->truncate(size); }

 private:
  std::unique_ptr<port::File> file_;
  Faults& faults_;
};

class FaultyFiles final : public port::Files {
 public:
  explicit FaultyFiles(port::Files& files) : files_(files) {}
  port::StorageResult<std::unique_ptr<port::File>> open(std::string_view path, port::OpenMode mode) override {
    auto file = files_.open(path, mode);
    if (!file) return file;
    return std::unique_ptr<port::File>(new FaultyFile(std::move(file).value(), faults));
  }
  bool exists(std::string_view path) override { return files_.exists(path); }
  port::StorageResult<std::vector<std::string>> list(std::string_view path) override { return files_.list(path); }
  port::StorageStatus create_directory(std::string_view path) override { return files_.create_directory(path); }
  port::StorageStatus rename(std::string_view from, std::string_view to) override { return files_.rename(from, to); }
  port::StorageStatus remove(std::string_view path) override { return files_.remove(path); }
  port::StorageStatus sync_directory(std::string_view path) override { return files_.sync_directory(path); }
  Faults faults;

 private:
  port::Files& files_;
};

raft::LogWrite put(std::uint64_t id, std::size_t size = 10) {
  const raft::Entry entry{Term(1), LogIndex(id + 1), raft::EntryType::normal, Bytes::copy_of(std::string(size, 'v'))};
  return {LogWriteId(id), raft::HardState{Term(1), MemberId(0), LogIndex(id)}, {entry}};
}

struct Fixture {
  TempDirectory directory;
  std::unique_ptr<PosixFiles> posix = PosixFiles::open_exclusively(directory.path()).value();
  FaultyFiles files{*posix};
  ManualWorker worker;
  RecordingInbox inbox;
  std::unique_ptr<LogStore> store;

  explicit Fixture(std::uint64_t batch_bytes_max) {
    Limits limits;
    limits.wal_segment_bytes = 10'000;
    limits.wal_batch_bytes_max = batch_bytes_max;
    NewMember member;
    member.first.append.push_back({Term(1), LogIndex(1), raft::EntryType::conf_change, Bytes::copy_of("add")});
    member.first.hard_state = raft::HardState{Term(1), MemberId(0), LogIndex(1)};
    EnginesMemory engines;
    Recovery recovery = recover(files, engines, limits, member).value();
    store = std::make_unique<LogStore>(std::move(recovery.wal), limits, worker, inbox);
    files.faults.syncs = 0;
  }
};

TEST_CASE("what arrives during a sync waits and shares the next one") {
  Fixture fixture(1000);
  fixture.store->write({put(1)});
  fixture.store->write({put(2), put(3)});
  fixture.store->write({put(4)});
  CHECK(fixture.inbox.written.empty());
  fixture.worker.run_one();
  CHECK(fixture.inbox.written == std::vector<std::uint64_t>{1});
  CHECK(fixture.files.faults.syncs == 1);
  while (fixture.worker.busy()) fixture.worker.run_one();
  CHECK(fixture.inbox.written == std::vector<std::uint64_t>{1, 4});
}

TEST_CASE("a batch stays within its limit, but for a single write that is larger") {
  Fixture fixture(100);
  fixture.store->write({put(1)});
  fixture.store->write({put(2, 60), put(3, 40), put(4, 1), put(5, 500), put(6, 10)});
  while (fixture.worker.busy()) fixture.worker.run_one();
  CHECK(fixture.inbox.written == std::vector<std::uint64_t>{1, 3, 4, 5, 6});
}

TEST_CASE("a failed sync is reported once, nothing is acknowledged by it and nothing is tried again") {
  Fixture fixture(1000);
  fixture.files.faults.fail = true;
  fixture.store->write({put(1)});
  fixture.store->write({put(2)});
  fixture.worker.run_one();
  CHECK(fixture.inbox.written.empty());
  CHECK(fixture.inbox.failures == std::vector<std::string>{"the disk is gone"});
  fixture.store->write({put(3)});
  CHECK_FALSE(fixture.worker.busy());
  CHECK(fixture.files.faults.syncs == 1);
}

TEST_CASE("zeros are kept ahead while nothing waits, and no further than an eighth of a segment") {
  Fixture fixture(1000);
  fixture.store->write({put(1)});
  int jobs = 0;
  for (; fixture.worker.busy(); ++jobs) fixture.worker.run_one();
  CHECK(jobs >= 2);
  const auto size = [&fixture] {
    auto file = fixture.posix->open("member/wal/0000000000000000-0000000000000000.wal", port::OpenMode::read);
    return file.value()->size().value();
  };
  const std::uint64_t filled = size();
  CHECK(filled > 1250);
  CHECK(filled < 10'000);
  fixture.store->write({put(2)});
  fixture.worker.run_one();
  CHECK(size() == filled);
}

}  // namespace
}  // namespace metastore::storage
