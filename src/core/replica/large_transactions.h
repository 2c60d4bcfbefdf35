// Transactions that look at many keys take milliseconds in one piece. They wait here for their turns, few at a time, so
// that whoever asks for many of them delays others no more than one list does. When one is done it is paid for with
// what the following steps may look at; the next one comes when nothing is owed. It knows no store and no clients.
#ifndef METASTORE_CORE_REPLICA_LARGE_TRANSACTIONS_H_
#define METASTORE_CORE_REPLICA_LARGE_TRANSACTIONS_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <variant>

#include "core/replica/proposals.h"
#include "core/replica/reads.h"

namespace metastore {

class LargeTransactions {
 public:
  using Transaction = std::variant<Proposal, Read>;

  std::size_t size() const { return waiting_.size(); }
  bool is_empty() const { return waiting_.empty(); }

  void add(Transaction transaction, std::uint64_t keys) { waiting_.push_back({std::move(transaction), keys}); }

  /// Once a step, which may look at so many keys: the one whose turn has come.
  std::optional<Transaction> take(std::uint64_t keys_a_step) {
    owed_keys_ -= std::min(owed_keys_, keys_a_step);
    if (owed_keys_ > 0 || waiting_.empty()) return std::nullopt;
    owed_keys_ = waiting_.front().keys;
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
  std::uint64_t owed_keys_ = 0;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_LARGE_TRANSACTIONS_H_
