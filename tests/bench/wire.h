// Just enough protobuf for a load generator: it writes fields and walks them, and knows no message.
#ifndef METASTORE_TESTS_BENCH_WIRE_H_
#define METASTORE_TESTS_BENCH_WIRE_H_

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

/// Calls visit(number, value, bytes) for each field; of varint and bytes, the other is 0 or empty.
template <typename Visit>
bool each_field(std::string_view message, Visit visit) {
  Decoder in(message);
  while (in.ok() && !in.at_end()) {
    const std::uint64_t tag = in.u64();
    const int number = static_cast<int>(tag >> 3);
    if ((tag & 7) == 0) {
      visit(number, in.u64(), std::string_view());
    } else if ((tag & 7) == 2) {
      visit(number, std::uint64_t{0}, in.bytes());
    } else {
      return false;
    }
  }
  return in.ok();
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
