#include "storage/files_posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/assert.h"
#include "storage/remedy_posix.h"
#include "storage/stopwatch_posix.h"

namespace metastore::storage {

using port::OpenMode;
using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

StorageError failed(std::string_view operation, std::string_view path) {
  const int error = errno;
  return StorageError{"cannot " + std::string(operation) + " " + std::string(path) + ": " +
                      std::generic_category().message(error) + remedy_for(error)};
}

/// Repeats `call` while a signal interrupts it.
template <typename Call>
auto uninterrupted(Call call) {
  while (true) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class PosixFile final : public port::File {
 public:
  PosixFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  StorageResult<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) return failed("get the size of", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  StorageResult<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = uninterrupted([&] {
        return ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (got < 0) return failed("read at offset " + std::to_string(offset + done) + " of", path_);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  StorageStatus write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
    std::size_t done_of_first = 0;  // Bytes of parts.front() that are written already.
    while (!parts.empty()) {
      std::array<iovec, 256> vectors;
      const std::size_t count = std::min(vectors.size(), parts.size());
      for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
      }
      vectors[0] = {const_cast<char*>(parts[0].data()) + done_of_first, parts[0].size() - done_of_first};
      const ssize_t got = uninterrupted(
          [&] { return ::pwritev(descriptor_, vectors.data(), static_cast<int>(count), static_cast<off_t>(offset)); });
      if (got < 0) return failed("write at offset " + std::to_string(offset) + " of", path_);
      offset += static_cast<std::uint64_t>(got);
      done_of_first += static_cast<std::size_t>(got);
      while (!parts.empty() && done_of_first >= parts.front().size()) {
        done_of_first -= parts.front().size();
        parts = parts.subspan(1);
      }
    }
    return Done{};
  }

  StorageStatus sync() override {
    const Stopwatch stopwatch(sync_took);
    if (::fdatasync(descriptor_) != 0) return failed("make durable", path_);
    return Done{};
  }

  StorageStatus truncate(std::uint64_t size) override {
    if (uninterrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0) {
      return failed("truncate", path_);
    }
    return Done{};
  }

 private:
  const std::string path_;
  const int descriptor_;
};

/// The empty path is the root.
std::string relative(std::string_view path) { return path.empty() ? "." : std::string(path); }

/// Makes `directory` and its parents, each durable in its own parent.
StorageStatus make_directories(const std::string& directory) {
  for (std::size_t end = directory.find('/', 1);; end = directory.find('/', end + 1)) {
    const std::string path = directory.substr(0, end);
    if (::mkdir(path.c_str(), 0700) == 0) {
      const std::size_t slash = path.find_last_of('/');
      const std::string parent = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
      const int descriptor = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (descriptor < 0) return failed("open", parent);
      const int result = ::fsync(descriptor);
      const StorageError error = failed("make durable the names in", parent);
      ::close(descriptor);
      if (result != 0) return error;
    } else if (errno != EEXIST) {
      return failed("make the directory", path);
    }
    if (end == std::string::npos) return Done{};
  }
}

}  // namespace

StorageResult<std::unique_ptr<PosixFiles>> PosixFiles::open_existing(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed("open the directory", directory);
  return std::unique_ptr<PosixFiles>(new PosixFiles(directory, descriptor));
}

StorageResult<std::unique_ptr<PosixFiles>> PosixFiles::open_exclusively(const std::string& directory) {
  if (const StorageStatus status = make_directories(directory); !status) return status.error();
  StorageResult<std::unique_ptr<PosixFiles>> files = open_existing(directory);
  if (!files) return files;
  const std::string lock_path = files.value()->full_path("lock");
  const int lock = ::openat(files.value()->descriptor_, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return failed("open", lock_path);
  files.value()->lock_descriptor_ = lock;
  if (uninterrupted([lock] { return ::flock(lock, LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return failed("lock", lock_path);
    return StorageError{"another process is using the data directory " + directory + " (it holds " + lock_path +
                        "); stop it, or choose another data directory"};
  }
  return files;
}

PosixFiles::~PosixFiles() {
  if (lock_descriptor_ >= 0) ::close(lock_descriptor_);
  ::close(descriptor_);
}

std::string PosixFiles::full_path(std::string_view path) const {
  return path.empty() ? directory_ : directory_ + "/" + std::string(path);
}

StorageResult<std::unique_ptr<port::File>> PosixFiles::open(std::string_view path, OpenMode mode) {
  int flags = O_CLOEXEC;
  switch (mode) {
    case OpenMode::read:
      flags |= O_RDONLY;
      break;
    case OpenMode::read_write:
      flags |= O_RDWR;
      break;
    case OpenMode::create:
      flags |= O_RDWR | O_CREAT | O_EXCL;
      break;
  }
  const int descriptor = uninterrupted([&] { return ::openat(descriptor_, relative(path).c_str(), flags, 0600); });
  if (descriptor < 0) return failed(mode == OpenMode::create ? "create" : "open", full_path(path));
  return std::unique_ptr<port::File>(new PosixFile(full_path(path), descriptor));
}

bool PosixFiles::exists(std::string_view path) {
  return ::faccessat(descriptor_, relative(path).c_str(), F_OK, 0) == 0;
}

StorageResult<std::vector<std::string>> PosixFiles::list(std::string_view directory) {
  const int descriptor = ::openat(descriptor_, relative(directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed("open the directory", full_path(directory));
  DIR* stream = ::fdopendir(descriptor);
  if (stream == nullptr) {
    const StorageError error = failed("list", full_path(directory));
    ::close(descriptor);
    return error;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const bool complete = errno == 0;
  const StorageError error = failed("list", full_path(directory));
  ::closedir(stream);
  if (!complete) return error;
  std::sort(names.begin(), names.end());
  return names;
}

StorageStatus PosixFiles::create_directory(std::string_view path) {
  if (::mkdirat(descriptor_, relative(path).c_str(), 0700) != 0 && errno != EEXIST) {
    return failed("make the directory", full_path(path));
  }
  return Done{};
}

StorageStatus PosixFiles::rename(std::string_view from, std::string_view to) {
  if (::renameat(descriptor_, relative(from).c_str(), descriptor_, relative(to).c_str()) != 0) {
    return failed("rename " + full_path(from) + " to", full_path(to));
  }
  return Done{};
}

StorageStatus PosixFiles::remove(std::string_view path) {
  if (::unlinkat(descriptor_, relative(path).c_str(), 0) != 0) return failed("remove", full_path(path));
  return Done{};
}

StorageStatus PosixFiles::sync_directory(std::string_view directory) {
  const int descriptor = ::openat(descriptor_, relative(directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed("open the directory", full_path(directory));
  const int result = ::fsync(descriptor);
  const StorageError error = failed("make durable the names in", full_path(directory));
  ::close(descriptor);
  if (result != 0) return error;
  return Done{};
}

}  // namespace metastore::storage
