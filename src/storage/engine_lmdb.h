// port::Engine over LMDB: one table of LMDB's a table of ours, in member/db/data.mdb of the data directory. A
// checkpoint is one transaction with LMDB's default flags; new records rise, and are appended. The file is open only
// while a call lasts, so that no page of its map and no buffer of LMDB's stays in memory. Source: design D4.
#ifndef METASTORE_STORAGE_ENGINE_LMDB_H_
#define METASTORE_STORAGE_ENGINE_LMDB_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/host/port/engine.h"
#include "core/host/port/files.h"

namespace metastore::storage {

struct EngineOptions {
  /// The map begins a little larger than the file and grows up to this (Limits::engine_file_bytes_max).
  std::uint64_t file_bytes_max = 0;
  /// Whether a forked child reads the file first. Only a rig that damages nothing may do without.
  bool checks_in_child = true;
};

class EnginesLmdb final : public port::Engines {
 public:
  /// `directory` is the path of the data directory that `files` stands for.
  EnginesLmdb(port::Files& files, std::string directory, const EngineOptions& options)
      : files_(files), directory_(std::move(directory)), options_(options) {}

  port::StorageResult<std::unique_ptr<port::Engine>> open() override;

 private:
  port::StorageStatus create();
  std::string full_path(std::string_view path) const { return directory_ + "/" + std::string(path); }

  port::Files& files_;
  const std::string directory_;
  const EngineOptions options_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_ENGINE_LMDB_H_
