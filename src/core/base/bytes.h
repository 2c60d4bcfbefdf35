// Immutable bytes, shared by count. Copying a Bytes copies a pointer; slices share the same block.
// The count is plain, not atomic: only the loop thread copies or drops a Bytes (design D7). A helper thread reads one
// through a view while the loop keeps it alive.
#ifndef METASTORE_CORE_BASE_BYTES_H_
#define METASTORE_CORE_BASE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace metastore {

using BytesView = std::string_view;

class Bytes {
 public:
  Bytes() = default;
  /// Copies `view` into a block of its own.
  static Bytes copy_of(BytesView view);
  /// A block of `size` bytes that `fill` writes, before anybody else sees it.
  template <typename Fill>
  static Bytes build(std::size_t size, Fill&& fill) {
    Bytes bytes = allocate(size);
    fill(const_cast<char*>(bytes.data_));
    return bytes;
  }

  Bytes(const Bytes& other) : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) ++block_->count;
  }
  Bytes(Bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr && --block_->count == 0) release(block_);
  }

  BytesView view() const { return BytesView(data_, size_); }
  const char* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// The bytes [offset, offset + size), sharing this block. Requires: the range lies within.
  Bytes slice(std::size_t offset, std::size_t size) const;

  bool operator==(const Bytes& other) const { return view() == other.view(); }

 private:
  struct Block {
    std::uint32_t count;
  };
  static Bytes allocate(std::size_t size);
  static void release(Block* block);

  Block* block_ = nullptr;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_BYTES_H_
