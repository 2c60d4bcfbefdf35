// What counts against the quota: of a request, etcd's own reckoning, which takes what a write brings and forgives what
// it replaces (contract 1.4); of the state, what it takes when encoded. Nothing here knows how large the quota is.
#ifndef METASTORE_CORE_KV_COST_H_
#define METASTORE_CORE_KV_COST_H_

#include <cstdint>

#include "core/kv/applier.h"
#include "core/kv/request.h"

namespace metastore::kv {

std::uint64_t cost(const PutRequest& request);
/// That of the dearer branch; a txn inside counts as one of its operations.
std::uint64_t cost(const TxnRequest& request);
std::uint64_t cost(const LeaseGrantRequest& request);
/// Everything else is free, so that there is always a way to make room.
template <typename Body>
std::uint64_t cost(const Body&) {
  return 0;
}

/// Of what came and may yet turn out to be wrong; 0 if it cannot be read.
std::uint64_t cost(Method method, BytesView message);

/// dbSizeInUse: it follows from what was applied, so it is equal on all members.
std::uint64_t size_in_use(const Applier& applier);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_COST_H_
