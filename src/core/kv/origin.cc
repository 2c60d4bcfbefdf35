#include "core/kv/origin.h"

#include "core/base/assert.h"
#include "core/kv/wire.h"

namespace metastore::kv {
namespace {

enum Field : std::uint32_t { member = 101, incarnation = 102, sequence = 103 };

}  // namespace

Bytes with_origin(BytesView command, const Origin& origin) {
  const std::size_t size = command.size() + varint_field_size(Field::member, origin.member.value()) +
                           varint_field_size(Field::incarnation, origin.incarnation) +
                           varint_field_size(Field::sequence, origin.sequence);
  return Bytes::build(size, [&](char* out) {
    WireWriter writer(out);
    writer.raw(command);
    writer.varint_field(Field::member, origin.member.value());
    writer.varint_field(Field::incarnation, origin.incarnation);
    writer.varint_field(Field::sequence, origin.sequence);
    ASSERT(writer.end() == out + size);
  });
}

std::optional<Origin> origin_of(BytesView entry) {
  Origin origin;
  WireReader reader(entry);
  while (reader.next()) {
    if (reader.tag() == varint_tag(Field::member)) origin.member = MemberId(reader.u64());
    if (reader.tag() == varint_tag(Field::incarnation)) origin.incarnation = reader.u64();
    if (reader.tag() == varint_tag(Field::sequence)) origin.sequence = reader.u64();
  }
  if (!reader.ok() || origin.member == MemberId()) return std::nullopt;
  return origin;
}

}  // namespace metastore::kv
