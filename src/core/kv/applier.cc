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

Result<Bytes> Applier::read(const Request& request, const Header& header) const {
  if (const auto* asked = std::get_if<RangeRequest>(&request.body())) {
    return reply(header, range(View(store_), *asked));
  }
  const auto* txn = std::get_if<TxnRequest>(&request.body());
  ASSERT(txn != nullptr);
  ASSERT(is_read_only(*txn));
  return reply(header, read_txn(store_, *txn));
}

Applied Applier::apply(BytesView data, const Header& header) {
  std::optional<Command> command = decode_command(data);
  ASSERT(command.has_value());
  Applied applied{.proposal_id = command->id, .reply = Bytes()};
  const Overloaded execute{
      [&](const PutRequest& request) { applied.reply = reply(header, put(store_, request)); },
      [&](const DeleteRangeRequest& request) { applied.reply = encode(header, delete_range(store_, request)); },
      [&](const TxnRequest& request) { applied.reply = reply(header, write_txn(store_, request)); },
      [&](const CompactionRequest& request) {
        const Status<> compacted = store_.compact(Revision(request.revision));
        if (compacted) {
          applied.reply = encode(header, CompactionResponse{store_.current_revision()});
          applied.waits_for_compaction = request.physical;
        } else {
          applied.reply = compacted.error();
        }
      },
      [&](MemberAttributes& attributes) { applied.member_attributes = std::move(attributes); },
      [&](ClusterVersion& cluster) { applied.cluster_version = std::move(cluster.version); },
  };
  std::visit(execute, command->body);
  return applied;
}

}  // namespace metastore::kv
