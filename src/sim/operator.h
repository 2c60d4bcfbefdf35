// Whoever runs a cluster: asks members to add, promote, update and remove others as the plan says, and starts those who
// were added on machines that stand by. It never waits for an answer: what came of its wishes it reads from the
// members' tables, as somebody who looks at all screens at once would.
#ifndef METASTORE_SIM_OPERATOR_H_
#define METASTORE_SIM_OPERATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/deed.h"
#include "sim/door.h"
#include "sim/history.h"
#include "sim/machine.h"
#include "sim/nemesis.h"
#include "sim/plan.h"
#include "sim/trace_log.h"
#include "sim/world.h"

namespace metastore::sim {

class Operator final : private port::Task {
 public:
  /// The machines and their nemeses, in the order of their numbers, may be made later.
  Operator(const Plan& plan, World& world, History& history, std::vector<std::unique_ptr<Machine>>& machines,
           std::vector<std::unique_ptr<Nemesis>>& nemeses, Doors& doors, TraceLog& trace, DeedLog& deeds);
  ~Operator();
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  void perform(const ChangeMembers& change);
  void perform(const Flood& flood);
  void perform(const Admit& admit);
  /// Asks for nothing more, goes on starting those who were added, however late that is, and stops those who were
  /// removed where nobody is left who could tell them so.
  void retire();
  /// Whoever stands in the table of a member that runs may run, too.
  bool has_admitted_all() const;
  std::uint64_t admitted() const { return admitted_; }
  /// Whether a change that was asked for may still be made.
  bool may_change() const { return world_.now() <= asked_until_; }

 private:
  void run() override;
  template <typename Kind>
  void decide(const Kind& kind);
  /// None where nobody is there whom it could be about.
  std::optional<ChangeMembers> draw_change();
  /// What members that run have in their tables under this machine's URL, and is not its member yet.
  std::optional<MemberId> added_as(const Machine& machine) const;
  /// The machine whose member has come furthest and knows best; null if all are down.
  const Machine* best() const;
  /// Whether it runs, was removed, and all other members that it knows are gone.
  bool is_forlorn(const Machine& machine) const;
  /// Tells those that are down of all who are members now, so that they find somebody when they start.
  void acquaint();

  const Plan& plan_;
  World& world_;
  History& history_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  std::vector<std::unique_ptr<Nemesis>>& nemeses_;
  Doors& doors_;
  TraceLog& trace_;
  DeedLog& deeds_;
  Prng prng_;
  World::Ticket ticket_;
  std::vector<Peer> known_;  ///< All who were members at
  LogIndex known_at_;        ///< the furthest that anybody had applied.
  Instant asked_until_;      ///< The last change may be made until then.
  std::uint64_t changes_left_;
  std::uint64_t admitted_ = 0;
  bool is_retired_ = false;
  bool is_shrinking_ = false;  ///< It would rather remove somebody than add one, for now.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_OPERATOR_H_
