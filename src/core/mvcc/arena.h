// Memory for records: blocks of one size class share a slab of 64 KiB, and a slab whose last block is freed serves any
// class again, so that compaction gives back what it frees whatever sizes come next. Sizes above the largest class are
// allocated singly. Which block is handed out depends on the calls alone, never on addresses.
#ifndef METASTORE_CORE_MVCC_ARENA_H_
#define METASTORE_CORE_MVCC_ARENA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace metastore::mvcc {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  char* allocate(std::size_t size);
  /// Requires: `size` as it was asked for.
  void free(char* block, std::size_t size);

  /// What callers asked for and have not freed.
  std::size_t used_bytes() const { return used_bytes_; }
  /// What the slabs in use and single blocks take.
  std::size_t held_bytes() const { return (slabs_.size() - empty_.size()) * slab_bytes + single_bytes_; }
  void check_invariants() const;

 private:
  static constexpr std::size_t slab_bytes = 64 * 1024;
  static constexpr std::size_t region_slabs = 16;
  static constexpr std::size_t fine_step = 16;   ///< Classes rise by this up to fine_max ...
  static constexpr std::size_t fine_max = 1024;  ///< ... and by an eighth of themselves up to block_max.
  static constexpr std::size_t block_max = 8 * 1024;
  static constexpr std::size_t class_count = fine_max / fine_step + 24;

  struct Slab;
  struct FreeBlock;
  struct Region;

  std::vector<Slab*> slabs_;
  std::vector<Slab*> empty_;
  std::size_t used_bytes_ = 0;
  std::size_t single_bytes_ = 0;
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_ARENA_H_
