#include "core/kv/applier.h"

#include <utility>
#include <variant>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
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

Result<Bytes> Applier::read(const Request& request, const Header& header, Instant now) const {
  if (const auto* asked = std::get_if<RangeRequest>(&request.body())) {
    return reply(header, range(View(store_), *asked));
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
  return reply(header, read_txn(store_, *txn));
}

Applied Applier::apply(BytesView data, const Header& header, Instant now) {
  const State state{store_, lessor_};
  std::optional<Command> command = decode_command(data);
  ASSERT(command.has_value());
  Applied applied{.proposal_id = command->id, .reply = Bytes()};
  const Overloaded execute{
      [&](const PutRequest& request) { applied.reply = reply(header, put(state, request)); },
      [&](const DeleteRangeRequest& request) { applied.reply = encode(header, delete_range(state, request)); },
      [&](const TxnRequest& request) { applied.reply = reply(header, write_txn(state, request)); },
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
      [&](const LeaseRevokeRequest& request) { applied.reply = reply(header, revoke(state, LeaseId(request.id))); },
      [&](MemberAttributes& attributes) { applied.member_attributes = std::move(attributes); },
      [&](ClusterVersion& cluster) { applied.cluster_version = std::move(cluster.version); },
  };
  std::visit(execute, command->body);
  return applied;
}

}  // namespace metastore::kv
