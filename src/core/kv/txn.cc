#include "core/kv/txn.h"

#include <optional>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "core/kv/range.h"

namespace metastore::kv {
namespace {

using mvcc::Record;
using mvcc::Transaction;
using Refusal = std::optional<ErrorCode>;

/// Which branch each txn takes, a parent before the txns of the branch that it takes, in the order of execution.
using Path = std::vector<bool>;

const std::vector<Operation>& branch(const TxnRequest& txn, bool succeeded) {
  return succeeded ? txn.success : txn.failure;
}

template <typename Value>
bool compares(CompareResult wanted, const Value& actual, const Value& expected) {
  switch (wanted) {
    case CompareResult::equal:
      return actual == expected;
    case CompareResult::not_equal:
      return actual != expected;
    case CompareResult::greater:
      return actual > expected;
    case CompareResult::less:
      return actual < expected;
  }
  return true;  // An operator that etcd does not know holds there too.
}

/// The operand, if it is the one that the target asks for; else 0 or the empty value.
template <typename Value>
Value operand(const Compare& compare) {
  const auto* value = std::get_if<Value>(&compare.operand);
  return value != nullptr && compare.operand_target == compare.target ? *value : Value{};
}

std::int64_t property(CompareTarget target, Record record) {
  if (!record) return 0;
  switch (target) {
    case CompareTarget::version:
      return record.version();
    case CompareTarget::create:
      return record.create_revision().value();
    case CompareTarget::mod:
      return record.mod_revision().value();
    case CompareTarget::lease:
      return record.lease().value();
    default:
      return 0;  // A target that etcd does not know is 0 there too.
  }
}

/// `record` may be none: then every number is 0, while no comparison of its value holds.
bool holds(const Compare& compare, Record record) {
  if (compare.target == CompareTarget::value) {
    return record && compares(compare.result, record.value(), operand<BytesView>(compare));
  }
  return compares(compare.result, property(compare.target, record), operand<std::int64_t>(compare));
}

bool holds(const View& view, const Compare& compare) {
  if (compare.range.is_single()) return holds(compare, view.store.get(compare.range.key, view.latest));
  bool found = false;
  bool all_hold = true;
  view.store.range(compare.range, view.latest, [&](Record record) {
    found = true;
    all_hold = holds(compare, record);
    return all_hold;
  });
  return found ? all_hold : holds(compare, Record());
}

void decide(const View& before, const TxnRequest& txn, Path& path) {
  bool succeeded = true;
  for (const Compare& compare : txn.compare) succeeded = succeeded && holds(before, compare);
  path.push_back(succeeded);
  for (const Operation& operation : branch(txn, succeeded)) {
    if (const auto* nested = std::get_if<TxnRequest>(&operation.request)) decide(before, *nested, path);
  }
}

Refusal check(const View& before, const PutRequest& request) {
  // No lease exists before leases do.
  if (request.lease != 0) return ErrorCode::lease_not_found;
  if ((request.ignore_value || request.ignore_lease) && !before.store.get(request.key, before.latest)) {
    return ErrorCode::key_not_found;
  }
  return std::nullopt;
}

Refusal check(const View& before, const RangeRequest& request) {
  // Quirk: a negative revision is refused here once the store was compacted, though a range by itself takes it.
  if (request.revision == 0) return std::nullopt;
  if (request.revision > before.latest.value()) return ErrorCode::future_revision;
  if (request.revision < before.store.compact_revision().value()) return ErrorCode::compacted;
  return std::nullopt;
}

Refusal check(const View& before, const TxnRequest& txn, Path::const_iterator& path) {
  const Overloaded check_one{
      [](std::monostate) -> Refusal { return std::nullopt; },
      [](const DeleteRangeRequest&) -> Refusal { return std::nullopt; },
      [&](const TxnRequest& nested) -> Refusal { return check(before, nested, path); },
      [&](const auto& request) -> Refusal { return check(before, request); },
  };
  for (const Operation& operation : branch(txn, *path++)) {
    if (const Refusal refusal = std::visit(check_one, operation.request)) return refusal;
  }
  return std::nullopt;
}

PutResponse execute(Transaction& transaction, const PutRequest& request) {
  BytesView value = request.value;
  LeaseId lease(request.lease);
  if (request.ignore_value || request.ignore_lease) {
    // A key that was there before the txn may be gone by now: a delete up to "\0" is not seen as a conflict. etcd
    // crashes there; we go on with an empty value and no lease.
    const Record current = transaction.get(request.key);
    if (request.ignore_value) value = current ? current.value() : BytesView();
    if (request.ignore_lease) lease = current ? current.lease() : LeaseId();
  }
  const Transaction::Change change = transaction.put(request.key, value, lease);
  return {transaction.revision(), request.prev_kv ? change.previous : Record()};
}

DeleteRangeResponse execute(Transaction& transaction, const DeleteRangeRequest& request) {
  DeleteRangeResponse response;
  response.deleted = transaction.delete_range(request.range, [&](Record previous) {
    if (request.prev_kv) response.previous.push_back(previous);
  });
  response.revision = transaction.header_revision();
  return response;
}

/// What a txn reads and changes. `transaction` is null in a read-only one.
struct Target {
  const mvcc::Store& store;
  Transaction* transaction;

  View view() const { return transaction != nullptr ? View(*transaction) : View(store); }
};

TxnResponse execute(const Target& target, const TxnRequest& txn, Path::const_iterator& path) {
  const Overloaded execute_one{
      [](std::monostate) { return OperationResponse{}; },
      [&](const RangeRequest& request) { return OperationResponse{range(target.view(), request).value()}; },
      [&](const TxnRequest& nested) { return OperationResponse{execute(target, nested, path)}; },
      [&](const auto& change) {
        ASSERT(target.transaction != nullptr);
        return OperationResponse{execute(*target.transaction, change)};
      },
  };
  TxnResponse response{.succeeded = *path++};
  const std::vector<Operation>& operations = branch(txn, response.succeeded);
  response.responses.reserve(operations.size());
  for (const Operation& operation : operations) {
    response.responses.push_back(std::visit(execute_one, operation.request));
  }
  return response;
}

Result<Path> decide_and_check(const mvcc::Store& store, const TxnRequest& request) {
  const View before(store);
  Path path;
  decide(before, request, path);
  Path::const_iterator at = path.begin();
  if (const Refusal refusal = check(before, request, at)) return *refusal;
  ASSERT(at == path.end());
  return path;
}

}  // namespace

Result<PutResponse> put(mvcc::Store& store, const PutRequest& request) {
  if (const Refusal refusal = check(View(store), request)) return *refusal;
  Transaction transaction(store);
  PutResponse response = execute(transaction, request);
  transaction.commit();
  return response;
}

DeleteRangeResponse delete_range(mvcc::Store& store, const DeleteRangeRequest& request) {
  Transaction transaction(store);
  DeleteRangeResponse response = execute(transaction, request);
  transaction.commit();
  return response;
}

Result<TxnResponse> write_txn(mvcc::Store& store, const TxnRequest& request) {
  const Result<Path> path = decide_and_check(store, request);
  if (!path) return path.error();
  Transaction transaction(store);
  Path::const_iterator at = path.value().begin();
  TxnResponse response = execute({store, &transaction}, request, at);
  response.revision = transaction.header_revision();
  transaction.commit();
  return response;
}

Result<TxnResponse> read_txn(const mvcc::Store& store, const TxnRequest& request) {
  const Result<Path> path = decide_and_check(store, request);
  if (!path) return path.error();
  Path::const_iterator at = path.value().begin();
  TxnResponse response = execute({store, nullptr}, request, at);
  response.revision = store.current_revision();
  return response;
}

}  // namespace metastore::kv
