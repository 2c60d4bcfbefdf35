// Just enough protobuf for a load generator: it writes fields and walks them, and knows no message.
#ifndef METASTORE_TESTS_BENCH_WIRE_H_
#define METASTORE_TESTS_BENCH_WIRE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/encoder.h"

namespace metastore::bench {

inline std::string number_field(int number, std::uint64_t value) {
  std::string bytes;
  append_varint(bytes, static_cast<std::uint64_t>(number) << 3);
  append_varint(bytes, value);
  return bytes;
}

inline std::string bytes_field(int number, std::string_view value) {
  std::string bytes;
  append_varint(bytes, static_cast<std::uint64_t>(number) << 3 | 2);
  append_varint(bytes, value.size());
  bytes += value;
  return bytes;
}

/// Reads one off the front of `in`; a client that counts a million events a second can afford no more.
inline std::uint64_t take_varint(std::string_view& in) {
  std::uint64_t value = 0;
  for (int shift = 0; !in.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

/// Calls visit(number, value, bytes) for each field; of varint and bytes, the other is 0 or empty.
template <typename Visit>
void each_field(std::string_view message, Visit visit) {
  while (!message.empty()) {
    const std::uint64_t tag = take_varint(message);
    const std::uint64_t value = take_varint(message);
    const bool is_bytes = (tag & 7) == 2;
    const std::size_t size = is_bytes ? std::min<std::size_t>(value, message.size()) : 0;
    visit(static_cast<int>(tag >> 3), is_bytes ? 0 : value, message.substr(0, size));
    message.remove_prefix(size);
  }
}

inline std::uint64_t number_in(std::string_view message, int wanted) {
  std::uint64_t found = 0;
  each_field(message, [&](int number, std::uint64_t value, std::string_view) {
    if (number == wanted) found = value;
  });
  return found;
}

inline std::string_view bytes_in(std::string_view message, int wanted) {
  std::string_view found;
  each_field(message, [&](int number, std::uint64_t, std::string_view bytes) {
    if (number == wanted) found = bytes;
  });
  return found;
}

}  // namespace metastore::bench

#endif  // METASTORE_TESTS_BENCH_WIRE_H_
