// What a key costs in memory, counted at operator new, which this executable replaces: slabs, index and history in all,
// the allocator's own rounding included.
#include <doctest/doctest.h>
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "core/base/prng.h"
#include "core/mvcc/store.h"

namespace {

std::size_t allocated_bytes = 0;
constexpr std::size_t malloc_header = 8;

void* counted(void* memory) {
  if (memory == nullptr) std::abort();
  allocated_bytes += malloc_usable_size(memory) + malloc_header;
  return memory;
}

void release(void* memory) {
  if (memory == nullptr) return;
  allocated_bytes -= malloc_usable_size(memory) + malloc_header;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(std::malloc(size)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(std::aligned_alloc(static_cast<std::size_t>(alignment), size));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace metastore::mvcc {
namespace {

constexpr std::uint64_t keys = 100'000;
const std::string value(256, 'v');

/// 18 bytes. Neighbours in time are not neighbours in order: the worse case for a B-tree's nodes.
std::string key(std::uint64_t i) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "/registry/%08llu", static_cast<unsigned long long>(i * 7'919 % keys));
  return buffer;
}

void put(Store& store, const std::string& name) {
  Transaction txn(store);
  txn.put(name, value, LeaseId(0));
  txn.commit();
}

/// What the next checkpoint takes.
void save(Store& store) {
  store.take_changes([](Record) {}, [](RevisionPair) {});
}

void put_all(Store& store) {
  for (std::uint64_t i = 0; i < keys; ++i) {
    put(store, key(i));
    if (i % 1'000 == 0) save(store);
  }
  save(store);
}

TEST_CASE("a key with a value of 256 bytes takes at most 350 bytes, and 335 once its history is compacted") {
  const std::size_t before = allocated_bytes;
  Store store;
  put_all(store);
  // Slabs that were never used are not resident; a region of 4 MiB counts whole at operator new.
  const std::size_t spare = std::size_t{4} << 20;
  const std::size_t fresh = allocated_bytes - before;
  CHECK((fresh - spare) / keys <= 350);
  CHECK(store.memory().total() / keys <= 350);

  CHECK(store.compact(store.current_revision()).ok());
  CHECK(store.compact_some(keys));
  save(store);
  const std::size_t compacted = allocated_bytes - before;
  CHECK((compacted - spare) / keys <= 335);
  MESSAGE("bytes a key: " << fresh / keys << " fresh, " << compacted / keys << " compacted, with a spare region; "
                          << store.memory().total() / keys << " by the store's own account");
}

TEST_CASE("compaction gives memory back: ten generations of every key take no more than two") {
  const std::size_t before = allocated_bytes;
  Store store;
  put_all(store);
  const std::size_t once = allocated_bytes - before;
  for (int generation = 0; generation < 10; ++generation) {
    put_all(store);
    CHECK(store.compact(store.current_revision()).ok());
    CHECK(store.compact_some(10 * keys));
    save(store);
  }
  CHECK(allocated_bytes - before < 2 * once + once / 8);
  {
    Transaction txn(store);
    CHECK(txn.delete_range(KeyRange::all()) == keys);
    txn.commit();
  }
  put(store, "last");
  CHECK(store.compact(store.current_revision()).ok());
  CHECK(store.compact_some(10 * keys));
  CHECK(store.key_count() == 1);
  CHECK(store.memory().total() < 256 * 1024);
  store.check_invariants();
}

}  // namespace
}  // namespace metastore::mvcc
