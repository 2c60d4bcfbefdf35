// The canonical encoding of our own values: varints, lengths before bytes, no padding, no alternatives. Equal values
// give equal bytes on every machine. It serves the rolling hash, the recorder and the peers; etcd's formats (protobuf)
// are written elsewhere. The varint is protobuf's.
#ifndef METASTORE_CORE_BASE_ENCODER_H_
#define METASTORE_CORE_BASE_ENCODER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore {

/// The bytes that a varint of `value` takes: 1 to 10.
std::size_t varint_size(std::uint64_t value);
/// Writes `value` at `out` and returns the place behind it. Requires: room for varint_size(value).
char* write_varint(char* out, std::uint64_t value);
void append_varint(std::string& out, std::uint64_t value);

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  void u64(std::uint64_t value) { append_varint(out_, value); }
  /// Zigzag, so that small negative numbers stay small.
  void i64(std::int64_t value) {
    u64((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void boolean(bool value) { out_.push_back(value ? '\1' : '\0'); }
  void bytes(BytesView value) {
    u64(value.size());
    out_.append(value);
  }
  void bytes(const Bytes& value) { bytes(value.view()); }
  template <typename Tag>
  void tagged(Tagged<Tag, std::uint64_t> value) {
    u64(value.value());
  }
  template <typename Tag>
  void tagged(Tagged<Tag, std::int64_t> value) {
    i64(value.value());
  }
  void instant(Instant value) { i64(value.nanoseconds()); }

 private:
  std::string& out_;
};

/// Reads what an Encoder wrote, or refuses: after the first damage ok() is false and every value is zero or empty.
class Decoder {
 public:
  explicit Decoder(BytesView in) : rest_(in) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  BytesView rest() const { return rest_; }

  std::uint64_t u64();
  std::int64_t i64();
  bool boolean();
  BytesView bytes();
  template <typename T>
  T tagged() {
    if constexpr (std::is_signed_v<typename T::Integer>) {
      return T(i64());
    } else {
      return T(u64());
    }
  }
  Instant instant() { return Instant::from_nanoseconds(i64()); }

 private:
  BytesView rest_;
  bool ok_ = true;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_ENCODER_H_
