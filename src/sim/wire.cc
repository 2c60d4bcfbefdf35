#include "sim/wire.h"

#include <utility>

#include "core/base/assert.h"
#include "core/proto/rpc.pb.h"

namespace metastore::sim {
namespace {

namespace pb = etcdserverpb;

void fill(const Get& get, pb::RangeRequest& out) {
  out.set_key(get.keys.begin);
  out.set_range_end(get.keys.end);
  out.set_limit(get.limit);
  out.set_revision(get.revision);
  out.set_serializable(get.is_serializable);
  out.set_count_only(get.is_count_only);
  out.set_keys_only(get.is_keys_only);
  out.set_sort_target(static_cast<pb::RangeRequest::SortTarget>(get.sorted_by));
  if (get.sorted_by != SortBy::key) out.set_sort_order(pb::RangeRequest::ASCEND);
  if (get.is_descending) out.set_sort_order(pb::RangeRequest::DESCEND);
  out.set_min_create_revision(get.create_revision_min);
  out.set_max_create_revision(get.create_revision_max);
  out.set_min_mod_revision(get.mod_revision_min);
  out.set_max_mod_revision(get.mod_revision_max);
}

void fill(const Put& put, pb::PutRequest& out) {
  out.set_key(put.key);
  out.set_value(put.value);
  out.set_prev_kv(put.wants_previous);
  out.set_lease(put.lease);
  out.set_ignore_value(put.keeps_value);
  out.set_ignore_lease(put.keeps_lease);
}

void fill(const Delete& remove, pb::DeleteRangeRequest& out) {
  out.set_key(remove.keys.begin);
  out.set_range_end(remove.keys.end);
  out.set_prev_kv(remove.wants_previous);
}

void fill(const Txn& txn, pb::TxnRequest& out);

void fill(const Action& action, pb::RequestOp& out) {
  if (const auto* get = std::get_if<Get>(&action)) {
    fill(*get, *out.mutable_request_range());
  } else if (const auto* put = std::get_if<Put>(&action)) {
    fill(*put, *out.mutable_request_put());
  } else if (const auto* remove = std::get_if<Delete>(&action)) {
    fill(*remove, *out.mutable_request_delete_range());
  } else {
    fill(std::get<std::vector<Txn>>(action).front(), *out.mutable_request_txn());
  }
}

void fill(const Comparison& comparison, pb::Compare& out) {
  out.set_key(comparison.keys.begin);
  out.set_range_end(comparison.keys.end);
  out.set_result(static_cast<pb::Compare::CompareResult>(comparison.result));
  out.set_target(static_cast<pb::Compare::CompareTarget>(comparison.target));
  switch (comparison.target) {
    case CompareTarget::version:
      return out.set_version(comparison.number);
    case CompareTarget::create:
      return out.set_create_revision(comparison.number);
    case CompareTarget::mod:
      return out.set_mod_revision(comparison.number);
    case CompareTarget::value:
      return out.set_value(comparison.value);
    case CompareTarget::lease:
      return out.set_lease(comparison.number);
  }
}

void fill(const Txn& txn, pb::TxnRequest& out) {
  for (const Comparison& comparison : txn.comparisons) fill(comparison, *out.add_compare());
  for (const Action& action : txn.success) fill(action, *out.add_success());
  for (const Action& action : txn.failure) fill(action, *out.add_failure());
}

void fill(const Compact& compact, pb::CompactionRequest& out) {
  out.set_revision(compact.revision);
  out.set_physical(compact.is_physical);
}
void fill(const Grant& grant, pb::LeaseGrantRequest& out) {
  out.set_id(grant.id);
  out.set_ttl(grant.ttl_seconds);
}
void fill(const Revoke& revoke, pb::LeaseRevokeRequest& out) { out.set_id(revoke.id); }
void fill(const TimeToLive& asked, pb::LeaseTimeToLiveRequest& out) {
  out.set_id(asked.id);
  out.set_keys(asked.wants_keys);
}
void fill(const Leases&, pb::LeaseLeasesRequest&) {}

void fill(const HashKv& asked, pb::HashKVRequest& out) { out.set_revision(asked.revision); }
void fill(const Alarm& alarm, pb::AlarmRequest& out) {
  out.set_alarm(pb::NOSPACE);
  out.set_memberid(alarm.disarmed);
  if (alarm.disarmed != 0) out.set_action(pb::AlarmRequest::DEACTIVATE);
}
void fill(const Defragment&, pb::DefragmentRequest&) {}
void fill(const HashState&, pb::HashRequest&) {}

template <typename Message, typename Part>
std::string encode(const Part& part) {
  Message message;
  fill(part, message);
  return message.SerializeAsString();
}

struct Encoding {
  std::string operator()(const Get& get) const { return encode<pb::RangeRequest>(get); }
  std::string operator()(const Put& put) const { return encode<pb::PutRequest>(put); }
  std::string operator()(const Delete& remove) const { return encode<pb::DeleteRangeRequest>(remove); }
  std::string operator()(const Txn& txn) const { return encode<pb::TxnRequest>(txn); }
  std::string operator()(const Compact& compact) const { return encode<pb::CompactionRequest>(compact); }
  std::string operator()(const Grant& grant) const { return encode<pb::LeaseGrantRequest>(grant); }
  std::string operator()(const Revoke& revoke) const { return encode<pb::LeaseRevokeRequest>(revoke); }
  std::string operator()(const TimeToLive& asked) const { return encode<pb::LeaseTimeToLiveRequest>(asked); }
  std::string operator()(const Leases& asked) const { return encode<pb::LeaseLeasesRequest>(asked); }
  std::string operator()(const HashKv& asked) const { return encode<pb::HashKVRequest>(asked); }
  std::string operator()(const Alarm& alarm) const { return encode<pb::AlarmRequest>(alarm); }
  std::string operator()(const Defragment& asked) const { return encode<pb::DefragmentRequest>(asked); }
  std::string operator()(const HashState& asked) const { return encode<pb::HashRequest>(asked); }
};

KeyValue read(const mvccpb::KeyValue& kv) {
  return {kv.key(), kv.value(), kv.create_revision(), kv.mod_revision(), kv.version(), kv.lease()};
}

GetReply read(const pb::RangeResponse& message) {
  GetReply reply;
  for (const mvccpb::KeyValue& kv : message.kvs()) reply.kvs.push_back(read(kv));
  reply.more = message.more();
  reply.count = message.count();
  return reply;
}

PutReply read(const pb::PutResponse& message) {
  PutReply reply;
  if (message.has_prev_kv()) reply.previous = read(message.prev_kv());
  return reply;
}

DeleteReply read(const pb::DeleteRangeResponse& message) {
  DeleteReply reply;
  reply.deleted = message.deleted();
  for (const mvccpb::KeyValue& kv : message.prev_kvs()) reply.previous.push_back(read(kv));
  return reply;
}

CompactReply read(const pb::CompactionResponse&) { return {}; }
GrantReply read(const pb::LeaseGrantResponse& message) { return {message.id(), message.ttl()}; }
RevokeReply read(const pb::LeaseRevokeResponse&) { return {}; }
TimeToLiveReply read(const pb::LeaseTimeToLiveResponse& message) {
  return {message.ttl(), message.grantedttl(), {message.keys().begin(), message.keys().end()}};
}
LeasesReply read(const pb::LeaseLeasesResponse& message) {
  LeasesReply reply;
  for (const pb::LeaseStatus& lease : message.leases()) reply.ids.push_back(lease.id());
  return reply;
}

HashKvReply read(const pb::HashKVResponse& message) {
  return {message.hash(), message.compact_revision(), message.hash_revision()};
}
AlarmReply read(const pb::AlarmResponse& message) {
  AlarmReply reply;
  for (const pb::AlarmMember& alarm : message.alarms()) reply.members.push_back(alarm.memberid());
  return reply;
}
DefragmentReply read(const pb::DefragmentResponse&) { return {}; }
HashStateReply read(const pb::HashResponse& message) { return {message.hash()}; }

TxnReply read(const pb::TxnResponse& message) {
  TxnReply reply;
  reply.succeeded = message.succeeded();
  for (const pb::ResponseOp& op : message.responses()) {
    if (op.has_response_range()) {
      reply.replies.emplace_back(read(op.response_range()));
    } else if (op.has_response_put()) {
      reply.replies.emplace_back(read(op.response_put()));
    } else if (op.has_response_delete_range()) {
      reply.replies.emplace_back(read(op.response_delete_range()));
    } else {
      reply.replies.emplace_back(std::vector<TxnReply>{read(op.response_txn())});
    }
  }
  return reply;
}

template <typename Message>
std::optional<Response> decode(BytesView bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return Response{message.header().revision(), read(message)};
}

}  // namespace

kv::Method method_of(const Request& request) {
  constexpr kv::Method methods[] = {
      kv::Method::range,        kv::Method::put,         kv::Method::delete_range, kv::Method::txn,
      kv::Method::compact,      kv::Method::lease_grant, kv::Method::lease_revoke, kv::Method::lease_time_to_live,
      kv::Method::lease_leases, kv::Method::hash_kv,     kv::Method::alarm,        kv::Method::defragment,
      kv::Method::hash};
  return methods[request.index()];
}

std::string encode_request(const Request& request) { return std::visit(Encoding{}, request); }

std::optional<Response> decode_response(const Request& request, BytesView message) {
  switch (method_of(request)) {
    case kv::Method::range:
      return decode<pb::RangeResponse>(message);
    case kv::Method::put:
      return decode<pb::PutResponse>(message);
    case kv::Method::delete_range:
      return decode<pb::DeleteRangeResponse>(message);
    case kv::Method::txn:
      return decode<pb::TxnResponse>(message);
    case kv::Method::compact:
      return decode<pb::CompactionResponse>(message);
    case kv::Method::lease_grant:
      return decode<pb::LeaseGrantResponse>(message);
    case kv::Method::lease_revoke:
      return decode<pb::LeaseRevokeResponse>(message);
    case kv::Method::lease_time_to_live:
      return decode<pb::LeaseTimeToLiveResponse>(message);
    case kv::Method::lease_leases:
      return decode<pb::LeaseLeasesResponse>(message);
    case kv::Method::hash_kv:
      return decode<pb::HashKVResponse>(message);
    case kv::Method::alarm:
      return decode<pb::AlarmResponse>(message);
    case kv::Method::defragment:
      return decode<pb::DefragmentResponse>(message);
    case kv::Method::hash:
      return decode<pb::HashResponse>(message);
    default:
      UNREACHABLE();
  }
}

std::string encode_member_add(const std::string& peer_url, bool is_learner) {
  pb::MemberAddRequest message;
  message.add_peerurls(peer_url);
  message.set_islearner(is_learner);
  return message.SerializeAsString();
}

std::string encode_member_remove(MemberId id) {
  pb::MemberRemoveRequest message;
  message.set_id(id.value());
  return message.SerializeAsString();
}

std::string encode_member_promote(MemberId id) {
  pb::MemberPromoteRequest message;
  message.set_id(id.value());
  return message.SerializeAsString();
}

std::string encode_move_leader(MemberId target) {
  pb::MoveLeaderRequest message;
  message.set_targetid(target.value());
  return message.SerializeAsString();
}

std::string encode_member_update(MemberId id, const std::string& peer_url) {
  pb::MemberUpdateRequest message;
  message.set_id(id.value());
  message.add_peerurls(peer_url);
  return message.SerializeAsString();
}

std::string encode_keep_alive(std::int64_t lease) {
  pb::LeaseKeepAliveRequest message;
  message.set_id(lease);
  return message.SerializeAsString();
}

std::optional<KeepAliveMessage> decode_keep_alive(BytesView bytes) {
  pb::LeaseKeepAliveResponse message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return KeepAliveMessage{message.header().revision(), message.id(), message.ttl()};
}

std::string encode_watch(const WatchSession& session) {
  pb::WatchRequest message;
  pb::WatchCreateRequest& create = *message.mutable_create_request();
  create.set_key(session.keys.begin);
  create.set_range_end(session.keys.end);
  create.set_start_revision(session.asked_start);
  create.set_prev_kv(session.wants_previous);
  create.set_fragment(session.wants_fragments);
  create.set_progress_notify(session.wants_progress);
  create.set_watch_id(session.asked_id);
  if (session.without_puts) create.add_filters(pb::WatchCreateRequest::NOPUT);
  if (session.without_deletes) create.add_filters(pb::WatchCreateRequest::NODELETE);
  return message.SerializeAsString();
}

std::string encode_watch_cancel(std::int64_t watch_id) {
  pb::WatchRequest message;
  message.mutable_cancel_request()->set_watch_id(watch_id);
  return message.SerializeAsString();
}

std::string encode_progress_request() {
  pb::WatchRequest message;
  message.mutable_progress_request();
  return message.SerializeAsString();
}

std::optional<WatchMessage> decode_watch_message(BytesView bytes) {
  pb::WatchResponse message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  WatchMessage out{.revision = message.header().revision(),
                   .watch_id = message.watch_id(),
                   .is_created = message.created(),
                   .is_canceled = message.canceled(),
                   .is_fragment = message.fragment(),
                   .compact_revision = message.compact_revision(),
                   .cancel_reason = message.cancel_reason(),
                   .events = {}};
  for (const mvccpb::Event& event : message.events()) {
    WatchEvent& read_event = out.events.emplace_back();
    read_event.is_delete = event.type() == mvccpb::Event::DELETE;
    read_event.kv = read(event.kv());
    if (event.has_prev_kv()) read_event.previous = read(event.prev_kv());
  }
  return out;
}

}  // namespace metastore::sim
