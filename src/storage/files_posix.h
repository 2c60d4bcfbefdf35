// The real data directory: port::Files over POSIX calls, all relative to one open directory. Everything is made for its
// owner alone (0700, 0600) and closed on exec. An error is a sentence with the operation, the path and the system's
// answer; nothing is retried but an interrupted call. Calls block and may come from one thread at a time per file.
#ifndef METASTORE_STORAGE_FILES_POSIX_H_
#define METASTORE_STORAGE_FILES_POSIX_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/host/port/files.h"

namespace metastore::storage {

class PosixFiles final : public port::Files {
 public:
  /// For a member: makes the directory and its parents if they are missing, and holds it alone until destroyed.
  /// Errors: another process holds it.
  static port::StorageResult<std::unique_ptr<PosixFiles>> open_exclusively(const std::string& directory);
  /// For a tool that reads: the directory must exist, and somebody else may be using it.
  static port::StorageResult<std::unique_ptr<PosixFiles>> open_existing(const std::string& directory);

  ~PosixFiles() override;
  PosixFiles(const PosixFiles&) = delete;
  PosixFiles& operator=(const PosixFiles&) = delete;

  port::StorageResult<std::unique_ptr<port::File>> open(std::string_view path, port::OpenMode mode) override;
  bool exists(std::string_view path) override;
  port::StorageResult<std::vector<std::string>> list(std::string_view directory) override;
  port::StorageStatus create_directory(std::string_view path) override;
  port::StorageStatus rename(std::string_view from, std::string_view to) override;
  port::StorageStatus remove(std::string_view path) override;
  port::StorageStatus sync_directory(std::string_view directory) override;

 private:
  PosixFiles(std::string directory, int descriptor) : directory_(std::move(directory)), descriptor_(descriptor) {}

  std::string full_path(std::string_view path) const;

  const std::string directory_;
  const int descriptor_;
  int lock_descriptor_ = -1;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_FILES_POSIX_H_
