#include <utility>

#include "core/base/overloaded.h"
#include "core/kv/txn.h"
#include "core/replica/replica.h"

namespace metastore {

std::uint64_t Replica::keys_of(const kv::Request& request) const {
  const auto* txn = std::get_if<kv::TxnRequest>(&request.body());
  return txn == nullptr ? 0 : kv::keys_to_look_at(applier_->store(), *txn);
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
  auto taken = large_.take(keys_a_step(config_.limits, now, proposed_at_));
  if (!taken.has_value()) return;
  std::visit(Overloaded{[&](Proposal& proposal) { append(now, std::move(proposal)); },
                        [&](Read& read) { readable_.push_back(std::move(read)); }},
             *taken);
}

}  // namespace metastore
