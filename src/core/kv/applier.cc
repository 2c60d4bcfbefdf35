#include "core/kv/applier.h"

#include <utility>
#include <variant>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "core/kv/cost.h"
#include "core/kv/range.h"
#include "core/kv/txn.h"

namespace metastore::kv {
namespace {

template <typename Response>
Result<Bytes> reply(const Header& header, const Result<Response>& response) {
  if (!response) return response.error();
  return encode(header, response.value());
}

}  // namespace

Result<Bytes> Applier::read(const Request& request, const Header& header, Instant now) {
  if (const auto* asked = std::get_if<RangeRequest>(&request.body())) {
    const Result<RangeResponse> response = range(View(store_), *asked);
    if (response) counts_.add(*asked);
    return reply(header, response);
  }
  if (const auto* asked = std::get_if<LeaseTimeToLiveRequest>(&request.body())) {
    if (!lessor_.is_primary()) return ErrorCode::leader_changed;
    const LeaseId id(asked->id);
    LeaseTimeToLiveResponse response{
        .revision = store_.current_revision(), .id = id, .remaining_seconds = -1, .keys = {}};
    if (const auto time = lessor_.time_to_live(id, now)) {
      response.remaining_seconds = time->remaining_seconds;
      response.granted_seconds = time->granted_seconds;
      if (asked->keys) response.keys = lessor_.keys(id).value();
    }
    return encode(header, response);
  }
  if (std::holds_alternative<LeaseLeasesRequest>(request.body())) {
    return encode(header, LeaseLeasesResponse{store_.current_revision(), lessor_.list()});
  }
  const auto* txn = std::get_if<TxnRequest>(&request.body());
  ASSERT(txn != nullptr);
  ASSERT(is_read_only(*txn));
  TxnWork work;
  const Result<TxnResponse> response = read_txn(store_, *txn, work);
  txn_keys_read_ += work.keys;
  if (response) counts_.add(*txn, response.value());
  return reply(header, response);
}

Result<Listing> Applier::list(Request request, const Header& header) {
  Result<Listing> listing = Listing::begin(store_, std::move(request), header);
  if (listing) counts_.add(RangeRequest());
  return listing;
}

std::optional<ErrorCode> Applier::refusal_of(const Command& command, std::uint64_t cost) const {
  // A damaged cluster takes nothing more that changes keys or leases; one that is full, nothing that adds to them.
  if (alarms_.is_raised(AlarmType::corrupt)) {
    const Overloaded is_forbidden{
        [](const AlarmRequest&) { return false; },     [](const ClusterVersion&) { return false; },
        [](const MemberAttributes&) { return false; }, [](const StateHashPoint&) { return false; },
        [](const LeaseCheckpoint&) { return false; },  [](const auto&) { return true; },
    };
    if (std::visit(is_forbidden, command.body)) return ErrorCode::corrupt;
  }
  if (cost > 0 && alarms_.is_raised(AlarmType::nospace)) return ErrorCode::no_space;
  return std::nullopt;
}

AlarmResponse Applier::apply_alarm(const AlarmRequest& request, Applied& applied) {
  AlarmResponse response{store_.current_revision(), {}};
  const Alarm& alarm = request.alarm;
  switch (request.action) {
    case AlarmAction::get:
      response.alarms = alarms_.list(alarm.type);
      break;
    case AlarmAction::activate:
      if (!is_known_alarm(static_cast<std::uint64_t>(alarm.type))) break;
      response.alarms = {alarm};
      if (alarms_.raise(alarm)) applied.raised = alarm;
      break;
    case AlarmAction::deactivate:
      if (!alarms_.clear(alarm)) break;
      response.alarms = {alarm};
      applied.cleared = alarm;
      break;
  }
  return response;
}

Applied Applier::apply(BytesView data, const Header& header, Instant now) {
  const State state{store_, lessor_};
  std::optional<Command> command = decode_command(data);
  ASSERT(command.has_value());
  Applied applied{.proposal_id = command->id, .reply = Bytes()};
  applied.cost = std::visit([](const auto& body) { return cost(body); }, command->body);
  if (const auto refusal = refusal_of(*command, applied.cost)) {
    applied.reply = *refusal;
    return applied;
  }
  const Overloaded execute{
      [&](const PutRequest& request) {
        const Result<PutResponse> response = put(state, request);
        if (response) counts_.add(request);
        applied.reply = reply(header, response);
      },
      [&](const DeleteRangeRequest& request) {
        counts_.add(request);
        applied.reply = encode(header, delete_range(state, request));
      },
      [&](const TxnRequest& request) {
        TxnWork work;
        const Result<TxnResponse> response = write_txn(state, request, work);
        txn_keys_read_ += work.keys;
        if (response) counts_.add(request, response.value());
        applied.reply = reply(header, response);
      },
      [&](const CompactionRequest& request) {
        const Status<> compacted = store_.compact(Revision(request.revision));
        if (compacted) {
          applied.reply = encode(header, CompactionResponse{store_.current_revision()});
          applied.waits_for_compaction = request.physical;
        } else {
          applied.reply = compacted.error();
        }
      },
      [&](const LeaseGrantRequest& request) {
        const LeaseId id(request.id);
        const Result<std::int64_t> ttl = lessor_.grant(id, request.ttl_seconds, now);
        if (ttl) {
          applied.reply = encode(header, LeaseGrantResponse{store_.current_revision(), id, ttl.value()});
        } else {
          applied.reply = ttl.error();
        }
      },
      [&](const LeaseRevokeRequest& request) {
        const Result<LeaseRevokeResponse> response = revoke(state, LeaseId(request.id));
        if (response) counts_.deletes += response.value().deleted;
        applied.reply = reply(header, response);
      },
      [&](const AlarmRequest& request) { applied.reply = encode(header, apply_alarm(request, applied)); },
      [&](MemberAttributes& attributes) { applied.member_attributes = std::move(attributes); },
      [&](ClusterVersion& cluster) { applied.cluster_version = std::move(cluster.version); },
      [&](const StateHashPoint&) { applied.is_state_hash_point = true; },
      [&](const LeaseCheckpoint& checkpoint) {
        for (const lease::Remaining& remaining : checkpoint.leases) lessor_.note(remaining, now);
      },
  };
  std::visit(execute, command->body);
  return applied;
}

}  // namespace metastore::kv
