#include "sim/checkers/locks.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

namespace metastore::sim {
namespace {

std::string described(const Claim& claim) {
  return "client " + std::to_string(claim.client) + " was told at revision " + std::to_string(claim.revision) +
         " that it holds " + claim.prefix + " by " + claim.key;
}

}  // namespace

std::optional<Violation> check_locks(const std::vector<Claim>& claims, const Model& truth, LockCounts& counts) {
  std::vector<const Claim*> in_order;
  for (const Claim& claim : claims) in_order.push_back(&claim);
  // A total order: one client is told one thing at a time.
  std::sort(in_order.begin(), in_order.end(), [](const Claim* a, const Claim* b) {
    return std::tie(a->revision, a->at, a->client) < std::tie(b->revision, b->at, b->client);
  });
  std::map<std::string, const Claim*> holders;  // By prefix.
  for (const Claim* claim : in_order) {
    ++counts.claims;
    const KeyValue* const kv = truth.find(claim->key, claim->revision);
    if (kv == nullptr || kv->create_revision != claim->create_revision) {
      return Violation{"locks", claim->at, described(*claim) + ", but that key was gone"};
    }
    const Claim*& holder = holders[claim->prefix];
    const bool is_other =
        holder != nullptr && (holder->key != claim->key || holder->create_revision != claim->create_revision);
    if (is_other && truth.gone_after(holder->key, holder->revision) > claim->revision) {
      return Violation{"locks", claim->at, described(*claim) + ", but " + described(*holder) + ", and still did"};
    }
    if (is_other) ++counts.successions;
    holder = claim;
  }
  return std::nullopt;
}

}  // namespace metastore::sim
