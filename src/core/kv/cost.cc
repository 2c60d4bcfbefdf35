#include "core/kv/cost.h"

#include <algorithm>

namespace metastore::kv {
namespace {

constexpr std::uint64_t put_base_bytes = 256;
constexpr std::uint64_t lease_bytes = 64;

template <typename Body>
std::uint64_t cost_as_sent(BytesView message) {
  Body body;
  return read(message, body) ? cost(body) : 0;
}

std::uint64_t cost_of(const std::vector<Operation>& operations) {
  std::uint64_t sum = 0;
  for (const Operation& operation : operations) {
    sum += std::visit([](const auto& request) { return cost(request); }, operation.request);
  }
  return sum;
}

}  // namespace

std::uint64_t cost(const PutRequest& request) { return put_base_bytes + request.key.size() + request.value.size(); }

std::uint64_t cost(const TxnRequest& request) { return std::max(cost_of(request.success), cost_of(request.failure)); }

std::uint64_t cost(const LeaseGrantRequest&) { return lease_bytes; }

std::uint64_t cost(Method method, BytesView message) {
  switch (method) {
    case Method::put:
      return cost_as_sent<PutRequest>(message);
    case Method::txn:
      return cost_as_sent<TxnRequest>(message);
    case Method::lease_grant:
      return cost_as_sent<LeaseGrantRequest>(message);
    default:
      return 0;
  }
}

std::uint64_t size_in_use(const Applier& applier) {
  return applier.store().encoded_bytes() + applier.lessor().size() * lease_bytes;
}

}  // namespace metastore::kv
