// One file's bytes twice: as programs see them and as the platter holds them, with the list of changes in between.
// It must never lose a synced byte, and never leave a sector that the file did not hold at some moment since its last
// sync. Sizes are metadata: a size change is kept or lost on its own, but a shrink and the bytes it cut off go
// together. Source: the states that ext4 in ordered mode may leave, as told by ALICE (2014).
#ifndef METASTORE_SIM_FILE_IMAGE_H_
#define METASTORE_SIM_FILE_IMAGE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/prng.h"

namespace metastore::sim {

inline constexpr std::uint64_t sector_bytes = 512;

/// What becomes of one file's un-synced writes, or one directory's un-synced names, when the power goes.
enum class CrashFate : std::uint8_t {
  kept,       ///< All of them reached the platter by themselves.
  lost,       ///< None did.
  prefix,     ///< The first few did, and the next one in part.
  reordered,  ///< Each one for itself: a later one may be there without an earlier one.
  scattered,  ///< Each sector for itself: any mixture of its images since the last sync.
};
inline constexpr std::size_t crash_fates = 5;

/// How often each fate is drawn. A weight of 0 switches a fate off.
using CrashWeights = std::array<std::uint32_t, crash_fates>;

/// What crashes did so far. A fault class that stays at zero was not tested.
struct CrashCounts {
  std::uint64_t crashes = 0;
  std::uint64_t writes_lost = 0;       ///< Un-synced writes of which nothing was left.
  std::uint64_t writes_torn = 0;       ///< Un-synced writes of which some sectors were left.
  std::uint64_t writes_reordered = 0;  ///< Un-synced writes of which later sectors, or later writes, were left.
  std::uint64_t sizes_lost = 0;        ///< Files whose size went back.
  std::uint64_t names_lost = 0;        ///< Un-synced creations, renames and removals undone.
};

class FileImage {
 public:
  std::uint64_t size() const { return seen_.size(); }
  const std::string& seen() const { return seen_; }
  std::size_t read_at(std::uint64_t offset, std::span<char> out) const;
  void write_at(std::uint64_t offset, BytesView bytes);
  void truncate(std::uint64_t size);
  void sync();
  /// The sync has failed: some of the writes that it was for will never reach the platter, though programs see them
  /// until the power goes, and a later sync will not say so.
  void fail_sync(Prng& prng);
  /// A bit turns over by itself, on the platter and in memory.
  void flip(std::uint64_t offset, unsigned bit);
  /// Another hand writes over what is there, on the platter and in memory; nothing grows.
  void overwrite(std::uint64_t offset, BytesView bytes);
  bool is_synced() const { return unsynced_.empty() && !has_forgotten_; }
  /// Decides what is left: afterwards the platter and the programs agree.
  void crash(CrashFate fate, Prng& prng, CrashCounts& counts);
  void set_contents(std::string contents);

 private:
  struct Change {
    std::uint64_t offset = 0;
    std::string bytes;            ///< Empty for a truncation.
    std::uint64_t zeroed_to = 0;  ///< A shrink cuts off [offset, zeroed_to).
    std::uint64_t size_before = 0;
    std::uint64_t size_after = 0;
    std::uint64_t end() const { return bytes.empty() ? zeroed_to : offset + bytes.size(); }
    bool touches(std::uint64_t sector) const {
      return offset < (sector + 1) * sector_bytes && end() > sector * sector_bytes;
    }
  };
  class Verdict;

  std::string seen_;
  std::string durable_;
  std::vector<Change> unsynced_;
  bool has_forgotten_ = false;  ///< Programs see what no change leads to any more.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_FILE_IMAGE_H_
