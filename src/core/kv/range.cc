#include "core/kv/range.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/kv/selection.h"

namespace metastore::kv {

using mvcc::Record;

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
    const std::uint64_t limit = fetch_limit(request);
    view.store.range(request.range, revision, [&](Record record) {
      records.push_back(record);
      return records.size() < limit;
    });
    response.count = records.size() < limit ? records.size() : view.store.count(request.range, revision);
  }

  std::erase_if(records, [&](Record record) { return !passes(request, record); });
  if (!is_in_key_order(request)) {
    // Keys are unique: a total order.
    std::sort(records.begin(), records.end(), [&](Record a, Record b) { return precedes(request, a, b); });
  }
  if (request.limit > 0 && records.size() > static_cast<std::uint64_t>(request.limit)) {
    records.resize(static_cast<std::size_t>(request.limit));
    response.more = true;
  }
  return response;
}

}  // namespace metastore::kv
