#include "core/kv/range.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace metastore::kv {
namespace {

using mvcc::Record;

bool has_filters(const RangeRequest& request) {
  return request.min_mod_revision != 0 || request.max_mod_revision != 0 || request.min_create_revision != 0 ||
         request.max_create_revision != 0;
}

bool passes(const RangeRequest& request, Record record) {
  const std::int64_t mod = record.mod_revision().value();
  const std::int64_t create = record.create_revision().value();
  return (request.max_mod_revision == 0 || mod <= request.max_mod_revision) &&
         (request.min_mod_revision == 0 || mod >= request.min_mod_revision) &&
         (request.max_create_revision == 0 || create <= request.max_create_revision) &&
         (request.min_create_revision == 0 || create >= request.min_create_revision);
}

/// How many records to take in key order before filters and sort look at them. Quirk: a sort by something else than
/// the key with no order given sorts these alone, though it needed all.
std::size_t fetch_limit(const RangeRequest& request) {
  const bool in_key_order = request.sort_order == SortOrder::none ||
                            (request.sort_target == SortTarget::key && request.sort_order == SortOrder::ascend);
  if (request.limit <= 0 || !in_key_order || has_filters(request)) return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(request.limit) + 1;  // One more, to know whether there is more.
}

/// Equal ones stay in key order. (Not std::stable_sort: libstdc++'s uses what clang warns of as deprecated.)
template <typename Property>
void sort_by(std::vector<Record>& records, SortOrder order, Property property) {
  // Keys are unique: a total order.
  std::sort(records.begin(), records.end(), [=](Record a, Record b) {
    if (property(a) == property(b)) return a.key() < b.key();
    return (property(a) < property(b)) == (order != SortOrder::descend);
  });
}

void sort(std::vector<Record>& records, const RangeRequest& request) {
  switch (request.sort_target) {
    case SortTarget::key:
      if (request.sort_order == SortOrder::descend) std::reverse(records.begin(), records.end());
      return;
    case SortTarget::version:
      return sort_by(records, request.sort_order, [](Record record) { return record.version(); });
    case SortTarget::create:
      return sort_by(records, request.sort_order, [](Record record) { return record.create_revision(); });
    case SortTarget::mod:
      return sort_by(records, request.sort_order, [](Record record) { return record.mod_revision(); });
    case SortTarget::value:
      return sort_by(records, request.sort_order, [](Record record) { return record.value(); });
  }
  UNREACHABLE();
}

Shown shown(const RangeRequest& request) {
  if (!request.keys_only) return Shown::all;
  // etcd serves keys from its index, which knows no leases, unless the sort needs the values.
  return request.sort_target == SortTarget::value ? Shown::all_but_value : Shown::all_but_value_and_lease;
}

}  // namespace

Result<RangeResponse> range(const View& view, const RangeRequest& request) {
  Revision revision = view.latest;
  if (request.revision > 0) {
    revision = Revision(request.revision);
    if (const Status<> readable = view.store.check_readable(revision); !readable) return readable.error();
  }

  RangeResponse response{.revision = view.header, .shown = shown(request)};
  if (request.count_only) {
    response.count = view.store.count(request.range, revision);
    return response;
  }
  std::vector<Record>& records = response.records;
  if (request.range.is_single()) {
    if (const Record record = view.store.get(request.range.key, revision)) records.push_back(record);
    response.count = records.size();
  } else {
    const std::size_t limit = fetch_limit(request);
    view.store.range(request.range, revision, [&](Record record) {
      records.push_back(record);
      return records.size() < limit;
    });
    response.count = records.size() < limit ? records.size() : view.store.count(request.range, revision);
  }

  if (has_filters(request)) std::erase_if(records, [&](Record record) { return !passes(request, record); });
  sort(records, request);
  if (request.limit > 0 && records.size() > static_cast<std::uint64_t>(request.limit)) {
    records.resize(static_cast<std::size_t>(request.limit));
    response.more = true;
  }
  return response;
}

}  // namespace metastore::kv
