// The messages of requests from the wire, by their field numbers (contract 1.2).
#include <array>
#include <cstddef>
#include <vector>

#include "core/base/utf8.h"
#include "core/kv/fields.h"
#include "core/kv/request.h"

namespace metastore::kv {
namespace {

/// Txns in txns deeper than this are refused, which bounds our stack. Budgets refuse them much sooner (txn_ops_max).
constexpr std::size_t txn_depth_max = 1'000;

/// One kind of operand of a comparison: the last that came counts, and says what it is compared with.
template <CompareTarget target, typename Value>
struct OperandField {
  std::uint32_t number;
  Compare& out;

  bool take(const WireReader& reader) const {
    Value value{};
    const std::uint32_t tag = std::is_same_v<Value, BytesView> ? bytes_tag(number) : varint_tag(number);
    if (reader.tag() != tag) return true;
    field(number, value).take(reader);
    out.operand_target = target;
    out.operand = value;
    return true;
  }
};

bool read(BytesView message, Compare& out) {
  return read_fields(message, field(1, out.result), field(2, out.target), field(3, out.range.key),
                     OperandField<CompareTarget::version, std::int64_t>{4, out},
                     OperandField<CompareTarget::create, std::int64_t>{5, out},
                     OperandField<CompareTarget::mod, std::int64_t>{6, out},
                     OperandField<CompareTarget::value, BytesView>{7, out},
                     OperandField<CompareTarget::lease, std::int64_t>{8, out}, field(64, out.range.end));
}

bool read_txn(BytesView message, TxnRequest& out, std::size_t depth);

/// A oneof that comes twice with the same member is merged, with another member replaced, as protobuf has it.
template <typename Member>
Member& choose(Operation& out) {
  if (!std::holds_alternative<Member>(out.request)) out.request.emplace<Member>();
  return *std::get_if<Member>(&out.request);
}

bool read_operation(BytesView message, Operation& out, std::size_t depth) {
  return read_fields(message, part(1, [&](BytesView bytes) { return read(bytes, choose<RangeRequest>(out)); }),
                     part(2, [&](BytesView bytes) { return read(bytes, choose<PutRequest>(out)); }),
                     part(3, [&](BytesView bytes) { return read(bytes, choose<DeleteRangeRequest>(out)); }),
                     part(4, [&](BytesView bytes) { return read_txn(bytes, choose<TxnRequest>(out), depth + 1); }));
}

/// How many there are of each, so that none of them has to move.
void make_room(BytesView message, TxnRequest& out) {
  std::array<std::size_t, 3> counts{};
  WireReader reader(message);
  while (reader.next()) {
    for (std::uint32_t number = 1; number <= 3; ++number) counts[number - 1] += reader.tag() == bytes_tag(number);
  }
  out.compare.reserve(counts[0]);
  out.success.reserve(counts[1]);
  out.failure.reserve(counts[2]);
}

bool read_txn(BytesView message, TxnRequest& out, std::size_t depth) {
  if (depth > txn_depth_max) return false;
  make_room(message, out);
  return read_fields(
      message, part(1, [&](BytesView bytes) { return read(bytes, out.compare.emplace_back()); }),
      part(2, [&](BytesView bytes) { return read_operation(bytes, out.success.emplace_back(), depth); }),
      part(3, [&](BytesView bytes) { return read_operation(bytes, out.failure.emplace_back(), depth); }));
}

/// One more of many texts; each must be text, since it goes on into JSON.
auto text(std::uint32_t number, std::vector<BytesView>& out) {
  return part(number, [&out](BytesView bytes) {
    out.push_back(bytes);
    return is_utf8(bytes);
  });
}

}  // namespace

bool read(BytesView message, TxnRequest& out) { return read_txn(message, out, 0); }

bool read(BytesView message, RangeRequest& out) {
  return read_fields(message, field(1, out.range.key), field(2, out.range.end), field(3, out.limit),
                     field(4, out.revision), field(5, out.sort_order), field(6, out.sort_target),
                     field(7, out.serializable), field(8, out.keys_only), field(9, out.count_only),
                     field(10, out.min_mod_revision), field(11, out.max_mod_revision),
                     field(12, out.min_create_revision), field(13, out.max_create_revision));
}

bool read(BytesView message, PutRequest& out) {
  return read_fields(message, field(1, out.key), field(2, out.value), field(3, out.lease), field(4, out.prev_kv),
                     field(5, out.ignore_value), field(6, out.ignore_lease));
}

bool read(BytesView message, DeleteRangeRequest& out) {
  return read_fields(message, field(1, out.range.key), field(2, out.range.end), field(3, out.prev_kv));
}

bool read(BytesView message, CompactionRequest& out) {
  return read_fields(message, field(1, out.revision), field(2, out.physical));
}

bool read(BytesView message, LeaseGrantRequest& out) {
  return read_fields(message, field(1, out.ttl_seconds), field(2, out.id));
}

bool read(BytesView message, LeaseTimeToLiveRequest& out) {
  return read_fields(message, field(1, out.id), field(2, out.keys));
}

bool read(BytesView message, LeaseRevokeRequest& out) { return read_fields(message, field(1, out.id)); }
bool read(BytesView message, LeaseKeepAliveRequest& out) { return read_fields(message, field(1, out.id)); }
bool read(BytesView message, LeaseLeasesRequest&) { return read_fields(message); }

bool read(BytesView message, MemberListRequest& out) { return read_fields(message, field(1, out.linearizable)); }

bool read(BytesView message, MemberAddRequest& out) {
  return read_fields(message, text(1, out.peer_urls), field(2, out.is_learner));
}

bool read(BytesView message, MemberRemoveRequest& out) { return read_fields(message, field(1, out.id)); }

bool read(BytesView message, MemberUpdateRequest& out) {
  return read_fields(message, field(1, out.id), text(2, out.peer_urls));
}

bool read(BytesView message, MemberPromoteRequest& out) { return read_fields(message, field(1, out.id)); }

bool read(BytesView message, AlarmRequest& out) {
  return read_fields(message, field(1, out.action), field(2, out.alarm.member), field(3, out.alarm.type));
}

bool read(BytesView message, StatusRequest&) { return read_fields(message); }
bool read(BytesView message, DefragmentRequest&) { return read_fields(message); }
bool read(BytesView message, HashRequest&) { return read_fields(message); }
bool read(BytesView message, HashKvRequest& out) { return read_fields(message, field(1, out.revision)); }
bool read(BytesView message, MoveLeaderRequest& out) { return read_fields(message, field(1, out.target)); }

bool read(BytesView message, DowngradeRequest& out) {
  return read_fields(message, field(1, out.action), field(2, out.version));
}

}  // namespace metastore::kv
