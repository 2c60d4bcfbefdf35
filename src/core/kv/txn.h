// Changes to the store, alone and joined in transactions (contract 5.1, 5.3). Everything that can fail is found out on
// the state before the transaction; then it is executed and cannot fail.
#ifndef METASTORE_CORE_KV_TXN_H_
#define METASTORE_CORE_KV_TXN_H_

#include <cstdint>

#include "core/base/result.h"
#include "core/kv/request.h"
#include "core/kv/response.h"
#include "core/lease/lessor.h"
#include "core/mvcc/store.h"

namespace metastore::kv {

/// What commands change: the store, and which keys hang on which lease.
struct State {
  mvcc::Store& store;
  lease::Lessor& lessor;
};

/// What the comparisons and ranges of one transaction have read. It is counted in what all members and all replays of
/// the log see alike, so never in what compaction has freed so far. The bounds are no limits that can be set, because
/// they decide what an entry of the log means.
struct TxnWork {
  static constexpr std::uint64_t keys_max = 100'000;
  static constexpr std::uint64_t bytes_max = 33'554'432;

  std::uint64_t keys = 0;   ///< Looked at.
  std::uint64_t bytes = 0;  ///< To be shown, at the most.

  bool is_too_much() const { return keys > keys_max || bytes > bytes_max; }
};

/// About how many keys the comparisons and ranges of both branches would look at in the present, counted until there
/// are `keys_max`. Finding out costs little, and decides nothing but when it is done.
std::uint64_t keys_to_look_at(const mvcc::Store& store, const TxnRequest& request, std::uint64_t keys_max);

/// Errors: lease_not_found, key_not_found.
Result<PutResponse> put(const State& state, const PutRequest& request);

DeleteRangeResponse delete_range(const State& state, const DeleteRangeRequest& request);

/// Adds to `work`. Errors: those of put(), future_revision, compacted, txn_too_large; nothing has changed then.
Result<TxnResponse> write_txn(const State& state, const TxnRequest& request, TxnWork& work);

/// Deletes the lease and all keys that hang on it, in one revision.   Errors: lease_not_found.
Result<LeaseRevokeResponse> revoke(const State& state, LeaseId id);

/// As write_txn(). Requires: is_read_only(request).
Result<TxnResponse> read_txn(const mvcc::Store& store, const TxnRequest& request, TxnWork& work);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_TXN_H_
