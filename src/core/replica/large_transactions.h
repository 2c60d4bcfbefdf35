// Transactions that look at many keys take milliseconds in one piece. They wait here for their turns, one at a time, so
// that whoever asks for many of them delays others little: behind each there is a rest, as long as it was large. It
// knows no store and no clients.
#ifndef METASTORE_CORE_REPLICA_LARGE_TRANSACTIONS_H_
#define METASTORE_CORE_REPLICA_LARGE_TRANSACTIONS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <variant>

#include "core/base/time.h"
#include "core/replica/proposals.h"
#include "core/replica/reads.h"

namespace metastore {

class LargeTransactions {
 public:
  using Transaction = std::variant<Proposal, Read>;

  std::size_t size() const { return waiting_.size(); }

  void add(Transaction transaction, std::uint64_t keys) { waiting_.push_back({std::move(transaction), keys}); }

  /// When the next may be taken.
  Instant wake_at() const { return waiting_.empty() ? Instant::never() : rested_at_; }

  /// Once a step: the one whose turn has come. There is to be so long a rest for each key that it looks at.
  std::optional<Transaction> take(Instant now, Duration rest_a_key) {
    if (waiting_.empty() || now < rested_at_) return std::nullopt;
    const auto keys = static_cast<std::int64_t>(waiting_.front().keys);
    rested_at_ = now + Duration::nanoseconds(rest_a_key.nanoseconds() * keys);
    Transaction transaction = std::move(waiting_.front().transaction);
    waiting_.pop_front();
    return transaction;
  }

  void forget_late(const Waiting& waiting) {
    const auto key = [](const auto& one) { return one.key; };
    std::erase_if(waiting_, [&](const Turn& turn) { return !waiting.contains(std::visit(key, turn.transaction)); });
  }

 private:
  struct Turn {
    Transaction transaction;
    std::uint64_t keys = 0;
  };
  std::deque<Turn> waiting_;
  Instant rested_at_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_LARGE_TRANSACTIONS_H_
