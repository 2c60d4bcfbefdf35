#include "core/kv/command.h"

#include "core/base/assert.h"
#include "core/kv/fields.h"
#include "core/kv/wire.h"

namespace metastore::kv {
namespace {

/// The members of InternalRaftRequest.
enum Field : std::uint32_t {
  put = 4,
  delete_range = 5,
  txn = 6,
  compaction = 7,
  lease_grant = 8,
  lease_revoke = 9,
  alarm = 10,
  lease_checkpoint = 11,  ///< Ours stands behind the zero byte: etcd's checker takes it for damage.
  header = 100,
  cluster_version_set = 1300,
  cluster_member_attr_set = 1301,
  // Ours alone, behind the zero byte.
  state_hash_point = 2000,
};

/// No protobuf message can begin so.
constexpr char own_mark = '\0';

constexpr std::uint32_t header_id = 1;
constexpr std::uint32_t data_id_field = 101;
constexpr std::uint32_t version_field = 102;
constexpr std::size_t header_bytes = 1 + 10;
constexpr std::uint64_t id_mark = std::uint64_t{1} << 63;

Field field_of(Method method) {
  switch (method) {
    case Method::put:
      return Field::put;
    case Method::delete_range:
      return Field::delete_range;
    case Method::txn:
      return Field::txn;
    case Method::compact:
      return Field::compaction;
    case Method::lease_grant:
      return Field::lease_grant;
    case Method::lease_revoke:
      return Field::lease_revoke;
    case Method::alarm:
      return Field::alarm;
    default:
      UNREACHABLE();
  }
}

std::size_t size_around(Field field, std::size_t size) {
  return message_field_size(field, size) + message_field_size(Field::header, header_bytes);
}

/// The body of `size` bytes, written by `write_body`, and the header behind it, in the order of their numbers.
template <typename WriteBody>
Bytes encode(std::uint64_t id, Field field, std::size_t size, WriteBody&& write_body) {
  ASSERT((id & id_mark) != 0);
  const std::size_t total = size_around(field, size);
  return Bytes::build(total, [&](char* out) {
    WireWriter writer(out);
    const auto write_header = [&] {
      writer.message_field(Field::header, header_bytes);
      writer.varint_field(header_id, id);
    };
    if (field > Field::header) write_header();
    writer.message_field(field, size);
    write_body(writer);
    if (field < Field::header) write_header();
    ASSERT(writer.end() == out + total);
  });
}

/// One of those that are ours alone.
template <typename WriteBody>
Bytes encode_own(std::uint64_t id, Field field, std::size_t size, WriteBody&& write_body) {
  const Bytes command = encode(id, field, size, write_body);
  return Bytes::build(1 + command.size(), [&](char* out) {
    *out = own_mark;
    WireWriter(out + 1).raw(command.view());
  });
}

bool read(BytesView, StateHashPoint&) { return true; }

std::size_t size_of(const lease::Remaining& remaining) {
  return varint_field_size(1, static_cast<std::uint64_t>(remaining.id.value())) +
         varint_field_size(2, static_cast<std::uint64_t>(remaining.seconds));
}

bool read(BytesView message, lease::Remaining& out) {
  return read_fields(message, field(1, out.id), field(2, out.seconds));
}

bool read(BytesView message, LeaseCheckpoint& out) {
  return read_fields(message, part(1, [&](BytesView bytes) { return read(bytes, out.leases.emplace_back()); }));
}

bool read_header(BytesView message, Command& out) { return read_fields(message, field(header_id, out.id)); }

bool read(BytesView message, ClusterVersion& out) { return read_fields(message, field(1, out.version)); }

bool read_attributes(BytesView message, MemberAttributes& out) {
  const auto add_url = [&](BytesView url) {
    out.client_urls.emplace_back(url);
    return true;
  };
  return read_fields(message, field(1, out.name), part(2, add_url));
}

bool read(BytesView message, MemberAttributes& out) {
  return read_fields(message, field(1, out.member),
                     part(2, [&](BytesView attributes) { return read_attributes(attributes, out); }),
                     field(data_id_field, out.data_id), field(version_field, out.version));
}

}  // namespace

std::size_t command_size(Method method, std::size_t message_size) {
  return size_around(field_of(method), message_size);
}

Bytes encode_command(std::uint64_t id, Method method, BytesView message) {
  return encode(id, field_of(method), message.size(), [&](WireWriter& writer) { writer.raw(message); });
}

Bytes encode_lease_revoke(std::uint64_t id, LeaseId lease) {
  const auto number = static_cast<std::uint64_t>(lease.value());
  return encode(id, Field::lease_revoke, varint_field_size(1, number),
                [&](WireWriter& writer) { writer.varint_field(1, number); });
}

Bytes encode_compaction(std::uint64_t id, Revision revision) {
  const auto number = static_cast<std::uint64_t>(revision.value());
  return encode(id, Field::compaction, varint_field_size(1, number),
                [&](WireWriter& writer) { writer.varint_field(1, number); });
}

Bytes encode_alarm(std::uint64_t id, const Alarm& alarm) {
  const auto action = static_cast<std::uint64_t>(AlarmAction::activate);
  const auto type = static_cast<std::uint64_t>(alarm.type);
  const std::size_t size =
      varint_field_size(1, action) + varint_field_size(2, alarm.member.value()) + varint_field_size(3, type);
  return encode(id, Field::alarm, size, [&](WireWriter& writer) {
    writer.varint_field(1, action);
    writer.varint_field(2, alarm.member.value());
    writer.varint_field(3, type);
  });
}

Bytes with_lease(BytesView message, LeaseId lease, std::int64_t ttl_seconds) {
  // Of a field that comes twice the last one counts, so what was received stays as it is.
  const auto ttl = static_cast<std::uint64_t>(ttl_seconds);
  const auto number = static_cast<std::uint64_t>(lease.value());
  return Bytes::build(message.size() + varint_field_size(1, ttl) + varint_field_size(2, number), [&](char* out) {
    WireWriter writer(out);
    writer.raw(message);
    writer.varint_field(1, ttl);
    writer.varint_field(2, number);
  });
}

Bytes encode_cluster_version(std::uint64_t id, std::string_view version) {
  return encode(id, Field::cluster_version_set, bytes_field_size(1, version.size()),
                [&](WireWriter& writer) { writer.bytes_field(1, version); });
}

Bytes encode_member_attributes(std::uint64_t id, const MemberAttributes& attributes) {
  std::size_t inner = bytes_field_size(1, attributes.name.size());
  for (const std::string& url : attributes.client_urls) inner += message_field_size(2, url.size());
  const std::size_t size = varint_field_size(1, attributes.member.value()) + message_field_size(2, inner) +
                           varint_field_size(data_id_field, attributes.data_id) +
                           bytes_field_size(version_field, attributes.version.size());
  return encode(id, Field::cluster_member_attr_set, size, [&](WireWriter& writer) {
    writer.varint_field(1, attributes.member.value());
    writer.message_field(2, inner);
    writer.bytes_field(1, attributes.name);
    for (const std::string& url : attributes.client_urls) {
      writer.message_field(2, url.size());
      writer.raw(url);
    }
    writer.varint_field(data_id_field, attributes.data_id);
    writer.bytes_field(version_field, attributes.version);
  });
}

Bytes encode_state_hash_point(std::uint64_t id) {
  return encode_own(id, Field::state_hash_point, 0, [](WireWriter&) {});
}

Bytes encode_lease_checkpoint(std::uint64_t id, const std::vector<lease::Remaining>& leases) {
  std::size_t size = 0;
  for (const lease::Remaining& remaining : leases) size += message_field_size(1, size_of(remaining));
  return encode_own(id, Field::lease_checkpoint, size, [&](WireWriter& writer) {
    for (const lease::Remaining& remaining : leases) {
      writer.message_field(1, size_of(remaining));
      writer.varint_field(1, static_cast<std::uint64_t>(remaining.id.value()));
      writer.varint_field(2, static_cast<std::uint64_t>(remaining.seconds));
    }
  });
}

std::optional<Command> decode_command(BytesView data) {
  Command command;
  bool has_body = false;
  if (data.starts_with(own_mark)) data.remove_prefix(1);
  WireReader reader(data);
  const auto read_body = [&](auto body) {
    has_body = true;
    if (!read(reader.bytes(), body)) return false;
    command.body = std::move(body);
    return true;
  };
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(Field::header):
        ok = read_header(reader.bytes(), command);
        break;
      case bytes_tag(Field::put):
        ok = read_body(PutRequest{});
        break;
      case bytes_tag(Field::delete_range):
        ok = read_body(DeleteRangeRequest{});
        break;
      case bytes_tag(Field::txn):
        ok = read_body(TxnRequest{});
        break;
      case bytes_tag(Field::compaction):
        ok = read_body(CompactionRequest{});
        break;
      case bytes_tag(Field::lease_grant):
        ok = read_body(LeaseGrantRequest{});
        break;
      case bytes_tag(Field::lease_revoke):
        ok = read_body(LeaseRevokeRequest{});
        break;
      case bytes_tag(Field::alarm):
        ok = read_body(AlarmRequest{});
        break;
      case bytes_tag(Field::cluster_version_set):
        ok = read_body(ClusterVersion{});
        break;
      case bytes_tag(Field::cluster_member_attr_set):
        ok = read_body(MemberAttributes{});
        break;
      case bytes_tag(Field::state_hash_point):
        ok = read_body(StateHashPoint{});
        break;
      case bytes_tag(Field::lease_checkpoint):
        ok = read_body(LeaseCheckpoint{});
        break;
    }
  }
  if (!ok || !reader.ok() || !has_body || command.id == 0) return std::nullopt;
  return command;
}

}  // namespace metastore::kv
