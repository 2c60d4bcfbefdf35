// A disk in memory under the real LMDB: its system calls are linked to this rig (-Wl,--wrap), which keeps what the
// process sees in a memfd, so that mapping it works, and beside it what is durable and what is not yet. The power goes
// at a chosen operation; from then on nothing reaches the disk and every call fails. Then each file is rebuilt from
// what was durable and a drawn part, by sectors, of what was not. One process, one rig.
#ifndef METASTORE_TESTS_ENGINE_POWER_RIG_H_
#define METASTORE_TESTS_ENGINE_POWER_RIG_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/files.h"

namespace metastore::rig {

enum Operation : std::uint8_t { write_page, write_meta, sync_data, create_file, rename_file, sync_names, operations };
inline constexpr std::array<std::string_view, operations> operation_names = {"write",  "write_meta", "fdatasync",
                                                                             "create", "rename",     "sync_directory"};

/// The only one is reached through Disk::current(), since system calls have no other way to it.
class Disk final : public port::Files {
 public:
  explicit Disk(Prng prng);
  ~Disk() override;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  static Disk* current() { return current_; }

  /// The power goes at the `operation`th operation from the beginning; 0: never.
  void power_off_at(std::uint64_t operation) { off_at_ = operation; }
  bool powered() const { return powered_; }
  std::uint64_t done() const { return count_; }
  Operation last() const { return last_; }
  /// The machine starts again. Requires: nothing is open.
  void power_on();
  /// fdatasync returns at once and does nothing; nor does O_DSYNC.
  void lie() { lies_ = true; }

  // The system calls. Paths are full ones; a descriptor is the rig's if it came from here.
  bool has(std::string_view path) const { return path.starts_with(root); }
  bool has(int descriptor) const { return open_.contains(descriptor); }
  int open_file(std::string_view path, int flags);
  long write_file(int descriptor, BytesView bytes, std::uint64_t offset);
  int sync_file(int descriptor);
  void close_file(int descriptor) { open_.erase(descriptor); }

  // port::Files, as far as the engine needs it. There is one directory.
  port::StorageResult<std::unique_ptr<port::File>> open(std::string_view path, port::OpenMode mode) override;
  bool exists(std::string_view path) override { return names_.contains(path); }
  port::StorageResult<std::vector<std::string>> list(std::string_view directory) override;
  port::StorageStatus create_directory(std::string_view) override { return Done{}; }
  port::StorageStatus rename(std::string_view from, std::string_view to) override;
  port::StorageStatus remove(std::string_view path) override;
  port::StorageStatus sync_directory(std::string_view directory) override;

  static constexpr std::string_view root = "/power-rig";

 private:
  struct Write {
    std::uint64_t offset = 0;
    std::string bytes;
  };
  struct Image {
    int seen = -1;  ///< A memfd: what the process sees.
    std::string durable;
    std::vector<Write> pending;
  };
  struct Open {
    std::shared_ptr<Image> image;
    bool writes_through = false;
  };
  using Names = std::map<std::string, std::shared_ptr<Image>, std::less<>>;

  /// Counts an operation. False if the power is gone, or goes with it.
  bool begin(Operation operation);
  static void put(std::string& bytes, const Write& write);
  void rebuild(Image& image);

  static Disk* current_;
  Prng prng_;
  bool powered_ = true;
  bool lies_ = false;
  std::uint64_t off_at_ = 0;
  std::uint64_t count_ = 0;
  Operation last_ = write_page;
  Names names_;
  Names durable_names_;
  std::map<int, Open> open_;
};

}  // namespace metastore::rig

#endif  // METASTORE_TESTS_ENGINE_POWER_RIG_H_
