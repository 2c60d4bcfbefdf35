// Whether the operations of a txn could change one key twice, as etcd decides it before it proposes the txn (contract
// 1.5): by the requests alone, branch by branch, quirks included.
#ifndef METASTORE_CORE_KV_KEY_CONFLICTS_H_
#define METASTORE_CORE_KV_KEY_CONFLICTS_H_

#include <vector>

#include "core/kv/request.h"

namespace metastore::kv {

/// True if among `operations`, one branch of a txn, a key is put twice, or put and deleted. The branches of a nested
/// txn exclude each other, but each counts against its siblings. Two quirks are kept: a put in a nested txn is checked
/// only against deletes of its own level and of earlier nested siblings, not of later ones; and a delete up to "\0",
/// which is all keys from its own on, counts as a delete of nothing.
/// Bounds: O(n log n) for each level of nesting.
bool changes_a_key_twice(const std::vector<Operation>& operations);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_KEY_CONFLICTS_H_
