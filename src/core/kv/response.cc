#include "core/kv/response.h"

#include <cstddef>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "core/kv/wire.h"

namespace metastore::kv {
namespace {

/// The part of a stored KeyValue message that a reply shows: everything, or what is before and behind the value.
struct Excerpt {
  BytesView head;
  BytesView tail;
  std::size_t size() const { return head.size() + tail.size(); }
};

Excerpt excerpt(mvcc::Record record, Shown shown) {
  const BytesView message = record.encoded();
  if (shown == Shown::all) return {message, {}};
  // Fields stand in the order of their numbers: the value is 5, the lease is 6 and last.
  const std::size_t lease = varint_field_size(6, static_cast<std::uint64_t>(record.lease().value()));
  const std::size_t value = bytes_field_size(5, record.value().size());
  const BytesView head = message.substr(0, message.size() - lease - value);
  if (shown == Shown::all_but_value_and_lease) return {head, {}};
  return {head, message.substr(message.size() - lease)};
}

std::size_t header_size(const Header& header, Revision revision) {
  return varint_field_size(1, header.cluster.value()) + varint_field_size(2, header.member.value()) +
         varint_field_size(3, static_cast<std::uint64_t>(revision.value())) + varint_field_size(4, header.term.value());
}

std::size_t records_size(std::uint32_t field, const std::vector<mvcc::Record>& records, Shown shown) {
  std::size_t size = 0;
  for (const mvcc::Record record : records) size += record_field_size(field, record, shown);
  return size;
}

void write_records(WireWriter& out, std::uint32_t field, const std::vector<mvcc::Record>& records, Shown shown) {
  for (const mvcc::Record record : records) write_record_field(out, field, record, shown);
}

/// The sizes of the responses within a txn's, each before those that it contains: measured once, outside in, and
/// taken again in the same order when they are written.
class Sizes {
 public:
  std::size_t reserve() {
    sizes_.push_back(0);
    return sizes_.size() - 1;
  }
  void set(std::size_t place, std::size_t size) { sizes_[place] = size; }
  std::size_t take() { return sizes_[taken_++]; }

 private:
  std::vector<std::size_t> sizes_;
  std::size_t taken_ = 0;
};

std::size_t measure(const Header& header, const RangeResponse& response, Sizes&) {
  return header_field_size(header, response.revision) + records_size(2, response.records, response.shown) +
         varint_field_size(3, response.more) + varint_field_size(4, response.count);
}

void write(WireWriter& out, const Header& header, const RangeResponse& response, Sizes&) {
  write_header_field(out, header, response.revision);
  write_records(out, 2, response.records, response.shown);
  out.varint_field(3, response.more);
  out.varint_field(4, response.count);
}

std::size_t measure(const Header& header, const PutResponse& response, Sizes&) {
  const std::size_t previous = response.previous ? message_field_size(2, response.previous.encoded().size()) : 0;
  return header_field_size(header, response.revision) + previous;
}

void write(WireWriter& out, const Header& header, const PutResponse& response, Sizes&) {
  write_header_field(out, header, response.revision);
  if (!response.previous) return;
  out.message_field(2, response.previous.encoded().size());
  out.raw(response.previous.encoded());
}

std::size_t measure(const Header& header, const DeleteRangeResponse& response, Sizes&) {
  return header_field_size(header, response.revision) + varint_field_size(2, response.deleted) +
         records_size(3, response.previous, Shown::all);
}

void write(WireWriter& out, const Header& header, const DeleteRangeResponse& response, Sizes&) {
  write_header_field(out, header, response.revision);
  out.varint_field(2, response.deleted);
  write_records(out, 3, response.previous, Shown::all);
}

std::size_t measure(const Header& header, const CompactionResponse& response, Sizes&) {
  return header_field_size(header, response.revision);
}

void write(WireWriter& out, const Header& header, const CompactionResponse& response, Sizes&) {
  write_header_field(out, header, response.revision);
}

/// The member of ResponseOp that a response stands in, by its place in the variant; 0 is none.
std::uint32_t field_of(const OperationResponse& operation) {
  return static_cast<std::uint32_t>(operation.response.index());
}

std::size_t measure(const Header& header, const TxnResponse& response, Sizes& sizes) {
  std::size_t size = header_field_size(header, response.revision) + varint_field_size(2, response.succeeded);
  const Overloaded measure_one{
      [](std::monostate) { return std::size_t{0}; },
      [&](const auto& inner) { return measure(Header{}, inner, sizes); },
  };
  for (const OperationResponse& operation : response.responses) {
    const std::size_t place = sizes.reserve();
    const std::size_t inner = std::visit(measure_one, operation.response);
    sizes.set(place, inner);
    const std::uint32_t field = field_of(operation);
    size += message_field_size(3, field == 0 ? 0 : message_field_size(field, inner));
  }
  return size;
}

void write(WireWriter& out, const Header& header, const TxnResponse& response, Sizes& sizes) {
  write_header_field(out, header, response.revision);
  out.varint_field(2, response.succeeded);
  const Overloaded write_one{
      [](std::monostate) {},
      [&](const auto& inner) { write(out, Header{}, inner, sizes); },
  };
  for (const OperationResponse& operation : response.responses) {
    const std::size_t inner = sizes.take();
    const std::uint32_t field = field_of(operation);
    out.message_field(3, field == 0 ? 0 : message_field_size(field, inner));
    if (field != 0) out.message_field(field, inner);
    std::visit(write_one, operation.response);
  }
}

template <typename Response>
Bytes encode_response(const Header& header, const Response& response) {
  Sizes sizes;
  const std::size_t size = measure(header, response, sizes);
  return Bytes::build(size, [&](char* out) {
    WireWriter writer(out);
    write(writer, header, response, sizes);
    ASSERT(writer.end() == out + size);
  });
}

}  // namespace

std::size_t header_field_size(const Header& header, Revision revision) {
  return message_field_size(1, header_size(header, revision));
}

void write_header_field(WireWriter& out, const Header& header, Revision revision) {
  out.message_field(1, header_size(header, revision));
  out.varint_field(1, header.cluster.value());
  out.varint_field(2, header.member.value());
  out.varint_field(3, static_cast<std::uint64_t>(revision.value()));
  out.varint_field(4, header.term.value());
}

std::size_t record_field_size(std::uint32_t field, mvcc::Record record, Shown shown) {
  return message_field_size(field, excerpt(record, shown).size());
}

void write_record_field(WireWriter& out, std::uint32_t field, mvcc::Record record, Shown shown) {
  const Excerpt part = excerpt(record, shown);
  out.message_field(field, part.size());
  out.raw(part.head);
  out.raw(part.tail);
}

Bytes encode(const Header& header, const RangeResponse& response) { return encode_response(header, response); }
Bytes encode(const Header& header, const PutResponse& response) { return encode_response(header, response); }
Bytes encode(const Header& header, const DeleteRangeResponse& response) { return encode_response(header, response); }
Bytes encode(const Header& header, const TxnResponse& response) { return encode_response(header, response); }
Bytes encode(const Header& header, const CompactionResponse& response) { return encode_response(header, response); }

}  // namespace metastore::kv
