#include "core/kv/wire.h"

namespace metastore::kv {

bool WireReader::read_long_varint(std::uint64_t& value, std::size_t bytes_max) {
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

}  // namespace metastore::kv
