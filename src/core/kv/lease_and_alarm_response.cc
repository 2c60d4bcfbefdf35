#include "core/base/assert.h"
#include "core/kv/response.h"
#include "core/kv/wire.h"

namespace metastore::kv {
namespace {

std::uint64_t integer(std::int64_t value) { return static_cast<std::uint64_t>(value); }
std::uint64_t integer(LeaseId id) { return integer(id.value()); }

/// A response of `body_size` bytes behind its header.
template <typename WriteBody>
Bytes encode(const Header& header, Revision revision, std::size_t body_size, WriteBody&& write_body) {
  const std::size_t size = header_field_size(header, revision) + body_size;
  return Bytes::build(size, [&](char* out) {
    WireWriter writer(out);
    write_header_field(writer, header, revision);
    write_body(writer);
    ASSERT(writer.end() == out + size);
  });
}

Bytes encode_id_and_ttl(const Header& header, Revision revision, LeaseId id, std::int64_t ttl_seconds) {
  return encode(header, revision, varint_field_size(2, integer(id)) + varint_field_size(3, integer(ttl_seconds)),
                [&](WireWriter& writer) {
                  writer.varint_field(2, integer(id));
                  writer.varint_field(3, integer(ttl_seconds));
                });
}

}  // namespace

Bytes encode(const Header& header, const LeaseGrantResponse& response) {
  return encode_id_and_ttl(header, response.revision, response.id, response.ttl_seconds);
}

Bytes encode(const Header& header, const LeaseRevokeResponse& response) {
  return encode(header, response.revision, 0, [](WireWriter&) {});
}

Bytes encode(const Header& header, const LeaseKeepAliveResponse& response) {
  return encode_id_and_ttl(header, response.revision, response.id, response.ttl_seconds);
}

Bytes encode_keep_alive(LeaseId lease) {
  return Bytes::build(varint_field_size(1, integer(lease)),
                      [&](char* out) { WireWriter(out).varint_field(1, integer(lease)); });
}

Bytes with_member(BytesView response, MemberId member) {
  // A message that comes twice is merged, and of a field in it the last one counts.
  constexpr std::uint32_t header = 1;
  constexpr std::uint32_t member_id = 2;
  const std::size_t size = varint_field_size(member_id, member.value());
  return Bytes::build(response.size() + message_field_size(header, size), [&](char* out) {
    WireWriter writer(out);
    writer.raw(response);
    writer.message_field(header, size);
    writer.varint_field(member_id, member.value());
  });
}

Bytes encode(const Header& header, const LeaseTimeToLiveResponse& response) {
  std::size_t size = varint_field_size(2, integer(response.id)) +
                     varint_field_size(3, integer(response.remaining_seconds)) +
                     varint_field_size(4, integer(response.granted_seconds));
  for (const std::string& key : response.keys) size += message_field_size(5, key.size());
  return encode(header, response.revision, size, [&](WireWriter& writer) {
    writer.varint_field(2, integer(response.id));
    writer.varint_field(3, integer(response.remaining_seconds));
    writer.varint_field(4, integer(response.granted_seconds));
    for (const std::string& key : response.keys) {
      writer.message_field(5, key.size());
      writer.raw(key);
    }
  });
}

Bytes encode(const Header& header, const LeaseLeasesResponse& response) {
  std::size_t size = 0;
  for (const LeaseId id : response.leases) size += message_field_size(2, varint_field_size(1, integer(id)));
  return encode(header, response.revision, size, [&](WireWriter& writer) {
    for (const LeaseId id : response.leases) {
      writer.message_field(2, varint_field_size(1, integer(id)));
      writer.varint_field(1, integer(id));
    }
  });
}

Bytes encode(const Header& header, const AlarmResponse& response) {
  const auto type = [](const Alarm& alarm) { return static_cast<std::uint64_t>(alarm.type); };
  const auto size_of = [&](const Alarm& alarm) {
    return varint_field_size(1, alarm.member.value()) + varint_field_size(2, type(alarm));
  };
  std::size_t size = 0;
  for (const Alarm& alarm : response.alarms) size += message_field_size(2, size_of(alarm));
  return encode(header, response.revision, size, [&](WireWriter& writer) {
    for (const Alarm& alarm : response.alarms) {
      writer.message_field(2, size_of(alarm));
      writer.varint_field(1, alarm.member.value());
      writer.varint_field(2, type(alarm));
    }
  });
}

}  // namespace metastore::kv
