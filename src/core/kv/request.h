// What clients ask, decoded: plain values that view the received bytes, and etcd's checks of one request by itself
// (contract 1.5). Nothing here looks at the store.
#ifndef METASTORE_CORE_KV_REQUEST_H_
#define METASTORE_CORE_KV_REQUEST_H_

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/kv/alarms.h"
#include "core/kv/method.h"
#include "core/mvcc/key_range.h"

namespace metastore::kv {

/// The enumerations below hold whatever number the client sent; a known one is checked where it matters.
enum class SortOrder : std::int32_t { none = 0, ascend = 1, descend = 2 };
enum class SortTarget : std::int32_t { key = 0, version = 1, create = 2, mod = 3, value = 4 };
enum class CompareResult : std::int32_t { equal = 0, greater = 1, less = 2, not_equal = 3 };
enum class CompareTarget : std::int32_t { version = 0, create = 1, mod = 2, value = 3, lease = 4 };

struct RangeRequest {
  mvcc::KeyRange range;
  std::int64_t limit = 0;     ///< 0 or less: unlimited.
  std::int64_t revision = 0;  ///< 0: the current one.
  SortOrder sort_order = SortOrder::none;
  SortTarget sort_target = SortTarget::key;
  bool serializable = false;
  bool keys_only = false;
  bool count_only = false;
  std::int64_t min_mod_revision = 0;  ///< 0: no filter, as below.
  std::int64_t max_mod_revision = 0;
  std::int64_t min_create_revision = 0;
  std::int64_t max_create_revision = 0;
};

struct PutRequest {
  BytesView key;
  BytesView value;
  std::int64_t lease = 0;
  bool prev_kv = false;
  bool ignore_value = false;
  bool ignore_lease = false;
};

struct DeleteRangeRequest {
  mvcc::KeyRange range;
  bool prev_kv = false;
};

struct Compare {
  CompareResult result = CompareResult::equal;
  CompareTarget target = CompareTarget::version;
  mvcc::KeyRange range;
  /// Which member of target_union was sent; one that is not the target's counts as 0 or empty, as an absent one.
  std::variant<std::monostate, std::int64_t, BytesView> operand;
  CompareTarget operand_target = CompareTarget::version;
};

struct Operation;

struct TxnRequest {
  std::vector<Compare> compare;
  std::vector<Operation> success;
  std::vector<Operation> failure;
};

struct Operation {
  std::variant<std::monostate, RangeRequest, PutRequest, DeleteRangeRequest, TxnRequest> request;
};

struct CompactionRequest {
  std::int64_t revision = 0;
  bool physical = false;
};

struct LeaseGrantRequest {
  std::int64_t ttl_seconds = 0;
  std::int64_t id = 0;  ///< 0: the server picks one, before it proposes.
};

struct LeaseRevokeRequest {
  std::int64_t id = 0;
};

struct LeaseTimeToLiveRequest {
  std::int64_t id = 0;
  bool keys = false;
};

struct LeaseLeasesRequest {};

/// One message of a keep-alive stream.
struct LeaseKeepAliveRequest {
  std::int64_t id = 0;
};

struct MemberListRequest {
  bool linearizable = false;
};

struct MemberAddRequest {
  std::vector<BytesView> peer_urls;
  bool is_learner = false;
};

struct MemberRemoveRequest {
  MemberId id;
};

struct MemberUpdateRequest {
  MemberId id;
  std::vector<BytesView> peer_urls;
};

struct MemberPromoteRequest {
  MemberId id;
};

struct StatusRequest {};

enum class AlarmAction : std::int32_t { get = 0, activate = 1, deactivate = 2 };

struct AlarmRequest {
  AlarmAction action = AlarmAction::get;
  Alarm alarm;
};

struct DefragmentRequest {};

struct HashRequest {};

struct HashKvRequest {
  std::int64_t revision = 0;  ///< 0: the current one.
};

struct MoveLeaderRequest {
  MemberId target;
};

enum class DowngradeAction : std::int32_t { validate = 0, enable = 1, cancel = 2 };

struct DowngradeRequest {
  DowngradeAction action = DowngradeAction::validate;
  BytesView version;
};

/// What a request needs before it may be answered.
enum class Consistency : std::uint8_t {
  local,         ///< Nothing: this member's own state, which may be stale.
  linearizable,  ///< A confirmed leader and everything that it had committed.
  proposed,      ///< A place in the log.
  configured,    ///< A place in the log as a configuration change, if the leader finds nothing against it.
};

/// A decoded and checked request. It keeps the bytes alive that it views.
class Request {
 public:
  using Body = std::variant<RangeRequest, PutRequest, DeleteRangeRequest, TxnRequest, CompactionRequest,
                            LeaseGrantRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, LeaseLeasesRequest,
                            LeaseKeepAliveRequest, MemberListRequest, MemberAddRequest, MemberRemoveRequest,
                            MemberUpdateRequest, MemberPromoteRequest, StatusRequest, AlarmRequest, DefragmentRequest,
                            HashRequest, HashKvRequest, MoveLeaderRequest, DowngradeRequest>;

  Request(Method method, Bytes message, Body body)
      : method_(method), message_(std::move(message)), body_(std::move(body)) {}

  Method method() const { return method_; }
  const Body& body() const { return body_; }
  std::uint64_t message_bytes() const { return message_.size(); }
  Consistency consistency() const;

 private:
  Method method_;
  Bytes message_;
  Body body_;
};

/// Decodes and checks what a client sent.
/// Errors: undecodable, and all of contract 1.5 that needs no store.
Result<Request> decode(Method method, Bytes message, const Limits& limits);

/// Reads one message out of `message` on top of `out`, as protobuf merges; false if it is damaged. The views in `out`
/// are into `message`.
bool read(BytesView message, RangeRequest& out);
bool read(BytesView message, PutRequest& out);
bool read(BytesView message, DeleteRangeRequest& out);
bool read(BytesView message, TxnRequest& out);
bool read(BytesView message, CompactionRequest& out);
bool read(BytesView message, LeaseGrantRequest& out);
bool read(BytesView message, LeaseRevokeRequest& out);
bool read(BytesView message, LeaseTimeToLiveRequest& out);
bool read(BytesView message, LeaseLeasesRequest& out);
bool read(BytesView message, LeaseKeepAliveRequest& out);
bool read(BytesView message, MemberListRequest& out);
bool read(BytesView message, MemberAddRequest& out);
bool read(BytesView message, MemberRemoveRequest& out);
bool read(BytesView message, MemberUpdateRequest& out);
bool read(BytesView message, MemberPromoteRequest& out);
bool read(BytesView message, StatusRequest& out);
bool read(BytesView message, AlarmRequest& out);
bool read(BytesView message, DefragmentRequest& out);
bool read(BytesView message, HashRequest& out);
bool read(BytesView message, HashKvRequest& out);
bool read(BytesView message, MoveLeaderRequest& out);
bool read(BytesView message, DowngradeRequest& out);

/// Whether it only reads: ranges alone in both branches (contract 5.3); a nested txn counts as a write.
bool is_read_only(const TxnRequest& txn);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_REQUEST_H_
