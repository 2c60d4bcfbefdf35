#include "sim/engine_sim.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/crc32c.h"

namespace metastore::sim {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

constexpr std::string_view directory = "member/db";
constexpr std::string_view rows_path = "member/db/rows";
constexpr std::string_view staged_path = "member/db/staged";
constexpr std::string_view path_before = "member/db/rows.tmp";
constexpr std::size_t checksum_bytes = 10;

std::string checksum(BytesView rows) {
  std::string text = std::to_string(crc32c_extend(0, rows));
  return std::string(checksum_bytes - text.size(), '0') + text;
}

class EngineSim final : public port::Engine {
 public:
  EngineSim(port::Files& files, EngineCounts& counts, std::string_view path)
      : files_(files), counts_(counts), path_(path) {}

  StorageStatus load() {
    if (!files_.exists(path_)) return Done{};
    StorageResult<std::unique_ptr<port::File>> file = files_.open(path_, port::OpenMode::read);
    if (!file) return file.error();
    const StorageResult<std::uint64_t> size = file.value()->size();
    if (!size) return size.error();
    std::string bytes(size.value(), '\0');
    const StorageResult<std::size_t> got = file.value()->read_at(0, bytes);
    if (!got) return got.error();
    const BytesView rows = BytesView(bytes).substr(std::min(checksum_bytes, bytes.size()));
    if (bytes.substr(0, checksum_bytes) != checksum(rows)) return StorageError{path_ + " is damaged"};
    tables_.clear();
    change(rows);
    ++counts_.reopened;
    return Done{};
  }

  StorageStatus write(const Checkpoint& checkpoint) override {
    change(checkpoint.rows.view());
    RowWriter writer;
    for (const auto& [table, rows] : tables_) {
      for (const auto& [key, value] : rows) writer.put(table, key, value);
    }
    const Bytes rows = writer.take();
    const std::string head = checksum(rows.view());
    if (files_.exists(path_before)) {
      if (const StorageStatus status = files_.remove(path_before); !status) return status;
    }
    StorageResult<std::unique_ptr<port::File>> file = files_.open(path_before, port::OpenMode::create);
    if (!file) return file.error();
    const BytesView parts[] = {head, rows.view()};
    if (const StorageStatus status = file.value()->write_at(0, parts); !status) return status;
    if (const StorageStatus status = file.value()->sync(); !status) return status;
    if (const StorageStatus status = files_.rename(path_before, path_); !status) return status;
    if (const StorageStatus status = files_.sync_directory(directory); !status) return status;
    ++counts_.checkpoints;
    return Done{};
  }

  StorageStatus read(Table table, port::RowVisitor& visitor) override {
    for (const auto& [key, value] : tables_[table]) {
      if (const StorageStatus status = visitor.row(key, value); !status) return status;
    }
    return Done{};
  }

  /// Each write makes the file anew, so there is nothing to gain.
  StorageResult<std::string> defragment() override { return std::string(); }

  StorageResult<std::unique_ptr<port::Engine>> stage() override {
    if (const StorageStatus status = drop_staged(); !status) return status.error();
    return std::unique_ptr<port::Engine>(new EngineSim(files_, counts_, staged_path));
  }

  StorageResult<std::unique_ptr<port::Engine>> staged() override {
    if (!files_.exists(staged_path)) return std::unique_ptr<port::Engine>();
    auto engine = std::make_unique<EngineSim>(files_, counts_, staged_path);
    if (const StorageStatus status = engine->load(); !status) return status.error();
    return std::unique_ptr<port::Engine>(std::move(engine));
  }

  StorageStatus check() override { return load(); }

  StorageStatus install(std::unique_ptr<port::Engine> staged) override {
    staged.reset();
    if (const StorageStatus status = files_.rename(staged_path, path_); !status) return status;
    if (const StorageStatus status = files_.sync_directory(directory); !status) return status;
    ++counts_.installed;
    return load();
  }

  StorageStatus drop_staged() override {
    if (!files_.exists(staged_path)) return Done{};
    return files_.remove(staged_path);
  }

  std::uint64_t file_bytes() override { return 0; }

 private:
  void change(BytesView rows) {
    RowReader reader(rows);
    while (const std::optional<Row> row = reader.next()) {
      auto& table = tables_[row->table];
      if (row->value) {
        table.insert_or_assign(std::string(row->key), std::string(*row->value));
      } else {
        table.erase(std::string(row->key));
      }
    }
  }

  port::Files& files_;
  EngineCounts& counts_;
  const std::string path_;
  std::map<Table, std::map<std::string, std::string>> tables_;
};

}  // namespace

StorageResult<std::unique_ptr<port::Engine>> EnginesSim::open() {
  if (const StorageStatus status = files_.create_directory(directory); !status) return status.error();
  if (const StorageStatus status = files_.sync_directory("member"); !status) return status.error();
  auto engine = std::make_unique<EngineSim>(files_, counts_, rows_path);
  if (const StorageStatus status = engine->load(); !status) return status.error();
  return std::unique_ptr<port::Engine>(std::move(engine));
}

}  // namespace metastore::sim
