// Protobuf's wire format, read and written field by field, so that a request is views into its own bytes and a reply is
// one allocation. Repeated keys in requests are decided as protobuf does (the last one counts, unknown ones are
// skipped); only groups are refused, because no message that we take has any.
#ifndef METASTORE_CORE_KV_WIRE_H_
#define METASTORE_CORE_KV_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/encoder.h"

namespace metastore::kv {

/// A field's number and wire type, as it stands before the field. A known number of another type is an unknown field.
constexpr std::uint32_t varint_tag(std::uint32_t field) { return field << 3; }
constexpr std::uint32_t bytes_tag(std::uint32_t field) { return field << 3 | 2; }

class WireReader {
 public:
  explicit WireReader(BytesView message) : rest_(message) {}

  /// Steps to the next field. False at the end and at damage; then ok() tells which.
  bool next() {
    if (!ok_ || rest_.empty()) return false;
    ok_ = read_field();
    return ok_;
  }
  bool ok() const { return ok_; }

  std::uint32_t tag() const { return tag_; }
  BytesView bytes() const { return bytes_; }    ///< Of a field with a bytes_tag.
  std::uint64_t u64() const { return value_; }  ///< Of a field with a varint_tag, as all below.
  std::int64_t i64() const { return static_cast<std::int64_t>(value_); }
  std::int32_t i32() const { return static_cast<std::int32_t>(value_); }
  bool boolean() const { return value_ != 0; }

 private:
  /// Nearly all have one byte.
  bool read_varint(std::uint64_t& value, std::size_t bytes_max) {
    if (rest_.empty() || static_cast<unsigned char>(rest_.front()) >= 0x80) return read_long_varint(value, bytes_max);
    value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return true;
  }
  bool read_long_varint(std::uint64_t& value, std::size_t bytes_max);
  bool skip(std::uint64_t size) {
    if (size > rest_.size()) return false;
    bytes_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool read_field() {
    // A tag and a length have 32 bits, a value has 64; Google's parser refuses more bytes than these need.
    constexpr std::size_t head_bytes_max = 5;
    constexpr std::size_t value_bytes_max = 10;
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

  BytesView rest_;
  std::uint32_t tag_ = 0;
  std::uint64_t value_ = 0;
  BytesView bytes_;
  bool ok_ = true;
};

/// What a varint field takes; a zero is not written.
inline std::size_t varint_field_size(std::uint32_t field, std::uint64_t value) {
  return value == 0 ? 0 : varint_size(varint_tag(field)) + varint_size(value);
}
/// What a message or bytes field takes, the empty one included.
inline std::size_t message_field_size(std::uint32_t field, std::size_t size) {
  return varint_size(bytes_tag(field)) + varint_size(size) + size;
}
/// What a proto3 string or bytes field takes; an empty one is not written.
inline std::size_t bytes_field_size(std::uint32_t field, std::size_t size) {
  return size == 0 ? 0 : message_field_size(field, size);
}

/// Writes what the functions above measure. Requires: room for it.
class WireWriter {
 public:
  explicit WireWriter(char* out) : out_(out) {}

  void varint_field(std::uint32_t field, std::uint64_t value) {
    if (value == 0) return;
    out_ = write_varint(out_, varint_tag(field));
    out_ = write_varint(out_, value);
  }
  /// The head of a message field whose `size` bytes are written next.
  void message_field(std::uint32_t field, std::size_t size) {
    out_ = write_varint(out_, bytes_tag(field));
    out_ = write_varint(out_, size);
  }
  void bytes_field(std::uint32_t field, BytesView value) {
    if (value.empty()) return;
    message_field(field, value.size());
    raw(value);
  }
  void raw(BytesView bytes) {
    if (!bytes.empty()) std::memcpy(out_, bytes.data(), bytes.size());
    out_ += bytes.size();
  }
  const char* end() const { return out_; }

 private:
  char* out_;
};

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_WIRE_H_
