#include "core/kv/selection.h"

#include <limits>

namespace metastore::kv {
namespace {

using mvcc::Record;

template <typename Property>
bool precedes_by(SortOrder order, Record a, Record b, Property property) {
  if (property(a) == property(b)) return a.key() < b.key();
  return (property(a) < property(b)) == (order != SortOrder::descend);
}

}  // namespace

bool has_filters(const RangeRequest& request) {
  return request.min_mod_revision != 0 || request.max_mod_revision != 0 || request.min_create_revision != 0 ||
         request.max_create_revision != 0;
}

bool passes(const RangeRequest& request, Record record) {
  if (!has_filters(request)) return true;
  const std::int64_t mod = record.mod_revision().value();
  const std::int64_t create = record.create_revision().value();
  return (request.max_mod_revision == 0 || mod <= request.max_mod_revision) &&
         (request.min_mod_revision == 0 || mod >= request.min_mod_revision) &&
         (request.max_create_revision == 0 || create <= request.max_create_revision) &&
         (request.min_create_revision == 0 || create >= request.min_create_revision);
}

std::uint64_t fetch_limit(const RangeRequest& request) {
  const bool is_natural = request.sort_order == SortOrder::none ||
                          (request.sort_target == SortTarget::key && request.sort_order == SortOrder::ascend);
  if (request.limit <= 0 || !is_natural || has_filters(request)) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(request.limit) + 1;  // One more, to know whether there is more.
}

bool is_in_key_order(const RangeRequest& request) {
  return request.sort_target == SortTarget::key && request.sort_order != SortOrder::descend;
}

bool precedes(const RangeRequest& request, Record a, Record b) {
  const SortOrder order = request.sort_order;
  switch (request.sort_target) {
    case SortTarget::key:
      return precedes_by(order, a, b, [](Record record) { return record.key(); });
    case SortTarget::version:
      return precedes_by(order, a, b, [](Record record) { return record.version(); });
    case SortTarget::create:
      return precedes_by(order, a, b, [](Record record) { return record.create_revision(); });
    case SortTarget::mod:
      return precedes_by(order, a, b, [](Record record) { return record.mod_revision(); });
    case SortTarget::value:
      return precedes_by(order, a, b, [](Record record) { return record.value(); });
  }
  UNREACHABLE();
}

Shown shown(const RangeRequest& request) {
  if (!request.keys_only) return Shown::all;
  // etcd serves keys from its index, which knows no leases, unless the sort needs the values.
  return request.sort_target == SortTarget::value ? Shown::all_but_value : Shown::all_but_value_and_lease;
}

}  // namespace metastore::kv
