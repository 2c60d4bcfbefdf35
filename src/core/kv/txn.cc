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

/// What a request is checked against: the state before it.
struct Before {
  const View& view;
  const lease::Lessor* lessor;  ///< Null for a read-only txn, which asks no lease.
};

Refusal check(const Before& before, const PutRequest& request) {
  if (request.lease != 0 && !before.lessor->exists(LeaseId(request.lease))) return ErrorCode::lease_not_found;
  if ((request.ignore_value || request.ignore_lease) && !before.view.store.get(request.key, before.view.latest)) {
    return ErrorCode::key_not_found;
  }
  return std::nullopt;
}

Refusal check(const Before& before, const RangeRequest& request) {
  // Quirk: a negative revision is refused here once the store was compacted, though a range by itself takes it.
  if (request.revision == 0) return std::nullopt;
  if (request.revision > before.view.latest.value()) return ErrorCode::future_revision;
  if (request.revision < before.view.store.compact_revision().value()) return ErrorCode::compacted;
  return std::nullopt;
}

Refusal check(const Before& before, const TxnRequest& txn, Path::const_iterator& path) {
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

/// The changes of one request, to the store and to what hangs on leases.
struct Changes {
  Transaction& transaction;
  lease::Lessor& lessor;

  void put(BytesView key, BytesView value, LeaseId lease, Record& previous) const {
    const Transaction::Change change = transaction.put(key, value, lease);
    const LeaseId former = change.previous ? change.previous.lease() : LeaseId();
    previous = change.previous;
    if (former == lease) return;
    if (former != LeaseId()) lessor.detach(former, key);
    if (lease != LeaseId()) lessor.attach(lease, key);
  }
};

PutResponse execute(const Changes& changes, const PutRequest& request) {
  BytesView value = request.value;
  LeaseId lease(request.lease);
  if (request.ignore_value || request.ignore_lease) {
    // A key that was there before the txn may be gone by now: a delete up to "\0" is not seen as a conflict. etcd
    // crashes there; we go on with an empty value and no lease.
    const Record current = changes.transaction.get(request.key);
    if (request.ignore_value) value = current ? current.value() : BytesView();
    if (request.ignore_lease) lease = current ? current.lease() : LeaseId();
  }
  Record previous;
  changes.put(request.key, value, lease, previous);
  return {changes.transaction.revision(), request.prev_kv ? previous : Record()};
}

DeleteRangeResponse execute(const Changes& changes, const DeleteRangeRequest& request) {
  DeleteRangeResponse response;
  response.deleted = changes.transaction.delete_range(request.range, [&](Record previous) {
    if (previous.lease() != LeaseId()) changes.lessor.detach(previous.lease(), previous.key());
    if (request.prev_kv) response.previous.push_back(previous);
  });
  response.revision = changes.transaction.header_revision();
  return response;
}

/// What a txn reads and changes. `changes` is null in a read-only one.
struct Target {
  const mvcc::Store& store;
  const Changes* changes;

  View view() const { return changes != nullptr ? View(changes->transaction) : View(store); }
};

TxnResponse execute(const Target& target, const TxnRequest& txn, Path::const_iterator& path) {
  const Overloaded execute_one{
      [](std::monostate) { return OperationResponse{}; },
      [&](const RangeRequest& request) { return OperationResponse{range(target.view(), request).value()}; },
      [&](const TxnRequest& nested) { return OperationResponse{execute(target, nested, path)}; },
      [&](const auto& change) {
        ASSERT(target.changes != nullptr);
        return OperationResponse{execute(*target.changes, change)};
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

Result<Path> decide_and_check(const Before& before, const TxnRequest& request) {
  Path path;
  decide(before.view, request, path);
  Path::const_iterator at = path.begin();
  if (const Refusal refusal = check(before, request, at)) return *refusal;
  ASSERT(at == path.end());
  return path;
}

}  // namespace

Result<PutResponse> put(const State& state, const PutRequest& request) {
  if (const Refusal refusal = check({View(state.store), &state.lessor}, request)) return *refusal;
  Transaction transaction(state.store);
  PutResponse response = execute(Changes{transaction, state.lessor}, request);
  transaction.commit();
  return response;
}

DeleteRangeResponse delete_range(const State& state, const DeleteRangeRequest& request) {
  Transaction transaction(state.store);
  DeleteRangeResponse response = execute(Changes{transaction, state.lessor}, request);
  transaction.commit();
  return response;
}

Result<TxnResponse> write_txn(const State& state, const TxnRequest& request) {
  const Result<Path> path = decide_and_check({View(state.store), &state.lessor}, request);
  if (!path) return path.error();
  Transaction transaction(state.store);
  const Changes changes{transaction, state.lessor};
  Path::const_iterator at = path.value().begin();
  TxnResponse response = execute({state.store, &changes}, request, at);
  response.revision = transaction.header_revision();
  transaction.commit();
  return response;
}

Result<LeaseRevokeResponse> revoke(const State& state, LeaseId id) {
  const Result<std::vector<std::string>> keys = state.lessor.revoke(id);
  if (!keys) return keys.error();
  Transaction transaction(state.store);
  for (const std::string& key : keys.value()) ASSERT(transaction.delete_range({key, {}}) == 1);
  transaction.commit();
  return LeaseRevokeResponse{state.store.current_revision(), keys.value().size()};
}

Result<TxnResponse> read_txn(const mvcc::Store& store, const TxnRequest& request) {
  const Result<Path> path = decide_and_check({View(store), nullptr}, request);
  if (!path) return path.error();
  Path::const_iterator at = path.value().begin();
  TxnResponse response = execute({store, nullptr}, request, at);
  response.revision = store.current_revision();
  return response;
}

}  // namespace metastore::kv
