// Files under one data directory, as far as a crash-safe log needs them. Calls block; they are made at boot or on a
// Worker. Two implementations: POSIX (storage/files_posix) and a disk that forgets what was not synced (sim/files_sim).
// A failed call is never retried: the caller reports it and the member stops (design, law 4).
#ifndef METASTORE_CORE_HOST_PORT_FILES_H_
#define METASTORE_CORE_HOST_PORT_FILES_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/time.h"

namespace metastore::port {

/// A broken machine: what was attempted, on which path, and the system's answer, in one sentence.
struct StorageError {
  std::string message;
  bool operator==(const StorageError&) const = default;
};

template <typename T>
using StorageResult = Result<T, StorageError>;
using StorageStatus = Status<StorageError>;

class File {
 public:
  virtual ~File() = default;

  virtual StorageResult<std::uint64_t> size() = 0;
  /// Reads up to `out.size()` bytes at `offset` and returns how many there were: fewer only at the end of the file.
  virtual StorageResult<std::size_t> read_at(std::uint64_t offset, std::span<char> out) = 0;
  /// Writes all parts one behind another at `offset`, growing the file if need be.
  virtual StorageStatus write_at(std::uint64_t offset, std::span<const BytesView> parts) = 0;
  /// Returns when data and size are durable (fdatasync). The file's name is durable only by Files::sync_directory.
  virtual StorageStatus sync() = 0;
  virtual StorageStatus truncate(std::uint64_t size) = 0;

  /// How long the last sync() took, as who did it says; for figures, never for decisions.
  Duration sync_took;
};

enum class OpenMode : std::uint8_t {
  read,        ///< Must exist.
  read_write,  ///< Must exist.
  create,      ///< Must not exist; read and write.
};

/// Paths are relative to the data directory, with '/' between names: "member/wal/0.wal".
class Files {
 public:
  virtual ~Files() = default;

  virtual StorageResult<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) = 0;
  virtual bool exists(std::string_view path) = 0;
  /// Names in the directory, sorted, without "." and "..". A missing directory is an error.
  virtual StorageResult<std::vector<std::string>> list(std::string_view directory) = 0;
  /// Makes the directory (0700); one that exists already is no error. Its parent must exist.
  virtual StorageStatus create_directory(std::string_view path) = 0;
  /// Atomic; replaces `to` if it exists. Durable only by sync_directory.
  virtual StorageStatus rename(std::string_view from, std::string_view to) = 0;
  virtual StorageStatus remove(std::string_view path) = 0;
  /// Makes names in `directory` durable: creations, renames and removals so far. "" is the data directory itself.
  virtual StorageStatus sync_directory(std::string_view directory) = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_FILES_H_
