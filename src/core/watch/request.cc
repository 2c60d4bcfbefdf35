#include "core/watch/request.h"

#include "core/kv/wire.h"

namespace metastore::watch {
namespace {

using kv::bytes_tag;
using kv::varint_tag;
using kv::WireReader;

constexpr std::uint64_t filter_no_put = 0;
constexpr std::uint64_t filter_no_delete = 1;

void add_filter(CreateRequest& request, std::uint64_t filter) {
  if (filter == filter_no_put) request.no_put = true;
  if (filter == filter_no_delete) request.no_delete = true;
}

/// Repeated enumerations come packed from new writers and one by one from old ones.
bool read_packed_filters(BytesView packed, CreateRequest& request) {
  Decoder decoder(packed);
  while (decoder.ok() && !decoder.at_end()) add_filter(request, decoder.u64());
  return decoder.ok();
}

bool read(BytesView message, CreateRequest& request) {
  WireReader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        request.key = reader.bytes();
        break;
      case bytes_tag(2):
        request.range_end = reader.bytes();
        break;
      case varint_tag(3):
        request.start_revision = reader.i64();
        break;
      case varint_tag(4):
        request.progress_notify = reader.boolean();
        break;
      case varint_tag(5):
        add_filter(request, reader.u64());
        break;
      case bytes_tag(5):
        if (!read_packed_filters(reader.bytes(), request)) return false;
        break;
      case varint_tag(6):
        request.prev_kv = reader.boolean();
        break;
      case varint_tag(7):
        request.watch_id = reader.i64();
        break;
      case varint_tag(8):
        request.fragment = reader.boolean();
        break;
      default:
        break;
    }
  }
  return reader.ok();
}

bool read(BytesView message, CancelRequest& request) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) request.watch_id = reader.i64();
  }
  return reader.ok();
}

bool read(BytesView message, ProgressRequest&) {
  WireReader reader(message);
  while (reader.next()) {
  }
  return reader.ok();
}

/// The last of a union's members counts; the same one twice is merged.
template <typename Member>
bool read_member(BytesView message, Request& request) {
  if (!std::holds_alternative<Member>(request)) request.emplace<Member>();
  return read(message, std::get<Member>(request));
}

}  // namespace

std::optional<Request> decode(BytesView message) {
  Request request;
  WireReader reader(message);
  while (reader.next()) {
    bool is_readable = true;
    switch (reader.tag()) {
      case bytes_tag(1):
        is_readable = read_member<CreateRequest>(reader.bytes(), request);
        break;
      case bytes_tag(2):
        is_readable = read_member<CancelRequest>(reader.bytes(), request);
        break;
      case bytes_tag(3):
        is_readable = read_member<ProgressRequest>(reader.bytes(), request);
        break;
      default:
        break;
    }
    if (!is_readable) return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  return request;
}

}  // namespace metastore::watch
