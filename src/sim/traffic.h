// An imitation of what Kubernetes asks: transactions that change an object if it is still as it was seen, lists page by
// page at the revision of the first page, watches from there on (watcher.cc), leases on some keys, and every few
// seconds a compaction at what was the newest revision the time before. Source: the storage layer of Kubernetes'
// apiserver (storage/etcd3), its store, its lists and its compactor.
#ifndef METASTORE_SIM_TRAFFIC_H_
#define METASTORE_SIM_TRAFFIC_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/base/prng.h"
#include "core/base/time.h"
#include "sim/history.h"
#include "sim/plan.h"

namespace metastore::sim {

struct TrafficCounts {
  std::uint64_t won = 0;    ///< Optimistic transactions whose object was as it had been seen.
  std::uint64_t lost = 0;   ///< Those that were told how it is instead.
  std::uint64_t pages = 0;  ///< Of lists, but for the first ones.
  std::uint64_t compactions = 0;
};

class Traffic {
 public:
  Traffic(const Plan& plan, const History& history) : plan_(plan), history_(history), prng_(plan.seed, "traffic") {}

  Request draw(Instant now);
  void learn(const Operation& operation);
  /// All objects.
  static KeyRange objects();
  /// Of the latest list that is complete; 0 if there is none.
  std::int64_t listed_revision() const { return listed_revision_; }
  const TrafficCounts& counts() const { return counts_; }

 private:
  Txn draw_update(bool is_deletion);
  Txn take_compactor_turn() const;
  void learn_txn(const Operation& operation, const Txn& txn);
  void learn_list(const Operation& operation, const Get& get);
  void see(const GetReply& reply);

  const Plan& plan_;
  const History& history_;
  Prng prng_;
  std::uint64_t values_ = 0;
  std::map<std::string, std::int64_t, std::less<>> seen_;  ///< The revisions of objects; absent: there is none.
  std::optional<Get> next_page_;
  std::int64_t listed_revision_ = 0;
  Instant compactor_due_;
  std::int64_t compactor_version_ = 0;  ///< Of the key by which one compactor at a time is chosen.
  std::int64_t compactable_ = 0;        ///< The newest revision of its last turn.
  std::int64_t to_compact_ = 0;
  TrafficCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_TRAFFIC_H_
