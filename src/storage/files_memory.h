// Files that live in memory and forget nothing: for tests that boot a member tens of thousands of times. A disk that
// loses what was not synced is sim's.
#ifndef METASTORE_STORAGE_FILES_MEMORY_H_
#define METASTORE_STORAGE_FILES_MEMORY_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/host/port/files.h"

namespace metastore::storage {

class MemoryFiles final : public port::Files {
 public:
  /// Path to contents: the test reads and damages them here.
  std::map<std::string, std::string, std::less<>> contents;

  port::StorageResult<std::unique_ptr<port::File>> open(std::string_view path, port::OpenMode mode) override {
    const bool create = mode == port::OpenMode::create;
    if (exists(path) == create) return port::StorageError{"cannot open " + std::string(path)};
    return std::unique_ptr<port::File>(new MemoryFile(contents.try_emplace(std::string(path)).first->second));
  }
  /// A directory exists while it holds a file.
  bool exists(std::string_view path) override {
    const auto found = contents.lower_bound(path);
    if (found != contents.end() && found->first == path) return true;
    const auto within = contents.lower_bound(std::string(path) + "/");
    return within != contents.end() && within->first.starts_with(std::string(path) + "/");
  }
  port::StorageResult<std::vector<std::string>> list(std::string_view directory) override {
    const std::string prefix = directory.empty() ? "" : std::string(directory) + "/";
    std::vector<std::string> names;
    for (const auto& [path, bytes] : contents) {
      if (path.starts_with(prefix)) names.push_back(path.substr(prefix.size()));
    }
    return names;
  }
  port::StorageStatus create_directory(std::string_view) override { return Done{}; }
  port::StorageStatus rename(std::string_view from, std::string_view to) override {
    auto node = contents.extract(std::string(from));
    if (node.empty()) return port::StorageError{"cannot rename " + std::string(from)};
    contents.erase(std::string(to));
    node.key() = to;
    contents.insert(std::move(node));
    return Done{};
  }
  port::StorageStatus remove(std::string_view path) override {
    if (contents.erase(std::string(path)) == 0) return port::StorageError{"cannot remove " + std::string(path)};
    return Done{};
  }
  port::StorageStatus sync_directory(std::string_view) override { return Done{}; }

 private:
  /// Renaming keeps the string where it is.
  class MemoryFile final : public port::File {
   public:
    explicit MemoryFile(std::string& bytes) : bytes_(bytes) {}
    port::StorageResult<std::uint64_t> size() override { return std::uint64_t{bytes_.size()}; }
    port::StorageResult<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
      if (offset >= bytes_.size()) return std::size_t{0};
      return bytes_.copy(out.data(), out.size(), offset);
    }
    port::StorageStatus write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
      for (const BytesView part : parts) {
        bytes_.resize(std::max<std::size_t>(bytes_.size(), offset + part.size()));
        bytes_.replace(offset, part.size(), part);
        offset += part.size();
      }
      return Done{};
    }
    port::StorageStatus sync() override { return Done{}; }
    port::StorageStatus truncate(std::uint64_t size) override {
      bytes_.resize(size);
      return Done{};
    }

   private:
    std::string& bytes_;
  };
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_FILES_MEMORY_H_
