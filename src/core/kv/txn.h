// Changes to the store, alone and joined in transactions (contract 5.1, 5.3). Everything that can fail is found out on
// the state before the transaction; then it is executed and cannot fail.
#ifndef METASTORE_CORE_KV_TXN_H_
#define METASTORE_CORE_KV_TXN_H_

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

/// Errors: lease_not_found, key_not_found.
Result<PutResponse> put(const State& state, const PutRequest& request);

DeleteRangeResponse delete_range(const State& state, const DeleteRangeRequest& request);

/// Errors: those of put(), future_revision, compacted; nothing has changed then.
Result<TxnResponse> write_txn(const State& state, const TxnRequest& request);

/// Deletes the lease and all keys that hang on it, in one revision.   Errors: lease_not_found.
Result<LeaseRevokeResponse> revoke(const State& state, LeaseId id);

/// Requires: is_read_only(request).
Result<TxnResponse> read_txn(const mvcc::Store& store, const TxnRequest& request);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_TXN_H_
