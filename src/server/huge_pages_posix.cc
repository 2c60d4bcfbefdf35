// Replaces the operator new for memory of an unusual alignment, which the store's arena alone asks for: regions of
// records, each some megabytes. They come in huge pages where the system grants them to those who ask, so that a random
// key among millions costs fewer misses of the processor's page tables, and a start fewer page faults. Nothing else may
// depend on that.
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t huge_page_bytes = 2 * 1024 * 1024;

}  // namespace

void* operator new(std::size_t size, std::align_val_t alignment) {
  const bool is_huge = size >= huge_page_bytes;
  const std::size_t boundary = std::max(static_cast<std::size_t>(alignment), is_huge ? huge_page_bytes : 0);
  void* const memory = std::aligned_alloc(boundary, (size + boundary - 1) / boundary * boundary);
  if (memory == nullptr) std::abort();
  // Where it is refused, the pages are small.
  if (is_huge) static_cast<void>(::madvise(memory, size, MADV_HUGEPAGE));
  return memory;
}

void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
