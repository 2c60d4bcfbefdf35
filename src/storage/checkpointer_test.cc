#include "storage/checkpointer.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "storage/engine_memory.h"

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
  void post(Event event) override {
    if (const auto* checkpoint = std::get_if<CheckpointWritten>(&event)) {
      written.push_back(checkpoint->applied_index.value());
    } else if (const auto* image = std::get_if<ImageStaged>(&event)) {
      staged.emplace_back(image->image, image->parts);
    } else if (const auto* done = std::get_if<ImageInstalled>(&event)) {
      installed.push_back(done->image);
    } else {
      defragmented.push_back(std::get<Defragmented>(event).failure);
    }
  }
  void storage_failed(const port::StorageError& error) override { failures.push_back(error.message); }
  std::vector<std::uint64_t> written;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> staged;
  std::vector<std::uint64_t> installed;
  std::vector<std::string> defragmented;
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
  port::StorageResult<std::string> defragment() override { return defragments.at(defragmented++); }
  port::StorageResult<std::unique_ptr<port::Engine>> stage() override { UNREACHABLE(); }
  port::StorageResult<std::unique_ptr<port::Engine>> staged() override { UNREACHABLE(); }
  port::StorageStatus check() override { UNREACHABLE(); }
  port::StorageStatus install(std::unique_ptr<port::Engine>) override { UNREACHABLE(); }
  port::StorageStatus drop_staged() override { UNREACHABLE(); }
  std::uint64_t file_bytes() override { return 0; }
  std::vector<port::StorageResult<std::string>> defragments = {std::string(), std::string("no room"),
                                                               port::StorageError{"the disk is gone"}};
  std::size_t defragmented = 0;
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

TEST_CASE("a defragmentation is answered, or why there was none; one that broke the file ends the member") {
  std::vector<std::uint64_t> durable;
  ManualWorker worker;
  RecordingInbox inbox;
  Checkpointer checkpointer(std::make_unique<FakeEngine>(durable), worker, inbox);
  for (int i = 0; i < 3; ++i) {
    checkpointer.defragment();
    worker.run();
    worker.done();
  }
  CHECK(inbox.defragmented == std::vector<std::string>{"", "no room"});
  CHECK(inbox.failures == std::vector<std::string>{"the disk is gone"});
  // Nothing more is begun, and nothing reported twice.
  checkpointer.defragment();
  checkpointer.write({LogIndex(5), Bytes()});
  CHECK(inbox.written.empty());
}

TEST_CASE("parts of a snapshot that wait share a write, and take the engine's place when they are told to") {
  const auto rows = [](const std::string& key) {
    RowWriter writer;
    writer.put(Table::state, key, "v");
    return writer.take();
  };
  using Kind = ImageStep::Kind;
  EnginesMemory disk;
  disk.tables[Table::state]["former"] = "v";
  ManualWorker worker;
  RecordingInbox inbox;
  Checkpointer checkpointer(std::move(disk.open()).value(), worker, inbox);
  const auto work = [&] {
    worker.run();
    worker.done();
  };
  checkpointer.stage({{Kind::rows, 7, 1, rows("a")}});
  checkpointer.stage(
      {{Kind::rows, 7, 2, rows("b")}, {Kind::rows, 7, 3, rows("c")}, {Kind::last_rows, 7, 4, rows("d")}});
  work();
  CHECK(inbox.staged == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{7, 1}});
  work();
  CHECK(inbox.staged.back() == std::pair<std::uint64_t, std::uint64_t>{7, 4});
  CHECK(inbox.staged.size() == 2);
  CHECK(disk.tables[Table::state].contains("former"));

  // Another image begins anew, whatever of the first was there.
  checkpointer.stage({{Kind::rows, 8, 1, rows("e")}, {Kind::drop, 8, 0, {}}, {Kind::rows, 9, 1, rows("f")}});
  work();
  work();
  CHECK_FALSE(disk.staged.has_value());
  checkpointer.stage({{Kind::rows, 10, 1, rows("g")}, {Kind::install, 10, 0, {}}});
  for (int jobs = 0; jobs < 3; ++jobs) work();
  CHECK(inbox.installed == std::vector<std::uint64_t>{10});
  CHECK(disk.tables[Table::state].size() == 1);
  CHECK(disk.tables[Table::state].contains("g"));
  CHECK(inbox.failures.empty());
}

}  // namespace metastore::storage
