// A directory of a test's own, removed with all it holds when the test ends. For tests only.
#ifndef METASTORE_STORAGE_TEMP_DIRECTORY_POSIX_H_
#define METASTORE_STORAGE_TEMP_DIRECTORY_POSIX_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "core/base/assert.h"

namespace metastore::storage {

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "metastore-XXXXXX").string();
    ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_TEMP_DIRECTORY_POSIX_H_
