#include "core/base/encoder.h"

namespace metastore {

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

char* write_varint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

void append_varint(std::string& out, std::uint64_t value) {
  if (value < 0x80) return out.push_back(static_cast<char>(value));
  char buffer[10];
  out.append(buffer, static_cast<std::size_t>(write_varint(buffer, value) - buffer));
}

std::uint64_t Decoder::u64() {
  std::uint64_t value = 0;
  for (int shift = 0; ok_ && shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    // The tenth byte holds one bit; a last byte of zero would be a second spelling of the same number.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  ok_ = false;
  rest_ = {};
  return 0;
}

std::int64_t Decoder::i64() {
  const std::uint64_t raw = u64();
  return static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
}

bool Decoder::boolean() {
  const std::uint64_t raw = u64();
  if (raw > 1) {
    ok_ = false;
    rest_ = {};
    return false;
  }
  return raw == 1;
}

BytesView Decoder::bytes() {
  const std::uint64_t size = u64();
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const BytesView value = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return value;
}

}  // namespace metastore
