// port::Engine in memory, every write atomic and durable at once: what the LMDB engine is compared with, and what the
// simulator and tests use where the engine's file is not the point. Pure.
#ifndef METASTORE_STORAGE_ENGINE_MEMORY_H_
#define METASTORE_STORAGE_ENGINE_MEMORY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/host/port/engine.h"

namespace metastore::storage {

class EnginesMemory final : public port::Engines {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;
  using Tables = std::map<Table, Rows>;
  /// They outlive every engine: this is the disk.
  Tables tables;
  std::optional<Tables> staged;

  port::StorageResult<std::unique_ptr<port::Engine>> open() override {
    return std::unique_ptr<port::Engine>(new EngineMemory(*this, tables));
  }

 private:
  class EngineMemory final : public port::Engine {
   public:
    EngineMemory(EnginesMemory& disk, Tables& tables) : disk_(disk), tables_(tables) {}

    port::StorageStatus write(const Checkpoint& checkpoint) override {
      RowReader rows(checkpoint.rows.view());
      while (const std::optional<Row> row = rows.next()) {
        Rows& table = tables_[row->table];
        const auto found = table.find(row->key);
        if (found != table.end()) table.erase(found);
        if (row->value) table.emplace(row->key, *row->value);
      }
      return Done{};
    }

    port::StorageStatus read(Table table, port::RowVisitor& visitor) override {
      for (const auto& [key, value] : tables_[table]) {
        if (const port::StorageStatus status = visitor.row(key, value); !status) return status;
      }
      return Done{};
    }

    port::StorageResult<std::string> defragment() override { return std::string(); }

    port::StorageResult<std::unique_ptr<port::Engine>> stage() override {
      disk_.staged.emplace();
      return staged();
    }
    port::StorageResult<std::unique_ptr<port::Engine>> staged() override {
      if (!disk_.staged.has_value()) return std::unique_ptr<port::Engine>();
      return std::unique_ptr<port::Engine>(new EngineMemory(disk_, *disk_.staged));
    }
    port::StorageStatus check() override { return Done{}; }
    port::StorageStatus install(std::unique_ptr<port::Engine>) override {
      disk_.tables = std::move(*disk_.staged);
      return drop_staged();
    }
    port::StorageStatus drop_staged() override {
      disk_.staged.reset();
      return Done{};
    }

    std::uint64_t file_bytes() override {
      std::uint64_t bytes = 0;
      for (const auto& [table, rows] : tables_) {
        for (const auto& [key, value] : rows) bytes += key.size() + value.size();
      }
      return bytes;
    }

   private:
    EnginesMemory& disk_;
    Tables& tables_;
  };
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_ENGINE_MEMORY_H_
