#include "storage/checkpointer.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace metastore::storage {
namespace {

class ManualWorker final : public port::Worker {
 public:
  void submit(port::Job& job) override {
    CHECK(job_ == nullptr);
    job_ = &job;
  }
  void run() { job_->run(); }
  void done() { std::exchange(job_, nullptr)->done(); }

 private:
  port::Job* job_ = nullptr;
};

class RecordingInbox final : public port::Inbox {
 public:
  void post(Event event) override { written.push_back(std::get<CheckpointWritten>(event).applied_index.value()); }
  void storage_failed(const port::StorageError& error) override { failures.push_back(error.message); }
  std::vector<std::uint64_t> written;
  std::vector<std::string> failures;
};

struct FakeEngine final : port::Engine {
  explicit FakeEngine(std::vector<std::uint64_t>& written_) : written(written_) {}
  port::StorageStatus write(const Checkpoint& checkpoint) override {
    if (checkpoint.applied_index == LogIndex(13)) return port::StorageError{"the disk is gone"};
    written.push_back(checkpoint.applied_index.value());
    return Done{};
  }
  port::StorageStatus read(Table, port::RowVisitor&) override { return Done{}; }
  std::uint64_t file_bytes() override { return 0; }
  std::vector<std::uint64_t>& written;
};

}  // namespace

TEST_CASE("a checkpoint is answered when it is durable, and a failure is reported once") {
  std::vector<std::uint64_t> durable;
  ManualWorker worker;
  RecordingInbox inbox;
  Checkpointer checkpointer(std::make_unique<FakeEngine>(durable), worker, inbox);
  checkpointer.write({LogIndex(5), Bytes()});
  CHECK(durable.empty());
  worker.run();
  CHECK(durable == std::vector<std::uint64_t>{5});
  CHECK(inbox.written.empty());
  worker.done();
  CHECK(inbox.written == std::vector<std::uint64_t>{5});

  checkpointer.write({LogIndex(13), Bytes()});
  worker.run();
  worker.done();
  checkpointer.write({LogIndex(14), Bytes()});
  CHECK(inbox.failures == std::vector<std::string>{"the disk is gone"});
  CHECK(inbox.written == std::vector<std::uint64_t>{5});
}

}  // namespace metastore::storage
