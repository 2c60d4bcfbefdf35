#include <utility>

#include "core/base/overloaded.h"
#include "core/kv/txn.h"
#include "core/replica/replica.h"

namespace metastore {

std::uint64_t Replica::keys_of(const kv::Request& request) const {
  const auto* txn = std::get_if<kv::TxnRequest>(&request.body());
  if (txn == nullptr) return 0;
  // One that will be refused need not be counted to its end.
  const bool is_full = large_.size() >= config_.limits.large_txns_pending_max;
  const std::uint64_t keys_max = is_full ? config_.limits.txn_keys_at_once + 1 : kv::TxnWork::keys_max;
  return kv::keys_to_look_at(applier_->store(), *txn, keys_max);
}

void Replica::make_readable(Read read, Effects& effects) {
  const std::uint64_t keys = keys_of(read.request);
  if (keys <= config_.limits.txn_keys_at_once) return readable_.push_back(std::move(read));
  if (large_.size() >= config_.limits.large_txns_pending_max) {
    return answer(read.key, ErrorCode::too_many_requests, effects);
  }
  large_.add(std::move(read), keys);
}

void Replica::take_turns(Instant now) {
  const Duration rest_a_key = Duration::nanoseconds(static_cast<std::int64_t>(config_.limits.large_txn_rest_ns));
  auto taken = large_.take(now, are_proposing(now, proposed_at_) ? rest_a_key : Duration());
  if (!taken.has_value()) return;
  std::visit(Overloaded{[&](Proposal& proposal) { append(now, std::move(proposal)); },
                        [&](Read& read) { readable_.push_back(std::move(read)); }},
             *taken);
}

}  // namespace metastore
