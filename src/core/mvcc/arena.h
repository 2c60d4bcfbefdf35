// Memory for records: blocks of one size class share a slab of 64 KiB, and a slab whose last block is freed serves any
// class again, so that compaction gives back what it frees whatever sizes come next. Sizes above the largest class are
// allocated singly. Which block is handed out depends on the calls alone, never on the order of addresses.
#ifndef METASTORE_CORE_MVCC_ARENA_H_
#define METASTORE_CORE_MVCC_ARENA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace metastore::mvcc {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  /// `size` bytes without alignment. Requires: size > 0.
  char* allocate(std::size_t size);
  /// Requires: `size` as it was asked for.
  void free(char* block, std::size_t size);

  /// What callers asked for and have not freed.
  std::size_t used_bytes() const { return used_bytes_; }
  /// What the slabs in use and the single blocks take. Empty slabs wait for use and do not count.
  std::size_t held_bytes() const { return slabs_in_use_ * slab_bytes + single_bytes_; }

 private:
  static constexpr std::size_t slab_bytes = 64 * 1024;
  static constexpr std::size_t region_slabs = 64;  ///< A region is one allocation; untouched slabs cost nothing.
  static constexpr std::size_t fine_step = 16;     ///< Classes rise by this up to fine_max ...
  static constexpr std::size_t fine_max = 1024;    ///< ... and by an eighth of a power of two up to block_max.
  static constexpr std::size_t block_max = 8 * 1024;
  static constexpr std::size_t fine_classes = fine_max / fine_step;
  static constexpr std::size_t class_count = fine_classes + 3 * 8;

  struct FreeBlock {
    FreeBlock* next;
  };
  /// Stands at the beginning of its 64 KiB, so that a block finds its slab by its address.
  struct Slab {
    FreeBlock* free = nullptr;
    Slab* next = nullptr;  ///< Among the slabs of the class that have room, or among the empty ones.
    Slab* previous = nullptr;
    std::uint32_t live = 0;
    std::uint32_t unused;  ///< Where the part begins that never was a block.
  };
  /// A singly allocated block stands behind this.
  struct Single {
    Single* next = nullptr;
    Single* previous = nullptr;
  };

  static std::size_t class_of(std::size_t size);
  static std::size_t block_bytes(std::size_t size_class);
  /// A slab begins at a multiple of its size, so it ends where the block's address is rounded up to one.
  static Slab* slab_of(char* block);

  char* allocate_single(std::size_t size);
  void free_single(char* block, std::size_t size);
  Slab* take_slab();
  void link(std::size_t size_class, Slab* slab);
  void unlink(std::size_t size_class, Slab* slab);

  std::vector<char*> regions_;
  std::size_t region_used_ = region_slabs;  ///< Slabs taken of the last region.
  std::array<Slab*, class_count> with_room_{};
  Slab* empty_ = nullptr;
  Single* singles_ = nullptr;
  std::size_t slabs_in_use_ = 0;
  std::size_t used_bytes_ = 0;
  std::size_t single_bytes_ = 0;
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_ARENA_H_
