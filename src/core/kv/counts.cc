#include "core/kv/counts.h"

#include <variant>

#include "core/base/overloaded.h"

namespace metastore::kv {

void Counts::add(const PutRequest& put) {
  ++puts;
  put_bytes += put.key.size() + put.value.size();
}

void Counts::add(const TxnRequest& txn, const TxnResponse& response) {
  ++txns;
  add_operations(txn, response);
}

void Counts::add_operations(const TxnRequest& txn, const TxnResponse& response) {
  const std::vector<Operation>& operations = response.succeeded ? txn.success : txn.failure;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Overloaded add_one{
        [](std::monostate) {},
        [&](const TxnRequest& nested) {
          add_operations(nested, std::get<TxnResponse>(response.responses[i].response));
        },
        [&](const auto& request) { add(request); },
    };
    std::visit(add_one, operations[i].request);
  }
}

}  // namespace metastore::kv
