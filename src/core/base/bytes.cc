#include "core/base/bytes.h"

#include <cstring>
#include <new>

#include "core/base/assert.h"

namespace metastore {

Bytes Bytes::allocate(std::size_t size) {
  Bytes bytes;
  if (size == 0) return bytes;
  void* memory = ::operator new(sizeof(Block) + size);
  bytes.block_ = new (memory) Block{1};
  bytes.data_ = static_cast<char*>(memory) + sizeof(Block);
  bytes.size_ = size;
  return bytes;
}

void Bytes::release(Block* block) {
  block->~Block();
  ::operator delete(block);
}

Bytes Bytes::copy_of(BytesView view) {
  return build(view.size(), [view](char* out) {
    if (!view.empty()) std::memcpy(out, view.data(), view.size());
  });
}

Bytes Bytes::slice(std::size_t offset, std::size_t size) const {
  ASSERT(offset <= size_);
  ASSERT(size <= size_ - offset);
  if (size == 0) return Bytes();
  Bytes part(*this);
  part.data_ += offset;
  part.size_ = size;
  return part;
}

}  // namespace metastore
