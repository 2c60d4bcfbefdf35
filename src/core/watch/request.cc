#include "core/watch/request.h"

#include "core/kv/fields.h"

namespace metastore::watch {
namespace {

using kv::field;
using kv::part;
using kv::read_fields;

constexpr std::uint64_t filter_no_put = 0;
constexpr std::uint64_t filter_no_delete = 1;

void add_filter(CreateRequest& request, std::uint64_t filter) {
  if (filter == filter_no_put) request.no_put = true;
  if (filter == filter_no_delete) request.no_delete = true;
}

/// Repeated enumerations come packed from new writers and one by one from old ones.
struct Filters {
  CreateRequest& out;

  bool take(const kv::WireReader& reader) const {
    if (reader.tag() == kv::varint_tag(5)) add_filter(out, reader.u64());
    if (reader.tag() != kv::bytes_tag(5)) return true;
    Decoder packed(reader.bytes());
    while (packed.ok() && !packed.at_end()) add_filter(out, packed.u64());
    return packed.ok();
  }
};

bool read(BytesView message, CreateRequest& out) {
  return read_fields(message, field(1, out.key), field(2, out.range_end), field(3, out.start_revision),
                     field(4, out.progress_notify), Filters{out}, field(6, out.prev_kv), field(7, out.watch_id),
                     field(8, out.fragment));
}

bool read(BytesView message, CancelRequest& out) { return read_fields(message, field(1, out.watch_id)); }
bool read(BytesView message, ProgressRequest&) { return read_fields(message); }

/// The last of a union's members counts; the same one twice is merged.
template <typename Member>
auto member(std::uint32_t number, Request& request) {
  return part(number, [&request](BytesView bytes) {
    if (!std::holds_alternative<Member>(request)) request.emplace<Member>();
    return read(bytes, std::get<Member>(request));
  });
}

}  // namespace

std::optional<Request> decode(BytesView message) {
  Request request;
  if (!read_fields(message, member<CreateRequest>(1, request), member<CancelRequest>(2, request),
                   member<ProgressRequest>(3, request))) {
    return std::nullopt;
  }
  return request;
}

}  // namespace metastore::watch
