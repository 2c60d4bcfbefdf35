#include "core/watch/watcher.h"

#include "core/base/assert.h"
#include "core/kv/wire.h"

namespace metastore::watch {
namespace {

constexpr std::uint32_t events_field = 11;
constexpr std::uint64_t event_type_delete = 1;

}  // namespace

Bytes encode(const kv::Header& header, Revision revision, const Head& head) {
  const auto integer = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  const std::size_t size = kv::header_field_size(header, revision) + kv::varint_field_size(2, integer(head.watch_id)) +
                           kv::varint_field_size(3, head.created) + kv::varint_field_size(4, head.canceled) +
                           kv::varint_field_size(5, integer(head.compact_revision.value())) +
                           kv::bytes_field_size(6, head.cancel_reason.size()) + kv::varint_field_size(7, head.fragment);
  return Bytes::build(size, [&](char* begin) {
    kv::WireWriter out(begin);
    kv::write_header_field(out, header, revision);
    out.varint_field(2, integer(head.watch_id));
    out.varint_field(3, head.created);
    out.varint_field(4, head.canceled);
    out.varint_field(5, integer(head.compact_revision.value()));
    out.bytes_field(6, head.cancel_reason);
    out.varint_field(7, head.fragment);
    ASSERT(out.end() == begin + size);
  });
}

Bytes encode_event(mvcc::Record record, mvcc::Record previous) {
  const std::uint64_t type = record.tombstone() ? event_type_delete : 0;
  std::size_t size = kv::varint_field_size(1, type) + kv::message_field_size(2, record.encoded().size());
  if (previous) size += kv::message_field_size(3, previous.encoded().size());
  return Bytes::build(kv::message_field_size(events_field, size), [&](char* begin) {
    kv::WireWriter out(begin);
    out.message_field(events_field, size);
    out.varint_field(1, type);
    out.message_field(2, record.encoded().size());
    out.raw(record.encoded());
    if (previous) {
      out.message_field(3, previous.encoded().size());
      out.raw(previous.encoded());
    }
  });
}

}  // namespace metastore::watch
