#include "core/kv/key_conflicts.h"

#include <algorithm>
#include <compare>
#include <iterator>
#include <map>
#include <set>

namespace metastore::kv {
namespace {

/// A place in the order of keys: `key` itself, or right behind it, where key + "\0" would stand.
struct Bound {
  BytesView key;
  bool behind = false;
  auto operator<=>(const Bound&) const = default;
};

/// Disjoint half-open intervals of keys.
class Intervals {
 public:
  void add(Bound begin, Bound end) {
    if (!(begin < end)) return;
    auto next = ends_.upper_bound(begin);
    if (next != ends_.begin() && begin <= std::prev(next)->second) {
      --next;
      begin = next->first;
    }
    while (next != ends_.end() && next->first <= end) {
      end = std::max(end, next->second);
      next = ends_.erase(next);
    }
    ends_.emplace(begin, end);
  }
  void add(const Intervals& other) {
    for (const auto& [begin, end] : other.ends_) add(begin, end);
  }
  bool contains(BytesView key) const {
    const auto next = ends_.upper_bound(Bound{key});
    return next != ends_.begin() && Bound{key} < std::prev(next)->second;
  }

 private:
  std::map<Bound, Bound> ends_;  ///< By where they begin.
};

struct Changes {
  std::set<BytesView> puts;
  Intervals deletes;

  bool touches(BytesView key) const { return puts.contains(key) || deletes.contains(key); }
  bool touches_any(const std::set<BytesView>& keys) const {
    return std::any_of(keys.begin(), keys.end(), [this](BytesView key) { return touches(key); });
  }
};

/// Collects what `operations` change; false at a conflict.
bool collect(const std::vector<Operation>& operations, Changes& changes) {
  for (const Operation& operation : operations) {
    const auto* request = std::get_if<DeleteRangeRequest>(&operation.request);
    if (request == nullptr) continue;
    const mvcc::KeyRange& range = request->range;
    changes.deletes.add(Bound{range.key}, range.is_single() ? Bound{range.key, true} : Bound{range.end});
  }
  for (const Operation& operation : operations) {
    const auto* txn = std::get_if<TxnRequest>(&operation.request);
    if (txn == nullptr) continue;
    Changes success;
    Changes failure;
    if (!collect(txn->success, success) || !collect(txn->failure, failure)) return false;
    if (changes.touches_any(success.puts) || changes.touches_any(failure.puts)) return false;
    changes.puts.merge(success.puts);
    changes.puts.merge(failure.puts);
    changes.deletes.add(success.deletes);
    changes.deletes.add(failure.deletes);
  }
  for (const Operation& operation : operations) {
    const auto* put = std::get_if<PutRequest>(&operation.request);
    if (put == nullptr) continue;
    if (changes.touches(put->key)) return false;
    changes.puts.insert(put->key);
  }
  return true;
}

}  // namespace

bool changes_a_key_twice(const std::vector<Operation>& operations) {
  Changes changes;
  return !collect(operations, changes);
}

}  // namespace metastore::kv
