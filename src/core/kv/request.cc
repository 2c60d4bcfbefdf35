#include "core/kv/request.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>

#include "core/base/overloaded.h"
#include "core/base/urls.h"
#include "core/kv/key_conflicts.h"
#include "core/kv/selection.h"
#include "core/lease/lessor.h"

namespace metastore::kv {
namespace {

using Refusal = std::optional<ErrorCode>;

Refusal check(const RangeRequest& request) {
  if (request.range.key.empty()) return ErrorCode::empty_key;
  if (request.sort_order < SortOrder::none || request.sort_order > SortOrder::descend ||
      request.sort_target < SortTarget::key || request.sort_target > SortTarget::value) {
    return ErrorCode::invalid_sort_option;
  }
  return std::nullopt;
}

/// What is sent while it is found cannot be sorted, and is not filtered.
Refusal check_stream(const RangeRequest& request) {
  if (request.sort_order != SortOrder::none && !is_in_key_order(request)) return ErrorCode::range_stream_sorted;
  if (has_filters(request)) return ErrorCode::range_stream_filtered;
  return std::nullopt;
}

Refusal check(const PutRequest& request) {
  if (request.key.empty()) return ErrorCode::empty_key;
  if (request.ignore_value && !request.value.empty()) return ErrorCode::value_provided;
  if (request.ignore_lease && request.lease != 0) return ErrorCode::lease_provided;
  return std::nullopt;
}

Refusal check(const DeleteRangeRequest& request) {
  if (request.range.key.empty()) return ErrorCode::empty_key;
  return std::nullopt;
}

/// `budget` is what the parents leave of txn_ops_max; a txn spends its longest list of it.
Refusal check_lists(const TxnRequest& txn, std::size_t budget) {
  const std::size_t spent = std::max({txn.compare.size(), txn.success.size(), txn.failure.size()});
  if (spent > budget) return ErrorCode::too_many_ops;
  for (const Compare& compare : txn.compare) {
    if (compare.range.key.empty()) return ErrorCode::empty_key;
  }
  const Overloaded check_one{
      [](std::monostate) -> Refusal { return ErrorCode::key_not_found; },
      [&](const TxnRequest& nested) -> Refusal { return check_lists(nested, budget - spent); },
      [](const auto& request) -> Refusal { return check(request); },
  };
  for (const std::vector<Operation>* branch : {&txn.success, &txn.failure}) {
    for (const Operation& operation : *branch) {
      if (const Refusal refusal = std::visit(check_one, operation.request)) return refusal;
    }
  }
  return std::nullopt;
}

Refusal check(const TxnRequest& txn, const Limits& limits) {
  if (const Refusal refusal = check_lists(txn, limits.txn_ops_max)) return refusal;
  if (changes_a_key_twice(txn.success) || changes_a_key_twice(txn.failure)) return ErrorCode::duplicate_key;
  return std::nullopt;
}

Refusal check(const LeaseGrantRequest& request) {
  if (request.ttl_seconds > lease::ttl_seconds_max) return ErrorCode::lease_ttl_too_large;
  return std::nullopt;
}

Refusal check(const MemberAddRequest& request) {
  const bool are_urls = std::all_of(request.peer_urls.begin(), request.peer_urls.end(),
                                    [](BytesView url) { return parse_url(url).ok(); });
  if (request.peer_urls.empty() || !are_urls) return ErrorCode::member_bad_urls;
  return std::nullopt;
}

/// Nothing can be wrong with these by themselves.
Refusal check(const CompactionRequest&) { return std::nullopt; }
Refusal check(const LeaseRevokeRequest&) { return std::nullopt; }
Refusal check(const LeaseTimeToLiveRequest&) { return std::nullopt; }
Refusal check(const LeaseLeasesRequest&) { return std::nullopt; }
Refusal check(const LeaseKeepAliveRequest&) { return std::nullopt; }
Refusal check(const MemberListRequest&) { return std::nullopt; }
Refusal check(const MemberRemoveRequest&) { return std::nullopt; }
Refusal check(const MemberUpdateRequest&) { return std::nullopt; }
Refusal check(const MemberPromoteRequest&) { return std::nullopt; }
Refusal check(const StatusRequest&) { return std::nullopt; }
Refusal check(const AlarmRequest&) { return std::nullopt; }
Refusal check(const DefragmentRequest&) { return std::nullopt; }
Refusal check(const HashRequest&) { return std::nullopt; }
Refusal check(const HashKvRequest&) { return std::nullopt; }
Refusal check(const MoveLeaderRequest&) { return std::nullopt; }

bool take_number(BytesView& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(digits);
  return digits > 0;
}

/// MAJOR.MINOR or MAJOR.MINOR.PATCH, and what semantic versions may have behind that.
bool is_version(BytesView text) {
  const auto take_dot = [&] {
    const bool is_there = text.starts_with('.');
    if (is_there) text.remove_prefix(1);
    return is_there;
  };
  if (!take_number(text) || !take_dot() || !take_number(text)) return false;
  if (take_dot() && !take_number(text)) return false;
  return text.empty() || text.front() == '-' || text.front() == '+';
}

Refusal check(const DowngradeRequest& request) {
  switch (request.action) {
    case DowngradeAction::validate:
    case DowngradeAction::enable:
      if (!is_version(request.version)) return ErrorCode::wrong_downgrade_version_format;
      return std::nullopt;
    case DowngradeAction::cancel:
      return std::nullopt;
  }
  return ErrorCode::unknown_method;
}

Request::Body empty_body(Method method) {
  switch (method) {
    case Method::range:
    case Method::range_stream:
      return RangeRequest{};
    case Method::put:
      return PutRequest{};
    case Method::delete_range:
      return DeleteRangeRequest{};
    case Method::txn:
      return TxnRequest{};
    case Method::compact:
      return CompactionRequest{};
    case Method::member_list:
      return MemberListRequest{};
    case Method::member_add:
      return MemberAddRequest{};
    case Method::member_remove:
      return MemberRemoveRequest{};
    case Method::member_update:
      return MemberUpdateRequest{};
    case Method::member_promote:
      return MemberPromoteRequest{};
    case Method::status:
      return StatusRequest{};
    case Method::alarm:
      return AlarmRequest{};
    case Method::defragment:
      return DefragmentRequest{};
    case Method::hash:
      return HashRequest{};
    case Method::hash_kv:
      return HashKvRequest{};
    case Method::move_leader:
      return MoveLeaderRequest{};
    case Method::downgrade:
      return DowngradeRequest{};
    case Method::lease_grant:
      return LeaseGrantRequest{};
    case Method::lease_revoke:
      return LeaseRevokeRequest{};
    case Method::lease_time_to_live:
      return LeaseTimeToLiveRequest{};
    case Method::lease_leases:
      return LeaseLeasesRequest{};
    case Method::lease_keep_alive:
      return LeaseKeepAliveRequest{};
    case Method::watch:
      break;  // Their messages are not ClientRequests.
  }
  UNREACHABLE();
}

bool are_all_ranges(const std::vector<Operation>& operations) {
  return std::all_of(operations.begin(), operations.end(), [](const Operation& operation) {
    return std::holds_alternative<RangeRequest>(operation.request);
  });
}

bool are_all_serializable(const std::vector<Operation>& operations) {
  return std::all_of(operations.begin(), operations.end(), [](const Operation& operation) {
    const auto* range = std::get_if<RangeRequest>(&operation.request);
    return range != nullptr && range->serializable;
  });
}

}  // namespace

bool is_read_only(const TxnRequest& txn) { return are_all_ranges(txn.success) && are_all_ranges(txn.failure); }

Consistency Request::consistency() const {
  const auto local_if = [](bool stale_is_fine) {
    return stale_is_fine ? Consistency::local : Consistency::linearizable;
  };
  const Overloaded choose{
      [&](const RangeRequest& range) { return local_if(range.serializable); },
      [&](const TxnRequest& txn) {
        if (!is_read_only(txn)) return Consistency::proposed;
        return local_if(are_all_serializable(txn.success) && are_all_serializable(txn.failure));
      },
      [](const PutRequest&) { return Consistency::proposed; },
      [](const DeleteRangeRequest&) { return Consistency::proposed; },
      [](const CompactionRequest&) { return Consistency::proposed; },
      [](const LeaseGrantRequest&) { return Consistency::proposed; },
      [](const LeaseRevokeRequest&) { return Consistency::proposed; },
      [](const LeaseTimeToLiveRequest&) { return Consistency::linearizable; },
      [](const LeaseLeasesRequest&) { return Consistency::local; },
      [](const LeaseKeepAliveRequest&) { return Consistency::linearizable; },
      [&](const MemberListRequest& list) { return local_if(!list.linearizable); },
      [](const MemberAddRequest&) { return Consistency::configured; },
      [](const MemberRemoveRequest&) { return Consistency::configured; },
      [](const MemberUpdateRequest&) { return Consistency::configured; },
      [](const MemberPromoteRequest&) { return Consistency::configured; },
      [](const StatusRequest&) { return Consistency::local; },
      [](const AlarmRequest&) { return Consistency::proposed; },
      [](const DefragmentRequest&) { return Consistency::local; },
      [](const HashRequest&) { return Consistency::local; },
      [](const HashKvRequest&) { return Consistency::local; },
      [](const MoveLeaderRequest&) { return Consistency::local; },
      [](const DowngradeRequest&) { return Consistency::local; },
  };
  return std::visit(choose, body_);
}

Result<Request> decode(Method method, Bytes message, const Limits& limits) {
  Request::Body body = empty_body(method);
  const bool is_readable = std::visit([&](auto& out) { return read(message.view(), out); }, body);
  if (!is_readable) return ErrorCode::undecodable;
  const Overloaded check_body{
      [&](const TxnRequest& txn) { return check(txn, limits); },
      [](const auto& request) { return check(request); },
  };
  if (const Refusal refusal = std::visit(check_body, body)) return *refusal;
  if (method == Method::range_stream) {
    if (const Refusal refusal = check_stream(*std::get_if<RangeRequest>(&body))) return *refusal;
  }
  return Request(method, std::move(message), std::move(body));
}

}  // namespace metastore::kv
