#include "sim/files_sim.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/base/assert.h"

namespace metastore::sim {
namespace {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

StorageError refused(std::string_view call, std::string_view path, std::string_view answer) {
  return StorageError{std::string(call) + " \"" + std::string(path) + "\": " + std::string(answer)};
}

constexpr std::string_view power_is_off = "the power is off";
constexpr std::string_view device_failed = "Input/output error";
constexpr std::string_view device_is_full = "No space left on device";

}  // namespace

struct FilesSim::Inode {
  /// One atomic change of a directory: a rename is two names at once. Inode 0 stands for "no such name", since nothing
  /// contains the data directory.
  using NameChange = std::vector<std::pair<std::string, InodeId>>;

  void change_names(NameChange change) {
    apply(names, change);
    unsynced_names.push_back(std::move(change));
  }
  static void apply(std::map<std::string, InodeId, std::less<>>& names, const NameChange& change) {
    for (const auto& [name, inode] : change) {
      if (inode == 0) {
        names.erase(name);
      } else {
        names[name] = inode;
      }
    }
  }

  bool is_directory = false;
  std::uint64_t handles = 0;
  FileImage image;
  std::map<std::string, InodeId, std::less<>> names;
  std::map<std::string, InodeId, std::less<>> durable_names;
  std::vector<NameChange> unsynced_names;
};

class FilesSim::Handle final : public port::File {
 public:
  Handle(FilesSim& files, Inode& inode, std::string path, bool is_writable)
      : files_(files), inode_(&inode), path_(std::move(path)), is_writable_(is_writable), cycle_(files.power_cycle_) {
    ++inode.handles;
  }
  ~Handle() override {
    if (is_alive()) --inode_->handles;
  }

  StorageResult<std::uint64_t> size() override {
    if (!begin_call() || files_.ends_powerless()) return refused("size", path_, power_is_off);
    return inode_->image.size();
  }
  StorageResult<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    if (!begin_call() || files_.ends_powerless()) return refused("read", path_, power_is_off);
    return inode_->image.read_at(offset, out);
  }
  StorageStatus write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
    if (!begin_call()) return refused("write", path_, power_is_off);
    ASSERT(is_writable_);
    std::string joined;
    for (const BytesView part : parts) joined.append(part);
    if (files_.breaks(DiskFault::write_error, path_)) {
      inode_->image.write_at(offset, BytesView(joined).substr(0, files_.prng_.below(joined.size() + 1)));
      return refused("write", path_, device_failed);
    }
    const std::uint64_t size = inode_->image.size();
    if (offset + joined.size() > size && files_.breaks(DiskFault::full, path_)) {
      inode_->image.write_at(offset, BytesView(joined).substr(0, size - std::min(size, offset)));
      return refused("write", path_, device_is_full);
    }
    inode_->image.write_at(offset, joined);
    if (files_.ends_powerless()) return refused("write", path_, power_is_off);
    return Done{};
  }
  StorageStatus sync() override {
    if (!begin_call() || files_.ends_powerless()) return refused("sync", path_, power_is_off);
    if (files_.breaks(DiskFault::sync_error, path_)) {
      inode_->image.fail_sync(files_.prng_);
      return refused("sync", path_, device_failed);
    }
    inode_->image.sync();
    return Done{};
  }
  StorageStatus truncate(std::uint64_t size) override {
    if (!begin_call()) return refused("truncate", path_, power_is_off);
    ASSERT(is_writable_);
    if (files_.breaks(DiskFault::write_error, path_)) return refused("truncate", path_, device_failed);
    if (size > inode_->image.size() && files_.breaks(DiskFault::full, path_)) {
      return refused("truncate", path_, device_is_full);
    }
    inode_->image.truncate(size);
    if (files_.ends_powerless()) return refused("truncate", path_, power_is_off);
    return Done{};
  }

 private:
  /// A handle of before a crash leads nowhere, even when the power is back: its process is gone.
  bool is_alive() const { return cycle_ == files_.power_cycle_; }
  bool begin_call() { return is_alive() && files_.begin_call(); }

  FilesSim& files_;
  Inode* inode_;
  std::string path_;
  bool is_writable_;
  std::uint64_t cycle_;
};

FilesSim::FilesSim(Prng prng, CrashWeights weights) : prng_(prng), weights_(weights) { add_inode(true); }

FilesSim::~FilesSim() = default;

StorageResult<std::unique_ptr<port::File>> FilesSim::open(std::string_view path, port::OpenMode mode) {
  if (!begin_call()) return refused("open", path, power_is_off);
  std::string_view name;
  Inode* const directory = find_parent(path, name);
  if (directory == nullptr) return refused("open", path, "no such directory");
  Inode* inode = find(path);
  if (mode == port::OpenMode::create) {
    if (inode != nullptr) return refused("open", path, "the file exists");
    if (breaks(DiskFault::write_error, path)) return refused("open", path, device_failed);
    if (breaks(DiskFault::full, path)) return refused("open", path, device_is_full);
    const InodeId id = add_inode(false);
    directory->change_names({{std::string(name), id}});
    inode = inodes_.at(id).get();
  } else if (inode == nullptr) {
    return refused("open", path, "no such file");
  }
  if (inode->is_directory) return refused("open", path, "it is a directory");
  if (ends_powerless()) return refused("open", path, power_is_off);
  return std::unique_ptr<port::File>(
      std::make_unique<Handle>(*this, *inode, std::string(path), mode != port::OpenMode::read));
}

bool FilesSim::exists(std::string_view path) { return begin_call() && !ends_powerless() && find(path) != nullptr; }

StorageResult<std::vector<std::string>> FilesSim::list(std::string_view directory) {
  if (!begin_call() || ends_powerless()) return refused("list", directory, power_is_off);
  const Inode* const inode = find(directory);
  if (inode == nullptr || !inode->is_directory) return refused("list", directory, "no such directory");
  std::vector<std::string> names;
  for (const auto& [name, id] : inode->names) names.push_back(name);
  return names;
}

StorageStatus FilesSim::create_directory(std::string_view path) {
  if (!begin_call()) return refused("create directory", path, power_is_off);
  std::string_view name;
  Inode* const parent = find_parent(path, name);
  if (parent == nullptr) return refused("create directory", path, "no such parent directory");
  if (const Inode* const existing = find(path); existing == nullptr) {
    parent->change_names({{std::string(name), add_inode(true)}});
  } else if (!existing->is_directory) {
    return refused("create directory", path, "it is a file");
  }
  if (ends_powerless()) return refused("create directory", path, power_is_off);
  return Done{};
}

StorageStatus FilesSim::rename(std::string_view from, std::string_view to) {
  if (!begin_call()) return refused("rename", from, power_is_off);
  std::string_view name_before;
  std::string_view name_after;
  Inode* const directory = find_parent(from, name_before);
  if (directory == nullptr || find(from) == nullptr) return refused("rename", from, "no such file");
  // Between two directories the order of their syncs would matter; nobody needs that yet.
  ASSERT(find_parent(to, name_after) == directory);
  if (breaks(DiskFault::write_error, from)) return refused("rename", from, device_failed);
  const InodeId id = directory->names.find(name_before)->second;
  directory->change_names({{std::string(name_before), 0}, {std::string(name_after), id}});
  if (ends_powerless()) return refused("rename", from, power_is_off);
  return Done{};
}

StorageStatus FilesSim::remove(std::string_view path) {
  if (!begin_call()) return refused("remove", path, power_is_off);
  std::string_view name;
  Inode* const directory = find_parent(path, name);
  if (directory == nullptr || find(path) == nullptr) return refused("remove", path, "no such file");
  if (breaks(DiskFault::write_error, path)) return refused("remove", path, device_failed);
  directory->change_names({{std::string(name), 0}});
  if (ends_powerless()) return refused("remove", path, power_is_off);
  return Done{};
}

StorageStatus FilesSim::sync_directory(std::string_view directory) {
  if (!begin_call() || ends_powerless()) return refused("sync directory", directory, power_is_off);
  Inode* const inode = find(directory);
  if (inode == nullptr || !inode->is_directory) return refused("sync directory", directory, "no such directory");
  if (breaks(DiskFault::sync_error, directory)) return refused("sync directory", directory, device_failed);
  inode->durable_names = inode->names;
  inode->unsynced_names.clear();
  drop_unreachable();
  return Done{};
}

void FilesSim::power_off() {
  ASSERT(powered_);
  powered_ = false;
  power_off_at_ = 0;
  ++power_cycle_;
  ++counts_.crashes;
  for (auto& [id, inode] : inodes_) {
    inode->handles = 0;
    if (inode->is_directory) {
      crash_names(*inode);
    } else {
      inode->image.crash(static_cast<CrashFate>(prng_.weighted(weights_.data(), weights_.size())), prng_, counts_);
    }
  }
  drop_unreachable();
}

void FilesSim::power_on() {
  ASSERT(!powered_);
  powered_ = true;
}

void FilesSim::break_at(std::uint64_t operation, DiskFault fault) {
  break_at_ = operation;
  fault_ = fault;
}

void FilesSim::repair() {
  fault_ = DiskFault::none;
  broken_path_.clear();
  has_retried_ = false;
}

bool FilesSim::breaks(DiskFault fault, std::string_view path) {
  if (!broken_path_.empty() && broken_path_ == path) has_retried_ = true;
  if (fault_ != fault || operations_ < break_at_) return false;
  if (broken_path_.empty()) {
    broken_path_ = path.empty() ? "/" : path;
    if (fault == DiskFault::sync_error) ++fault_counts_.sync_errors;
    if (fault == DiskFault::write_error) ++fault_counts_.write_errors;
    if (fault == DiskFault::full) ++fault_counts_.full;
  }
  if (fault != DiskFault::full) fault_ = DiskFault::none;
  return true;
}

std::vector<std::string> FilesSim::names_in(std::string_view directory) const {
  std::vector<std::string> names;
  const Inode* const inode = find(directory);
  if (inode == nullptr) return names;
  for (const auto& [name, id] : inode->names) names.push_back(name);
  return names;
}

std::vector<std::string> FilesSim::all_files() const {
  std::vector<std::string> files;
  std::vector<std::string> directories = {""};
  while (!directories.empty()) {
    const std::string directory = std::move(directories.back());
    directories.pop_back();
    for (const auto& [name, id] : find(directory)->names) {
      std::string path = directory.empty() ? name : directory + "/" + name;
      (inodes_.at(id)->is_directory ? directories : files).push_back(std::move(path));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void FilesSim::flip(std::string_view path, std::uint64_t offset, unsigned bit) {
  Inode* const inode = find(path);
  ASSERT(inode != nullptr && !inode->is_directory);
  inode->image.flip(offset, bit);
}

void FilesSim::overwrite(std::string_view path, std::uint64_t offset, BytesView bytes) {
  Inode* const inode = find(path);
  ASSERT(inode != nullptr && !inode->is_directory);
  inode->image.overwrite(offset, bytes);
}

bool FilesSim::is_synced(std::string_view path) const {
  const Inode* const inode = find(path);
  ASSERT(inode != nullptr && !inode->is_directory);
  return inode->image.is_synced();
}

std::string FilesSim::contents(std::string_view path) const {
  const Inode* const inode = find(path);
  ASSERT(inode != nullptr && !inode->is_directory);
  return inode->image.seen();
}

void FilesSim::set_contents(std::string_view path, std::string contents) {
  Inode* const inode = find(path);
  ASSERT(inode != nullptr && !inode->is_directory);
  inode->image.set_contents(std::move(contents));
}

bool FilesSim::begin_call() {
  if (!powered_) return false;
  ++operations_;
  return true;
}

bool FilesSim::ends_powerless() {
  // A call that was refused for another reason passed its moment by: the next one ends instead.
  if (power_off_at_ == 0 || operations_ < power_off_at_) return false;
  power_off();
  return true;
}

FilesSim::Inode* FilesSim::find(std::string_view path) const {
  Inode* inode = inodes_.at(0).get();
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const auto found = inode->names.find(path.substr(0, slash));
    if (found == inode->names.end()) return nullptr;
    inode = inodes_.at(found->second).get();
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return inode;
}

FilesSim::Inode* FilesSim::find_parent(std::string_view path, std::string_view& name) const {
  const std::size_t slash = path.rfind('/');
  name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  Inode* const parent = find(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash));
  return parent != nullptr && parent->is_directory ? parent : nullptr;
}

void FilesSim::crash_names(Inode& directory) {
  const std::size_t count = directory.unsynced_names.size();
  if (count == 0) return;
  const auto fate = static_cast<CrashFate>(prng_.weighted(weights_.data(), weights_.size()));
  const std::size_t prefix = static_cast<std::size_t>(prng_.below(count + 1));
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_kept = fate == CrashFate::kept || (fate == CrashFate::prefix && i < prefix) ||
                         ((fate == CrashFate::reordered || fate == CrashFate::scattered) && prng_.chance(1, 2));
    if (is_kept) {
      Inode::apply(directory.durable_names, directory.unsynced_names[i]);
    } else {
      ++counts_.names_lost;
    }
  }
  directory.names = directory.durable_names;
  directory.unsynced_names.clear();
}

void FilesSim::drop_unreachable() {
  std::set<InodeId> reachable;
  std::vector<InodeId> open_ends = {0};
  const auto reach = [&](InodeId id) {
    if (id != 0 && reachable.insert(id).second) open_ends.push_back(id);
  };
  for (const auto& [id, inode] : inodes_) {
    if (inode->handles > 0) reach(id);
  }
  while (!open_ends.empty()) {
    const Inode& inode = *inodes_.at(open_ends.back());
    open_ends.pop_back();
    for (const auto& [name, id] : inode.names) reach(id);
    for (const auto& [name, id] : inode.durable_names) reach(id);
    for (const Inode::NameChange& change : inode.unsynced_names) {
      for (const auto& [name, id] : change) reach(id);
    }
  }
  std::erase_if(inodes_, [&](const auto& entry) { return entry.first != 0 && !reachable.contains(entry.first); });
}

FilesSim::InodeId FilesSim::add_inode(bool is_directory) {
  const InodeId id = next_inode_++;
  inodes_[id] = std::make_unique<Inode>();
  inodes_[id]->is_directory = is_directory;
  return id;
}

}  // namespace metastore::sim
