#include "core/kv/wire.h"

namespace metastore::kv {

bool WireReader::next() {
  if (!ok_ || rest_.empty()) return false;
  ok_ = read_field();
  return ok_;
}

bool WireReader::read_varint(std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
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
  if (!read_varint(tag) || tag > 0xffffffff || tag >> 3 == 0) return false;
  tag_ = static_cast<std::uint32_t>(tag);
  switch (tag & 7) {
    case 0:
      return read_varint(value_);
    case 1:
      return skip(8);
    case 2:
      return read_varint(value_) && skip(value_);
    case 5:
      return skip(4);
    default:
      return false;
  }
}

}  // namespace metastore::kv
