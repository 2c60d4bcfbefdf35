// A disk that forgets what was not synced: port::Files over memory, with what the programs see and what the platter
// holds kept apart. When the power goes, each un-synced write, size change and name is kept, lost, torn at a 512-byte
// sector or kept while an earlier one is lost, as drawn; what was synced is never lost.
// It must never be kinder than a journaling file system on a drive that honours flushes, nor crueler: a sector holds
// one of the images it had since the last sync, a file's name is durable only once its directory was synced.
// Source: the fault models of ALICE (Pillai and others, 2014) and TigerBeetle's testing/storage.zig.
#ifndef METASTORE_SIM_FILES_SIM_H_
#define METASTORE_SIM_FILES_SIM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/files.h"
#include "sim/file_image.h"

namespace metastore::sim {

/// How a disk fails while it has power.
enum class DiskFault : std::uint8_t {
  none,
  sync_error,   ///< One call of sync fails, of a file or a directory.
  write_error,  ///< One call that changes something fails, having done a part of it.
  full,         ///< Nothing grows any more.
};

/// How often a disk failed. A fault class that stays at zero was not tested.
struct DiskFaultCounts {
  std::uint64_t sync_errors = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t full = 0;
};

class FilesSim final : public port::Files {
 public:
  explicit FilesSim(Prng prng, CrashWeights weights = {1, 1, 1, 1, 1});
  ~FilesSim() override;

  port::StorageResult<std::unique_ptr<port::File>> open(std::string_view path, port::OpenMode mode) override;
  bool exists(std::string_view path) override;
  port::StorageResult<std::vector<std::string>> list(std::string_view directory) override;
  port::StorageStatus create_directory(std::string_view path) override;
  port::StorageStatus rename(std::string_view from, std::string_view to) override;
  port::StorageStatus remove(std::string_view path) override;
  port::StorageStatus sync_directory(std::string_view directory) override;

  /// Calls of Files and File so far, reads included. The k-th call is the one that makes operations() equal k.
  std::uint64_t operations() const { return operations_; }
  /// The power goes during the call that makes operations() equal `operation`: it may be done in part, and it and
  /// every later call answer with a StorageError until power_on(). 0 takes the order back.
  void power_off_at(std::uint64_t operation) { power_off_at_ = operation; }
  /// The power goes now: decides what is left of everything un-synced. Handles opened before stay dead for good.
  void power_off();
  void power_on();
  bool powered() const { return powered_; }
  const CrashCounts& counts() const { return counts_; }

  /// The first call from `operation` on that can fail in this way does, and answers with a StorageError.
  void break_at(std::uint64_t operation, DiskFault fault);
  /// A call has failed so since the last repair.
  bool has_broken() const { return !broken_path_.empty(); }
  /// What failed was asked for again, as if it could succeed.
  bool has_retried() const { return has_retried_; }
  /// The next calls succeed, and no failure is ordered any more.
  void repair();
  const DiskFaultCounts& fault_counts() const { return fault_counts_; }

  /// Paths of all files, in order.
  std::vector<std::string> all_files() const;
  /// What a directory shows now, in order; not counted as an operation. Nothing if there is none.
  std::vector<std::string> names_in(std::string_view directory) const;
  /// Turns a bit over, durably. Requires: the file exists. Outside of it nothing happens.
  void flip(std::string_view path, std::uint64_t offset, unsigned bit);

  /// Writes over a part of it, durably; nothing grows. Requires: the file exists.
  void overwrite(std::string_view path, std::uint64_t offset, BytesView bytes);
  /// No write of it waits for a sync. Requires: the file exists.
  bool is_synced(std::string_view path) const;

  /// A file as the programs see it, and another hand that changes it durably; not counted as operations.
  /// Requires: the file exists.
  std::string contents(std::string_view path) const;
  void set_contents(std::string_view path, std::string contents);

 private:
  class Handle;
  struct Inode;
  using InodeId = std::uint64_t;

  /// Counts one call. False if the power is off.
  bool begin_call();
  /// Whether the power goes during the call that begin_call() let in. Asked once the call's own change is made, so
  /// that the crash decides how much of it is left.
  bool ends_powerless();
  /// Whether the call on `path` that begin_call() let in fails.
  bool breaks(DiskFault fault, std::string_view path);
  Inode* find(std::string_view path) const;
  /// The directory that holds `path`, or null; `name` becomes the last part of `path`.
  Inode* find_parent(std::string_view path, std::string_view& name) const;
  void crash_names(Inode& directory);
  void drop_unreachable();
  InodeId add_inode(bool is_directory);

  Prng prng_;
  CrashWeights weights_;
  CrashCounts counts_;
  std::map<InodeId, std::unique_ptr<Inode>> inodes_;  ///< 0 is the data directory.
  InodeId next_inode_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t power_off_at_ = 0;
  std::uint64_t power_cycle_ = 0;
  bool powered_ = true;
  DiskFault fault_ = DiskFault::none;
  std::uint64_t break_at_ = 0;
  std::string broken_path_;  ///< "" while all is well.
  bool has_retried_ = false;
  DiskFaultCounts fault_counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_FILES_SIM_H_
