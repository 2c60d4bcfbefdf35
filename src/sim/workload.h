// What the clients ask: requests drawn by the plan's mix, over few keys, so that clients meet. Every value is written
// once only, which lets an oracle tell whose write it sees.
#ifndef METASTORE_SIM_WORKLOAD_H_
#define METASTORE_SIM_WORKLOAD_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "core/base/prng.h"
#include "sim/history.h"
#include "sim/plan.h"
#include "sim/traffic.h"

namespace metastore::sim {

/// A revision that no run reaches: asking for it is asking for the future whatever happened unseen.
inline constexpr std::int64_t far_future = 1'000'000'000;
/// Of leases that no run outlives.
inline constexpr std::int64_t long_ttl_seconds = 10'000'000;

class Workload {
 public:
  Workload(const Plan& plan, const History& history)
      : plan_(plan),
        history_(history),
        prng_(plan.seed, "workload"),
        rarities_(plan.seed, "workload rarities"),
        whole_hashes_(plan.seed, "whole hashes"),
        traffic_(plan, history) {}

  Request draw(Instant now);
  /// Lets later transactions compare with what was seen.
  void learn(const Operation& operation);
  const Traffic& traffic() const { return traffic_; }

 private:
  std::string draw_key();
  std::string draw_new_key(std::set<std::string>& used);
  std::string draw_value();
  KeyRange draw_range();
  Get draw_get(bool is_list);
  Comparison draw_comparison();
  Action draw_action(std::set<std::string>& used, bool may_write, bool may_nest);
  Txn draw_txn();
  Compact draw_compact();
  Request draw_malformed();
  Grant draw_grant();
  /// One that was asked for lately, or long ago, or never; 0 if none was.
  std::int64_t draw_lease();
  Put draw_put(std::string key);
  void keep_some(Put& put);
  HashKv draw_hash();
  Request make_room();

  const Plan& plan_;
  const History& history_;
  Prng prng_;
  Prng rarities_;  ///< What few requests ask for besides.
  Prng whole_hashes_;
  std::uint64_t values_ = 0;
  std::int64_t leases_asked_ = 0;
  std::int64_t compacted_ = 0;  ///< Asked for last.
  std::int64_t hashed_ = 0;
  std::uint64_t hashes_left_ = 0;       ///< Of that revision.
  std::uint64_t room_steps_ = 0;        ///< To be done until there is room again.
  std::deque<std::uint64_t> alarming_;  ///< Members that have said that they have no room.
  Traffic traffic_;
  std::int64_t lease_of_txn_ = 0;  ///< All that its puts may name.
  std::map<std::string, KeyValue, std::less<>> seen_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WORKLOAD_H_
