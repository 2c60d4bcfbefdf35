// Messages from the wire as a line each: read_fields(message, field(1, out.key), field(3, out.lease)). A field is known
// by its number and the wire type that its target takes; any other is skipped, and of one that comes twice the last
// counts, as protobuf has it. It allocates nothing.
#ifndef METASTORE_CORE_KV_FIELDS_H_
#define METASTORE_CORE_KV_FIELDS_H_

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "core/base/bytes.h"
#include "core/kv/wire.h"

namespace metastore::kv {

/// Takes what a varint is worth as `Value`: a number, a boolean, an enumeration or an id.
template <typename Value>
struct VarintField {
  std::uint32_t number;
  Value& out;

  bool take(const WireReader& reader) const {
    if (reader.tag() != varint_tag(number)) return true;
    if constexpr (std::is_same_v<Value, bool>) {
      out = reader.boolean();
    } else if constexpr (std::is_enum_v<Value>) {
      out = static_cast<Value>(reader.i32());
    } else {
      out = Value(reader.u64());
    }
    return true;
  }
};

/// Takes bytes, as a view into the message or as a text of its own.
template <typename Value>
struct BytesField {
  std::uint32_t number;
  Value& out;

  bool take(const WireReader& reader) const {
    if (reader.tag() == bytes_tag(number)) out = reader.bytes();
    return true;
  }
};

/// Hands the bytes of a message, or of one more of many, to `read`, which says whether they are in order.
template <typename Read>
struct PartField {
  std::uint32_t number;
  Read read;

  bool take(const WireReader& reader) const { return reader.tag() != bytes_tag(number) || read(reader.bytes()); }
};

template <typename Value>
auto field(std::uint32_t number, Value& out) {
  if constexpr (std::is_assignable_v<Value&, BytesView>) {
    return BytesField<Value>{number, out};
  } else {
    return VarintField<Value>{number, out};
  }
}
template <std::predicate<BytesView> Read>
PartField<Read> part(std::uint32_t number, Read read) {
  return {number, read};
}

/// False if the message is damaged or a part of it is not in order.
template <typename... Fields>
bool read_fields(BytesView message, const Fields&... fields) {
  WireReader reader(message);
  while (reader.next()) {
    if (!(fields.take(reader) && ...)) return false;
  }
  return reader.ok();
}

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_FIELDS_H_
