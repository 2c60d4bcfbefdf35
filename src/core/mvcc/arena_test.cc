#include "core/mvcc/arena.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/prng.h"

namespace metastore::mvcc {
namespace {

struct Block {
  char* data;
  std::size_t size;
  char mark;
  bool intact() const {
    return std::all_of(data, data + size, [this](char c) { return c == mark; });
  }
};

TEST_CASE("blocks of all sizes keep their bytes, and nothing is held when all are freed") {
  Arena arena;
  Prng prng(1, "arena");
  std::vector<Block> blocks;
  std::size_t used = 0;
  const auto free = [&](std::size_t at) {
    CHECK(blocks[at].intact());
    used -= blocks[at].size;
    arena.free(blocks[at].data, blocks[at].size);
    blocks[at] = blocks.back();
    blocks.pop_back();
  };
  for (int i = 0; i < 50'000; ++i) {
    if (!blocks.empty() && prng.chance(i < 25'000 ? 1 : 3, 4)) {
      free(prng.below(blocks.size()));
      continue;
    }
    const std::size_t size = 1 + prng.below(std::size_t{1} << prng.between(1, 15));
    const Block block{arena.allocate(size), size, static_cast<char>(i)};
    std::memset(block.data, block.mark, size);
    blocks.push_back(block);
    used += size;
    CHECK(arena.used_bytes() == used);
  }
  while (!blocks.empty()) free(blocks.size() - 1);
  CHECK(arena.used_bytes() == 0);
  CHECK(arena.held_bytes() == 0);
}

TEST_CASE("a block of any size up to the largest class wastes less than an eighth of it, or 16 bytes") {
  for (std::size_t size = 1; size <= 8 * 1024; size += 13) {
    Arena arena;
    const char* first = arena.allocate(size);
    const char* second = arena.allocate(size);
    const auto distance = static_cast<std::size_t>(second - first);
    CHECK(distance >= size);
    CHECK(distance < size + std::max<std::size_t>(size / 8 + 1, 16));
  }
}

TEST_CASE("memory of one size serves another once its slab is empty") {
  Arena arena;
  std::vector<char*> blocks;
  for (int i = 0; i < 10'000; ++i) blocks.push_back(arena.allocate(300));
  const std::size_t held = arena.held_bytes();
  for (char* block : blocks) arena.free(block, 300);
  CHECK(arena.held_bytes() == 0);
  for (int i = 0; i < 5'000; ++i) arena.allocate(600);
  CHECK(arena.held_bytes() <= held + held / 16);
}

}  // namespace
}  // namespace metastore::mvcc
