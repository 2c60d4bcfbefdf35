#include "sim/quorum.h"

#include <algorithm>
#include <set>

#include "sim/reorder.h"

namespace metastore::sim {
namespace {

bool is_quorum(const std::set<MemberId>& members, const std::vector<MemberId>& voters) {
  const auto there = std::count_if(voters.begin(), voters.end(), [&](MemberId id) { return members.contains(id); });
  return voters.empty() || static_cast<std::size_t>(there) * 2 > voters.size();
}

}  // namespace

std::vector<std::size_t> draw_dispensable(const std::vector<std::optional<MemberId>>& members,
                                          const std::vector<std::vector<MemberId>>& configurations, Prng& prng) {
  std::set<MemberId> needed;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!members[i]) continue;
    needed.insert(*members[i]);
    order.push_back(i);
  }
  reorder(order, prng);
  std::vector<std::size_t> dispensable;
  for (const std::size_t i : order) {
    if (prng.chance(1, 8)) continue;
    needed.erase(*members[i]);
    if (std::all_of(configurations.begin(), configurations.end(),
                    [&](const std::vector<MemberId>& voters) { return is_quorum(needed, voters); })) {
      dispensable.push_back(i);
    } else {
      needed.insert(*members[i]);
    }
  }
  std::sort(dispensable.begin(), dispensable.end());
  return dispensable;
}

}  // namespace metastore::sim
