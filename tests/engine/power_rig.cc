#include "tests/engine/power_rig.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <utility>

#include "core/base/assert.h"

extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_close(int descriptor);
int __real_close_range(unsigned first, unsigned last, int flags);
ssize_t __real_pwrite(int descriptor, const void* bytes, std::size_t size, off_t offset);
ssize_t __real_write(int descriptor, const void* bytes, std::size_t size);
ssize_t __real_writev(int descriptor, const iovec* parts, int count);
int __real_fdatasync(int descriptor);
int __real_fsync(int descriptor);
int __real_msync(void* address, std::size_t size, int flags);
int __real_ftruncate(int descriptor, off_t size);
}

namespace metastore::rig {

namespace {

constexpr std::uint64_t sector = 512;

port::StorageError off() { return {"the power is gone"}; }

}  // namespace

Disk* Disk::current_ = nullptr;

Disk::Disk(Prng prng) : prng_(std::move(prng)) {
  ASSERT(current_ == nullptr);
  current_ = this;
}

Disk::~Disk() {
  ASSERT(open_.empty());
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [name, image] : *names) {
      if (image->seen >= 0) __real_close(std::exchange(image->seen, -1));
    }
  }
  current_ = nullptr;
}

bool Disk::begin(Operation operation) {
  if (!powered_) return false;
  ++count_;
  last_ = operation;
  if (count_ == off_at_) powered_ = false;
  return powered_;
}

void Disk::put(std::string& bytes, const Write& write) {
  bytes.resize(std::max<std::size_t>(bytes.size(), write.offset + write.bytes.size()));
  bytes.replace(write.offset, write.bytes.size(), write.bytes);
}

int Disk::open_file(std::string_view path, int flags) {
  const std::string name(path.substr(root.size() + 1));
  auto found = names_.find(name);
  if (found == names_.end()) {
    if ((flags & O_CREAT) == 0) return errno = ENOENT, -1;
    if (!begin(create_file)) return errno = EIO, -1;
    auto image = std::make_shared<Image>();
    image->seen = ::memfd_create("power-rig", MFD_CLOEXEC);
    ASSERT(image->seen >= 0);
    found = names_.emplace(name, std::move(image)).first;
  }
  const std::string seen = "/proc/self/fd/" + std::to_string(found->second->seen);
  const int descriptor = __real_open(seen.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT(descriptor >= 0);
  open_[descriptor] = {found->second, (flags & O_DSYNC) != 0};
  return descriptor;
}

long Disk::write_file(int descriptor, BytesView bytes, std::uint64_t offset) {
  const Open& open = open_.at(descriptor);
  Image& image = *open.image;
  const bool was_powered = powered_;
  const bool powered = begin(open.writes_through ? write_meta : write_page);
  if (!was_powered) return errno = EIO, -1;
  Write write{offset, std::string(bytes)};
  const bool is_durable = powered && open.writes_through && !lies_;
  if (is_durable) put(image.durable, write);
  if (!is_durable) image.pending.push_back(std::move(write));
  if (!powered) return errno = EIO, -1;
  return __real_pwrite(image.seen, bytes.data(), bytes.size(), static_cast<off_t>(offset));
}

int Disk::sync_file(int descriptor) {
  if (!begin(sync_data)) return errno = EIO, -1;
  if (lies_) return 0;
  Image& image = *open_.at(descriptor).image;
  for (const Write& write : image.pending) put(image.durable, write);
  image.pending.clear();
  return 0;
}

/// Each sector of each write that no sync covered is there or not; some crashes are kinder than others.
void Disk::rebuild(Image& image) {
  const std::uint64_t kept_of_four = prng_.below(5);
  for (const Write& write : image.pending) {
    const std::uint64_t end = write.offset + write.bytes.size();
    for (std::uint64_t begin = write.offset; begin < end;) {
      const std::uint64_t next = std::min(end, begin - begin % sector + sector);
      if (prng_.below(4) < kept_of_four) {
        put(image.durable, {begin, write.bytes.substr(begin - write.offset, next - begin)});
      }
      begin = next;
    }
  }
  image.pending.clear();
  if (image.seen >= 0) __real_close(image.seen);
  image.seen = ::memfd_create("power-rig", MFD_CLOEXEC);
  ASSERT(image.seen >= 0);
  const std::string& bytes = image.durable;
  ASSERT(__real_pwrite(image.seen, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

void Disk::power_on() {
  ASSERT(open_.empty());
  Names left = prng_.chance(1, 2) ? names_ : durable_names_;
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [name, image] : *names) {
      const bool stays = std::any_of(left.begin(), left.end(), [&](const auto& pair) { return pair.second == image; });
      if (!stays && image->seen >= 0) __real_close(std::exchange(image->seen, -1));
    }
  }
  names_ = std::move(left);
  for (const auto& [name, image] : names_) rebuild(*image);
  durable_names_ = names_;
  powered_ = true;
  off_at_ = 0;
}

port::StorageResult<std::unique_ptr<port::File>> Disk::open(std::string_view, port::OpenMode) {
  return port::StorageError{"the rig's files are opened by system calls alone"};
}

port::StorageResult<std::vector<std::string>> Disk::list(std::string_view) {
  return port::StorageError{"the rig lists nothing"};
}

port::StorageStatus Disk::rename(std::string_view from, std::string_view to) {
  const bool was_powered = powered_;
  const bool powered = begin(rename_file);
  if (!was_powered) return off();
  // A rename under way may have happened.
  auto node = names_.extract(std::string(from));
  ASSERT(!node.empty());
  node.key() = std::string(to);
  names_.erase(node.key());
  names_.insert(std::move(node));
  if (!powered) return off();
  return Done{};
}

port::StorageStatus Disk::remove(std::string_view path) {
  if (!powered_) return off();
  names_.erase(std::string(path));
  return Done{};
}

port::StorageStatus Disk::sync_directory(std::string_view) {
  if (!begin(sync_names)) return off();
  durable_names_ = names_;
  return Done{};
}

}  // namespace metastore::rig

using metastore::rig::Disk;

extern "C" {

int __wrap_open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  Disk* const disk = Disk::current();
  return disk != nullptr && disk->has(path) ? disk->open_file(path, flags) : __real_open(path, flags, mode);
}

int __wrap_close(int descriptor) {
  Disk* const disk = Disk::current();
  if (disk != nullptr && disk->has(descriptor)) disk->close_file(descriptor);
  return __real_close(descriptor);
}

/// The check of the file lets go of what it inherited. Our disk stays: it is the machine's, though it lies in
/// descriptors.
int __wrap_close_range(unsigned first, unsigned last, int flags) {
  return Disk::current() != nullptr ? 0 : __real_close_range(first, last, flags);
}

ssize_t __wrap_pwrite(int descriptor, const void* bytes, std::size_t size, off_t offset) {
  Disk* const disk = Disk::current();
  if (disk == nullptr || !disk->has(descriptor)) return __real_pwrite(descriptor, bytes, size, offset);
  return disk->write_file(descriptor, {static_cast<const char*>(bytes), size}, static_cast<std::uint64_t>(offset));
}

/// LMDB seeks and then writes several pages at once.
ssize_t __wrap_writev(int descriptor, const iovec* parts, int count) {
  Disk* const disk = Disk::current();
  if (disk == nullptr || !disk->has(descriptor)) return __real_writev(descriptor, parts, count);
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  const off_t offset = ::lseek(descriptor, 0, SEEK_CUR);
  const long written = disk->write_file(descriptor, bytes, static_cast<std::uint64_t>(offset));
  if (written > 0) ::lseek(descriptor, offset + written, SEEK_SET);
  return written;
}

ssize_t __wrap_write(int descriptor, const void* bytes, std::size_t size) {
  Disk* const disk = Disk::current();
  if (disk == nullptr || !disk->has(descriptor)) return __real_write(descriptor, bytes, size);
  const iovec part{const_cast<void*>(bytes), size};
  return __wrap_writev(descriptor, &part, 1);
}

int __wrap_fdatasync(int descriptor) {
  Disk* const disk = Disk::current();
  return disk != nullptr && disk->has(descriptor) ? disk->sync_file(descriptor) : __real_fdatasync(descriptor);
}

int __wrap_fsync(int descriptor) {
  Disk* const disk = Disk::current();
  return disk != nullptr && disk->has(descriptor) ? disk->sync_file(descriptor) : __real_fsync(descriptor);
}

/// The engine's modes never write through the map, nor cut the file.
int __wrap_msync(void* address, std::size_t size, int flags) {
  ASSERT(Disk::current() == nullptr);
  return __real_msync(address, size, flags);
}

int __wrap_ftruncate(int descriptor, off_t size) {
  ASSERT(Disk::current() == nullptr || !Disk::current()->has(descriptor));
  return __real_ftruncate(descriptor, size);
}

}  // extern "C"
