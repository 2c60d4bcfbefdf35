// A range over the store: which keys, of which revision, filtered, sorted and cut as etcd does (contract 5.2).
#ifndef METASTORE_CORE_KV_RANGE_H_
#define METASTORE_CORE_KV_RANGE_H_

#include "core/base/result.h"
#include "core/kv/request.h"
#include "core/kv/response.h"
#include "core/mvcc/store.h"

namespace metastore::kv {

/// What a request reads: the store, and which of its revisions counts as the latest. Within a writing txn that is the
/// open transaction's, whose own changes it sees.
struct View {
  const mvcc::Store& store;
  Revision latest;
  Revision header;  ///< What the reply's header shows.

  explicit View(const mvcc::Store& from)
      : store(from), latest(from.current_revision()), header(from.current_revision()) {}
  explicit View(const mvcc::Transaction& from)
      : store(from.store()), latest(from.revision()), header(from.header_revision()) {}
};

/// Errors: future_revision, compacted.
/// Deviates: equal ones of a sort keep the order of their keys, where etcd's sort leaves it open.
Result<RangeResponse> range(const View& view, const RangeRequest& request);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_RANGE_H_
