#include "core/kv/wire.h"

namespace metastore::kv {
namespace {

/// A tag and a length have 32 bits, a value has 64; Google's parser refuses more bytes than these need.
constexpr std::size_t head_bytes_max = 5;
constexpr std::size_t value_bytes_max = 10;

}  // namespace

bool WireReader::next() {
  if (!ok_ || rest_.empty()) return false;
  ok_ = read_field();
  return ok_;
}

bool WireReader::read_varint(std::uint64_t& value, std::size_t bytes_max) {
  value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < bytes_max; ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    if (i == 9 && byte > 1) return false;  // The tenth byte holds one bit.
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool WireReader::skip(std::uint64_t size) {
  if (size > rest_.size()) return false;
  bytes_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::read_field() {
  std::uint64_t tag = 0;
  if (!read_varint(tag, head_bytes_max) || tag > 0xffffffff || tag >> 3 == 0) return false;
  tag_ = static_cast<std::uint32_t>(tag);
  switch (tag & 7) {
    case 0:
      return read_varint(value_, value_bytes_max);
    case 1:
      return skip(8);
    case 2:
      return read_varint(value_, head_bytes_max) && skip(value_);
    case 5:
      return skip(4);
    default:
      return false;
  }
}

}  // namespace metastore::kv
