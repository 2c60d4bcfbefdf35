// The messages of requests from the wire, by their field numbers (contract 1.2).
#include <algorithm>
#include <cstddef>

#include "core/base/utf8.h"
#include "core/kv/request.h"
#include "core/kv/wire.h"

namespace metastore::kv {
namespace {

/// Txns in txns deeper than this are refused, which bounds our stack. Budgets refuse them much sooner (txn_ops_max).
constexpr std::size_t txn_depth_max = 1'000;

bool read(BytesView message, Compare& out) {
  WireReader reader(message);
  const auto operand = [&](CompareTarget target, auto value) {
    out.operand_target = target;
    out.operand = value;
  };
  while (reader.next()) {
    switch (reader.tag()) {
      case varint_tag(1):
        out.result = CompareResult{reader.i32()};
        break;
      case varint_tag(2):
        out.target = CompareTarget{reader.i32()};
        break;
      case bytes_tag(3):
        out.range.key = reader.bytes();
        break;
      case varint_tag(4):
        operand(CompareTarget::version, reader.i64());
        break;
      case varint_tag(5):
        operand(CompareTarget::create, reader.i64());
        break;
      case varint_tag(6):
        operand(CompareTarget::mod, reader.i64());
        break;
      case bytes_tag(7):
        operand(CompareTarget::value, reader.bytes());
        break;
      case varint_tag(8):
        operand(CompareTarget::lease, reader.i64());
        break;
      case bytes_tag(64):
        out.range.end = reader.bytes();
        break;
    }
  }
  return reader.ok();
}

bool read_txn(BytesView message, TxnRequest& out, std::size_t depth);

/// A oneof that comes twice with the same member is merged, with another member replaced, as protobuf has it.
template <typename Member>
Member& choose(Operation& out) {
  if (!std::holds_alternative<Member>(out.request)) out.request.emplace<Member>();
  return *std::get_if<Member>(&out.request);
}

bool read_operation(BytesView message, Operation& out, std::size_t depth) {
  WireReader reader(message);
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        ok = read(reader.bytes(), choose<RangeRequest>(out));
        break;
      case bytes_tag(2):
        ok = read(reader.bytes(), choose<PutRequest>(out));
        break;
      case bytes_tag(3):
        ok = read(reader.bytes(), choose<DeleteRangeRequest>(out));
        break;
      case bytes_tag(4):
        ok = read_txn(reader.bytes(), choose<TxnRequest>(out), depth + 1);
        break;
    }
  }
  return ok && reader.ok();
}

bool read_txn(BytesView message, TxnRequest& out, std::size_t depth) {
  if (depth > txn_depth_max) return false;
  WireReader reader(message);
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        ok = read(reader.bytes(), out.compare.emplace_back());
        break;
      case bytes_tag(2):
        ok = read_operation(reader.bytes(), out.success.emplace_back(), depth);
        break;
      case bytes_tag(3):
        ok = read_operation(reader.bytes(), out.failure.emplace_back(), depth);
        break;
    }
  }
  return ok && reader.ok();
}

/// Of a message whose one field is an id.
bool read_id(BytesView message, std::int64_t& id) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) id = reader.i64();
  }
  return reader.ok();
}

bool is_readable(BytesView message) {
  WireReader reader(message);
  while (reader.next()) continue;
  return reader.ok();
}

/// Text must be text: it goes on into JSON.
bool read_text(const WireReader& reader, std::vector<BytesView>& out) {
  out.push_back(reader.bytes());
  return is_utf8(out.back());
}

/// A message that names a member and says nothing else.
bool read_member(BytesView message, MemberId& out) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) out = MemberId(reader.u64());
  }
  return reader.ok();
}

}  // namespace

bool read(BytesView message, TxnRequest& out) { return read_txn(message, out, 0); }

bool read(BytesView message, RangeRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        out.range.key = reader.bytes();
        break;
      case bytes_tag(2):
        out.range.end = reader.bytes();
        break;
      case varint_tag(3):
        out.limit = reader.i64();
        break;
      case varint_tag(4):
        out.revision = reader.i64();
        break;
      case varint_tag(5):
        out.sort_order = SortOrder{reader.i32()};
        break;
      case varint_tag(6):
        out.sort_target = SortTarget{reader.i32()};
        break;
      case varint_tag(7):
        out.serializable = reader.boolean();
        break;
      case varint_tag(8):
        out.keys_only = reader.boolean();
        break;
      case varint_tag(9):
        out.count_only = reader.boolean();
        break;
      case varint_tag(10):
        out.min_mod_revision = reader.i64();
        break;
      case varint_tag(11):
        out.max_mod_revision = reader.i64();
        break;
      case varint_tag(12):
        out.min_create_revision = reader.i64();
        break;
      case varint_tag(13):
        out.max_create_revision = reader.i64();
        break;
    }
  }
  return reader.ok();
}

bool read(BytesView message, PutRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        out.key = reader.bytes();
        break;
      case bytes_tag(2):
        out.value = reader.bytes();
        break;
      case varint_tag(3):
        out.lease = reader.i64();
        break;
      case varint_tag(4):
        out.prev_kv = reader.boolean();
        break;
      case varint_tag(5):
        out.ignore_value = reader.boolean();
        break;
      case varint_tag(6):
        out.ignore_lease = reader.boolean();
        break;
    }
  }
  return reader.ok();
}

bool read(BytesView message, DeleteRangeRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        out.range.key = reader.bytes();
        break;
      case bytes_tag(2):
        out.range.end = reader.bytes();
        break;
      case varint_tag(3):
        out.prev_kv = reader.boolean();
        break;
    }
  }
  return reader.ok();
}

bool read(BytesView message, CompactionRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case varint_tag(1):
        out.revision = reader.i64();
        break;
      case varint_tag(2):
        out.physical = reader.boolean();
        break;
    }
  }
  return reader.ok();
}

bool read(BytesView message, LeaseGrantRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) out.ttl_seconds = reader.i64();
    if (reader.tag() == varint_tag(2)) out.id = reader.i64();
  }
  return reader.ok();
}

bool read(BytesView message, LeaseTimeToLiveRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) out.id = reader.i64();
    if (reader.tag() == varint_tag(2)) out.keys = reader.boolean();
  }
  return reader.ok();
}

bool read(BytesView message, LeaseRevokeRequest& out) { return read_id(message, out.id); }
bool read(BytesView message, LeaseKeepAliveRequest& out) { return read_id(message, out.id); }

bool read(BytesView message, LeaseLeasesRequest&) { return is_readable(message); }

bool read(BytesView message, MemberListRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) out.linearizable = reader.boolean();
  }
  return reader.ok();
}

bool read(BytesView message, MemberAddRequest& out) {
  WireReader reader(message);
  bool ok = true;
  while (ok && reader.next()) {
    if (reader.tag() == bytes_tag(1)) ok = read_text(reader, out.peer_urls);
    if (reader.tag() == varint_tag(2)) out.is_learner = reader.boolean();
  }
  return ok && reader.ok();
}

bool read(BytesView message, MemberRemoveRequest& out) { return read_member(message, out.id); }

bool read(BytesView message, MemberUpdateRequest& out) {
  WireReader reader(message);
  bool ok = true;
  while (ok && reader.next()) {
    if (reader.tag() == varint_tag(1)) out.id = MemberId(reader.u64());
    if (reader.tag() == bytes_tag(2)) ok = read_text(reader, out.peer_urls);
  }
  return ok && reader.ok();
}

bool read(BytesView message, MemberPromoteRequest& out) { return read_member(message, out.id); }

bool read(BytesView message, AlarmRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) out.action = static_cast<AlarmAction>(reader.i32());
    if (reader.tag() == varint_tag(2)) out.alarm.member = MemberId(reader.u64());
    if (reader.tag() == varint_tag(3)) out.alarm.type = static_cast<AlarmType>(reader.i32());
  }
  return reader.ok();
}

bool read(BytesView message, StatusRequest&) { return is_readable(message); }
bool read(BytesView message, DefragmentRequest&) { return is_readable(message); }
bool read(BytesView message, HashRequest&) { return is_readable(message); }
bool read(BytesView message, HashKvRequest& out) { return read_id(message, out.revision); }

bool read(BytesView message, MoveLeaderRequest& out) { return read_member(message, out.target); }

bool read(BytesView message, DowngradeRequest& out) {
  WireReader reader(message);
  while (reader.next()) {
    if (reader.tag() == varint_tag(1)) out.action = static_cast<DowngradeAction>(reader.i32());
    if (reader.tag() == bytes_tag(2)) out.version = reader.bytes();
  }
  return reader.ok();
}

}  // namespace metastore::kv
