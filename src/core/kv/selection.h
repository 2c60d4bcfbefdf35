// Which records the answer to a range shows, in which order, and which part of them, as etcd has it (contract 5.2).
// It looks at requests and records alone, never at the store, so that ranges of one step and of many decide alike.
#ifndef METASTORE_CORE_KV_SELECTION_H_
#define METASTORE_CORE_KV_SELECTION_H_

#include <cstdint>

#include "core/kv/request.h"
#include "core/kv/response.h"
#include "core/mvcc/record.h"

namespace metastore::kv {

bool has_filters(const RangeRequest& request);
/// By the revisions that the request asks for.
bool passes(const RangeRequest& request, mvcc::Record record);

/// How many records to take in key order before filters and sort look at them. Quirk: a sort by something else than
/// the key with no order given sorts these alone, though it needed all.
std::uint64_t fetch_limit(const RangeRequest& request);

/// Whether the answer stands in the order of the keys, so that nothing has to be sorted.
bool is_in_key_order(const RangeRequest& request);

/// The order of the answer. It is total: equal ones stay in the order of their keys, which are unique.
bool precedes(const RangeRequest& request, mvcc::Record a, mvcc::Record b);

Shown shown(const RangeRequest& request);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_SELECTION_H_
