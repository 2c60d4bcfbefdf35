// What requests have done since the start, counted as etcd's mvcc metrics do: puts, deletes and ranges whether alone or
// in a transaction. Figures for people, which begin anew with each start; no decision may depend on them.
#ifndef METASTORE_CORE_KV_COUNTS_H_
#define METASTORE_CORE_KV_COUNTS_H_

#include <cstdint>

#include "core/kv/request.h"
#include "core/kv/response.h"

namespace metastore::kv {

struct Counts {
  std::uint64_t puts = 0;
  std::uint64_t put_bytes = 0;  ///< Keys and values.
  std::uint64_t deletes = 0;    ///< Ranges that were asked to be deleted, and keys that went with a lease.
  std::uint64_t ranges = 0;
  std::uint64_t txns = 0;  ///< As clients sent them: nested ones are part of theirs.

  void add(const RangeRequest&) { ++ranges; }
  void add(const PutRequest& put);
  void add(const DeleteRangeRequest&) { ++deletes; }
  /// Of the branches that were taken.
  void add(const TxnRequest& txn, const TxnResponse& response);

 private:
  void add_operations(const TxnRequest& txn, const TxnResponse& response);
};

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_COUNTS_H_
