#include "core/mvcc/arena.h"

#include <bit>
#include <memory>
#include <new>
#include <utility>

#include "core/base/assert.h"

namespace metastore::mvcc {

Arena::~Arena() {
  while (singles_ != nullptr) ::operator delete(std::exchange(singles_, singles_->next));
  for (char* region : regions_) ::operator delete(region, std::align_val_t(slab_bytes));
}

std::size_t Arena::class_of(std::size_t size) {
  if (size <= fine_max) return (size - 1) / fine_step;
  const auto octave = static_cast<std::size_t>(std::bit_width((size - 1) / fine_max) - 1);
  return fine_classes + octave * 8 + (size - 1 - (fine_max << octave)) / ((fine_max / 8) << octave);
}

std::size_t Arena::block_bytes(std::size_t size_class) {
  if (size_class < fine_classes) return (size_class + 1) * fine_step;
  const std::size_t octave = (size_class - fine_classes) / 8;
  const std::size_t step = (size_class - fine_classes) % 8 + 1;
  return (fine_max << octave) + step * ((fine_max / 8) << octave);
}

Arena::Slab* Arena::slab_of(char* block) {
  void* end = block;
  std::size_t space = slab_bytes;
  std::align(slab_bytes, 0, end, space);
  void* start = static_cast<char*>(end) - slab_bytes;
  return static_cast<Slab*>(start);
}

char* Arena::allocate(std::size_t size) {
  ASSERT(size > 0);
  used_bytes_ += size;
  if (size > block_max) return allocate_single(size);
  const std::size_t size_class = class_of(size);
  const std::size_t bytes = block_bytes(size_class);
  Slab* slab = with_room_[size_class];
  if (slab == nullptr) {
    slab = take_slab();
    link(size_class, slab);
  }
  void* block = slab->free;
  if (block != nullptr) {
    slab->free = slab->free->next;
  } else {
    block = static_cast<char*>(static_cast<void*>(slab)) + slab->unused;
    slab->unused += static_cast<std::uint32_t>(bytes);
  }
  ++slab->live;
  if (slab->free == nullptr && slab->unused + bytes > slab_bytes) unlink(size_class, slab);
  return static_cast<char*>(block);
}

void Arena::free(char* block, std::size_t size) {
  ASSERT(used_bytes_ >= size);
  used_bytes_ -= size;
  if (size > block_max) return free_single(block, size);
  const std::size_t size_class = class_of(size);
  Slab* slab = slab_of(block);
  ASSERT(slab->live > 0);
  const bool had_room = slab->free != nullptr || slab->unused + block_bytes(size_class) <= slab_bytes;
  slab->free = new (block) FreeBlock{slab->free};
  if (--slab->live == 0) {
    if (had_room) unlink(size_class, slab);
    slab->next = std::exchange(empty_, slab);
    --slabs_in_use_;
  } else if (!had_room) {
    link(size_class, slab);
  }
}

char* Arena::allocate_single(std::size_t size) {
  single_bytes_ += sizeof(Single) + size;
  void* memory = ::operator new(sizeof(Single) + size);
  auto* single = new (memory) Single{singles_, nullptr};
  if (singles_ != nullptr) singles_->previous = single;
  singles_ = single;
  return static_cast<char*>(memory) + sizeof(Single);
}

void Arena::free_single(char* block, std::size_t size) {
  single_bytes_ -= sizeof(Single) + size;
  void* memory = block - sizeof(Single);
  auto* single = static_cast<Single*>(memory);
  if (single->next != nullptr) single->next->previous = single->previous;
  (single->previous != nullptr ? single->previous->next : singles_) = single->next;
  ::operator delete(memory);
}

Arena::Slab* Arena::take_slab() {
  ++slabs_in_use_;
  void* memory = empty_;
  if (empty_ != nullptr) {
    empty_ = empty_->next;
  } else {
    if (region_used_ == region_slabs) {
      void* region = ::operator new(region_slabs * slab_bytes, std::align_val_t(slab_bytes));
      regions_.push_back(static_cast<char*>(region));
      region_used_ = 0;
    }
    memory = regions_.back() + region_used_++ * slab_bytes;
  }
  auto* slab = new (memory) Slab;
  slab->unused = (sizeof(Slab) + fine_step - 1) / fine_step * fine_step;
  return slab;
}

void Arena::link(std::size_t size_class, Slab* slab) {
  slab->previous = nullptr;
  slab->next = std::exchange(with_room_[size_class], slab);
  if (slab->next != nullptr) slab->next->previous = slab;
}

void Arena::unlink(std::size_t size_class, Slab* slab) {
  if (slab->next != nullptr) slab->next->previous = slab->previous;
  (slab->previous != nullptr ? slab->previous->next : with_room_[size_class]) = slab->next;
}

}  // namespace metastore::mvcc
