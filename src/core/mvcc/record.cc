#include "core/mvcc/record.h"

#include <bit>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/encoder.h"

namespace metastore::mvcc {
namespace {

enum Flag : char { tombstone_flag = 1, chained_flag = 2, far_flag = 4 };
constexpr std::size_t far_bytes = sizeof(char*) + sizeof(std::int64_t);

/// mvccpb.KeyValue's fields, each with its wire tag.
enum Tag : char {
  key_tag = 1 << 3 | 2,
  create_revision_tag = 2 << 3,
  mod_revision_tag = 3 << 3,
  version_tag = 4 << 3,
  value_tag = 5 << 3 | 2,
  lease_tag = 6 << 3,
};

std::uint64_t read_varint(const char*& in) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*in++);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

std::size_t field_size(std::int64_t value) { return value == 0 ? 0 : 1 + varint_size(unsigned_of(value)); }
std::size_t field_size(BytesView value) { return value.empty() ? 0 : 1 + varint_size(value.size()) + value.size(); }

char* write_field(char* out, Tag tag, std::int64_t value) {
  if (value == 0) return out;
  *out++ = tag;
  return write_varint(out, unsigned_of(value));
}

char* write_field(char* out, Tag tag, BytesView value) {
  if (value.empty()) return out;
  *out++ = tag;
  out = write_varint(out, value.size());
  std::memcpy(out, value.data(), value.size());
  return out + value.size();
}

std::size_t message_size(const RecordFields& fields) {
  return field_size(fields.key) + field_size(fields.create_revision.value()) + field_size(fields.mod.main.value()) +
         field_size(fields.version) + field_size(fields.value) + field_size(fields.lease.value());
}

/// Fields stand in the order of their numbers, hence of their tags; `in` is left behind the tag if it is there.
bool find_field(const char*& in, const char* end, Tag wanted) {
  while (in != end && *in < wanted) {
    const bool has_length = (*in++ & 7) == 2;
    const std::uint64_t value = read_varint(in);
    if (has_length) in += value;
  }
  return in != end && *in++ == wanted;
}

std::uint64_t far_distance(std::uint64_t ordinal) { return std::uint64_t{1} << (std::countr_zero(ordinal) / 4 * 4); }
bool has_far_link(std::uint64_t ordinal) { return ordinal != 0 && ordinal % 16 == 0; }

/// The header's varints and where the message begins.
struct Header {
  std::uint64_t ordinal = 0;
  std::uint64_t sub = 0;
  std::uint64_t size = 0;
  const char* message;

  explicit Header(const char* in) {
    const char flags = *in++;
    if (flags & chained_flag) {
      in += sizeof(char*);
      if (flags & far_flag) in += far_bytes;
      ordinal = read_varint(in);
    }
    sub = read_varint(in);
    size = read_varint(in);
    message = in;
  }
};

/// The record `far_distance` before the one that will follow `previous`, unless it may be gone.
Record::Far find_far(Record previous, Revision compacted) {
  const std::uint64_t ordinal = previous.ordinal() + 1;
  const std::uint64_t target = ordinal - far_distance(ordinal);
  Record record = previous;
  while (record && record.ordinal() > target) {
    const Record::Far far = record.far();
    const bool usable =
        far.target != nullptr && far.main > compacted && record.ordinal() - far_distance(record.ordinal()) >= target;
    record = usable ? Record(far.target) : record.previous();
  }
  return record ? Record::Far{record.data(), record.mod_revision()} : Record::Far{};
}

}  // namespace

bool parse(BytesView message, RecordFields& out) {
  Decoder in(message);
  out = RecordFields();
  while (in.ok() && !in.at_end()) {
    switch (in.u64()) {
      case key_tag:
        out.key = in.bytes();
        break;
      case create_revision_tag:
        out.create_revision = Revision(static_cast<std::int64_t>(in.u64()));
        break;
      case mod_revision_tag:
        out.mod.main = Revision(static_cast<std::int64_t>(in.u64()));
        break;
      case version_tag:
        out.version = static_cast<std::int64_t>(in.u64());
        break;
      case value_tag:
        out.value = in.bytes();
        break;
      case lease_tag:
        out.lease = LeaseId(static_cast<std::int64_t>(in.u64()));
        break;
      default:
        return false;
    }
  }
  return in.ok() && !out.key.empty() && message_size(out) == message.size();
}

std::uint64_t Record::ordinal() const { return Header(data_).ordinal; }

bool Record::tombstone() const { return *data_ & tombstone_flag; }

BytesView Record::encoded() const {
  const Header header(data_);
  return BytesView(header.message, header.size);
}

BytesView Record::key() const {
  const char* in = Header(data_).message + 1;
  const std::uint64_t size = read_varint(in);
  return BytesView(in, size);
}

BytesView Record::value() const {
  const Header header(data_);
  const char* in = header.message;
  if (!find_field(in, in + header.size, value_tag)) return {};
  const std::uint64_t size = read_varint(in);
  return BytesView(in, size);
}

std::int64_t Record::integer(int field) const {
  const Header header(data_);
  const char* in = header.message;
  if (!find_field(in, in + header.size, static_cast<Tag>(field << 3))) return 0;
  return static_cast<std::int64_t>(read_varint(in));
}

RevisionPair Record::revision() const { return {mod_revision(), static_cast<std::int64_t>(Header(data_).sub)}; }

Record Record::previous() const {
  if (!(*data_ & chained_flag)) return Record();
  char* previous;
  std::memcpy(&previous, data_ + 1, sizeof previous);
  return Record(previous);
}

void Record::forget_previous() {
  ASSERT(*data_ & chained_flag);
  const char* none = nullptr;
  std::memcpy(data_ + 1, &none, sizeof none);
}

Record::Far Record::far() const {
  if (!(*data_ & far_flag)) return {};
  Far far;
  std::int64_t main;
  std::memcpy(&far.target, data_ + 1 + sizeof(char*), sizeof far.target);
  std::memcpy(&main, data_ + 1 + 2 * sizeof(char*), sizeof main);
  far.main = Revision(main);
  return far;
}

std::size_t Record::allocation_size() const {
  const Header header(data_);
  return static_cast<std::size_t>(header.message - data_) + header.size;
}

std::size_t Record::allocation_size(const RecordFields& fields, Record previous) {
  const std::size_t message = message_size(fields);
  std::size_t header = 1 + varint_size(unsigned_of(fields.mod.sub)) + varint_size(message);
  if (previous) {
    const std::uint64_t ordinal = previous.ordinal() + 1;
    header += sizeof(char*) + (has_far_link(ordinal) ? far_bytes : 0) + varint_size(ordinal);
  }
  return header + message;
}

Record Record::write(char* memory, const RecordFields& fields, Record previous, Revision compacted) {
  ASSERT(!fields.key.empty());
  char* out = memory + 1;
  char flags = fields.tombstone ? tombstone_flag : 0;
  if (previous) {
    flags |= chained_flag;
    std::memcpy(out, &previous.data_, sizeof previous.data_);
    out += sizeof previous.data_;
    const std::uint64_t ordinal = previous.ordinal() + 1;
    if (has_far_link(ordinal)) {
      flags |= far_flag;
      const Far far = find_far(previous, compacted);
      const std::int64_t main = far.main.value();
      std::memcpy(out, &far.target, sizeof far.target);
      std::memcpy(out + sizeof far.target, &main, sizeof main);
      out += far_bytes;
    }
    out = write_varint(out, ordinal);
  }
  *memory = flags;
  out = write_varint(out, unsigned_of(fields.mod.sub));
  out = write_varint(out, message_size(fields));
  out = write_field(out, key_tag, fields.key);
  out = write_field(out, create_revision_tag, fields.create_revision.value());
  out = write_field(out, mod_revision_tag, fields.mod.main.value());
  out = write_field(out, version_tag, fields.version);
  out = write_field(out, value_tag, fields.value);
  out = write_field(out, lease_tag, fields.lease.value());
  return Record(memory);
}

}  // namespace metastore::mvcc
