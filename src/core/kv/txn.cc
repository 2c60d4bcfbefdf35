#include "core/kv/txn.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "core/kv/range.h"
#include "core/kv/selection.h"

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

/// Visits the records of `range` until `visit(Record)` returns false or the work is too much.
template <typename Visit>
void look_at(const mvcc::Store& store, const mvcc::KeyRange& range, Revision revision, TxnWork& work, Visit&& visit) {
  store.keys(range, revision, [&](Record newest, Record record) {
    if (!record && newest.mod_revision() <= store.compact_revision()) return true;
    ++work.keys;
    return !work.is_too_much() && (!record || visit(record));
  });
}

bool holds(const View& view, const Compare& compare, TxnWork& work) {
  if (compare.range.is_single()) {
    ++work.keys;
    return holds(compare, view.store.get(compare.range.key, view.latest));
  }
  bool found = false;
  bool all_hold = true;
  look_at(view.store, compare.range, view.latest, work, [&](Record record) {
    found = true;
    all_hold = holds(compare, record);
    return all_hold;
  });
  return found ? all_hold : holds(compare, Record());
}

/// What comes of it means nothing if the work is too much.
void decide(const View& before, const TxnRequest& txn, TxnWork& work, Path& path) {
  bool succeeded = true;
  for (const Compare& compare : txn.compare) {
    succeeded = succeeded && !work.is_too_much() && holds(before, compare, work);
  }
  path.push_back(succeeded);
  for (const Operation& operation : branch(txn, succeeded)) {
    if (const auto* nested = std::get_if<TxnRequest>(&operation.request)) decide(before, *nested, work, path);
  }
}

/// What a request is checked against: the state before it.
struct Before {
  const View& view;
  const lease::Lessor* lessor;  ///< Null for a read-only txn, which asks no lease.
};

/// What the checked part of a transaction will have read and put.
struct Sum {
  TxnWork& work;
  std::vector<const PutRequest*> puts = {};  ///< What a range may find besides.
};

/// Counting the keys of the present walks leaves, which cost little; those of the past are looked at.
constexpr std::uint64_t looks_a_count = 100;
constexpr std::uint64_t counted_a_look = 64;

void add_count(const View& view, const mvcc::KeyRange& range, Revision revision, TxnWork& work) {
  work.keys += looks_a_count;
  if (revision == view.latest) {
    work.keys += view.store.count(range, revision) / counted_a_look;
  } else {
    look_at(view.store, range, revision, work, [](Record) { return true; });
  }
}

/// Adds what execute() will read.
void add(const View& view, const RangeRequest& request, Sum& sum) {
  const mvcc::Store& store = view.store;
  const Revision revision = request.revision > 0 ? Revision(request.revision) : view.latest;
  TxnWork& work = sum.work;
  if (request.count_only) return add_count(view, request.range, revision, work);
  ++work.keys;
  const std::uint64_t limit = fetch_limit(request);
  std::uint64_t fetched = 0;
  std::uint64_t bytes = 0;
  std::uint64_t largest_bytes = 0;
  const auto add = [&](std::uint64_t size) {
    bytes += size;
    largest_bytes = std::max(largest_bytes, size);
  };
  const auto fetch = [&](Record record) {
    if (passes(request, record)) add(record_field_size(2, record, shown(request)));
    return ++fetched < limit && (request.limit > 0 || work.bytes + bytes <= TxnWork::bytes_max);
  };
  if (request.range.is_single()) {
    if (const Record record = store.get(request.range.key, revision)) fetch(record);
  } else {
    look_at(store, request.range, revision, work, fetch);
    if (fetched == limit) add_count(view, request.range, revision, work);
  }
  for (const PutRequest* put : sum.puts) {
    constexpr std::uint64_t revisions_and_tags = 64;
    ++work.keys;
    if (request.range.contains(put->key)) add(put->key.size() + put->value.size() + revisions_and_tags);
    if (work.is_too_much()) return;
  }
  const auto shown_max = static_cast<std::uint64_t>(std::max<std::int64_t>(request.limit, 0));
  const bool is_cut = shown_max > 0 && shown_max < bytes;
  work.bytes += is_cut ? std::min(bytes, shown_max * largest_bytes) : bytes;
}

Refusal check(const Before& before, const PutRequest& request) {
  if (request.lease != 0 && !before.lessor->exists(LeaseId(request.lease))) return ErrorCode::lease_not_found;
  if ((request.ignore_value || request.ignore_lease) && !before.view.store.get(request.key, before.view.latest)) {
    return ErrorCode::key_not_found;
  }
  return std::nullopt;
}

Refusal check(const Before& before, const RangeRequest& request, Sum& sum) {
  // Quirk: a negative revision is refused here once the store was compacted, though a range by itself takes it.
  if (request.revision > before.view.latest.value()) return ErrorCode::future_revision;
  if (request.revision != 0 && request.revision < before.view.store.compact_revision().value()) {
    return ErrorCode::compacted;
  }
  add(before.view, request, sum);
  if (sum.work.is_too_much()) return ErrorCode::txn_too_large;
  return std::nullopt;
}

Refusal check(const Before& before, const TxnRequest& txn, Path::const_iterator& path, Sum& sum) {
  const Overloaded check_one{
      [](std::monostate) -> Refusal { return std::nullopt; },
      [](const DeleteRangeRequest&) -> Refusal { return std::nullopt; },
      [&](const TxnRequest& nested) -> Refusal { return check(before, nested, path, sum); },
      [&](const RangeRequest& request) -> Refusal { return check(before, request, sum); },
      [&](const PutRequest& request) -> Refusal {
        sum.puts.push_back(&request);
        return check(before, request);
      },
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

Result<Path> decide_and_check(const Before& before, const TxnRequest& request, TxnWork& work) {
  Path path;
  decide(before.view, request, work, path);
  if (work.is_too_much()) return ErrorCode::txn_too_large;
  Path::const_iterator at = path.begin();
  Sum sum{work};
  if (const Refusal refusal = check(before, request, at, sum)) return *refusal;
  ASSERT(at == path.end());
  return path;
}

class Estimate {
 public:
  Estimate(const mvcc::Store& store, std::uint64_t keys_max) : store_(store), keys_max_(keys_max) {}

  void add(const TxnRequest& txn) {
    for (const Compare& compare : txn.compare) add(compare.range, keys_max_);
    for (const bool succeeded : {true, false}) {
      for (const Operation& operation : branch(txn, succeeded)) {
        if (const auto* nested = std::get_if<TxnRequest>(&operation.request)) add(*nested);
        if (const auto* range = std::get_if<RangeRequest>(&operation.request)) {
          add(range->range, range->count_only ? looks_a_count : fetch_limit(*range));
        }
      }
    }
  }

  std::uint64_t keys() const { return keys_; }

 private:
  void add(mvcc::KeyRange range, std::uint64_t limit) {
    if (keys_ >= keys_max_) return;
    if (range.is_single() || limit <= 1) {
      ++keys_;
      return;
    }
    const std::uint64_t enough = keys_ + std::min(limit, keys_max_ - keys_);
    for (std::optional<BytesView> rest = range.key; rest.has_value() && keys_ < enough;) {
      std::uint64_t budget = looks_at_once;
      range.key = *rest;
      const mvcc::KeyIndex::Count counted = store_.count_some(range, store_.current_revision(), budget);
      keys_ = std::min(enough, keys_ + counted.keys);
      rest = counted.rest;
    }
  }

  /// A leaf of the index holds many keys, so that few looks often are enough.
  static constexpr std::uint64_t looks_at_once = 64;

  const mvcc::Store& store_;
  const std::uint64_t keys_max_;
  std::uint64_t keys_ = 0;
};

}  // namespace

std::uint64_t keys_to_look_at(const mvcc::Store& store, const TxnRequest& request, std::uint64_t keys_max) {
  Estimate estimate(store, keys_max);
  estimate.add(request);
  return estimate.keys();
}

Result<PutResponse> put(const State& state, const PutRequest& request) {
  const View view(state.store);
  if (const Refusal refusal = check({view, &state.lessor}, request)) return *refusal;
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

Result<TxnResponse> write_txn(const State& state, const TxnRequest& request, TxnWork& work) {
  const View view(state.store);
  const Result<Path> path = decide_and_check({view, &state.lessor}, request, work);
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

Result<TxnResponse> read_txn(const mvcc::Store& store, const TxnRequest& request, TxnWork& work) {
  const View view(store);
  const Result<Path> path = decide_and_check({view, nullptr}, request, work);
  if (!path) return path.error();
  Path::const_iterator at = path.value().begin();
  TxnResponse response = execute({store, nullptr}, request, at);
  response.revision = store.current_revision();
  return response;
}

}  // namespace metastore::kv
