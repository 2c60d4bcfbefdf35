// Lets a cluster fall apart into two parties that are each led, and asks both leaders for changes of members: the
// leader is cut off, alone or with a minority; as soon as the others have elected another one, they are torn apart
// again, along another line; then all is whole. A member that has no voter beside it dies instead, just behind its
// change. What becomes of a change that is overwritten, or of two that know nothing of each other, shows in such
// moments only. Source: the bug of single-server changes (Ongaro, raft-dev, 2015-07-10).
#ifndef METASTORE_SIM_SCHISM_H_
#define METASTORE_SIM_SCHISM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/calling.h"
#include "sim/deed.h"
#include "sim/machine.h"
#include "sim/nemesis.h"
#include "sim/operator.h"
#include "sim/partitions.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace metastore::sim {

struct SchismCounts {
  std::uint64_t schisms = 0;
  std::uint64_t led_twice = 0;  ///< Of them, those in which the others elected a leader.
  std::uint64_t torn = 0;       ///< Of these, those in which that one lost some of its party at once.
  std::uint64_t changes = 0;    ///< Asked for meanwhile.
  std::uint64_t floods = 0;     ///< Those in which who was cut off was told more than it can commit.
  std::uint64_t lone = 0;       ///< Deaths of a member that had just been asked for company.
};

class Schism final : private port::Task {
 public:
  /// The machines and their nemeses, in the order of their numbers, may be made later.
  Schism(const Plan& plan, World& world, std::vector<std::unique_ptr<Machine>>& machines,
         std::vector<std::unique_ptr<Nemesis>>& nemeses, Operator& an_operator, Partitions& partitions, DeedLog& deeds);
  ~Schism();
  Schism(const Schism&) = delete;
  Schism& operator=(const Schism&) = delete;

  /// This machine's member begins to lead.
  void on_leader(std::uint64_t number);
  void retire();
  const SchismCounts& counts() const { return counts_; }

 private:
  using Numbers = std::vector<std::uint64_t>;

  void run() override;
  void begin();
  /// The others have a leader, since a moment.
  void go_on();
  void end();
  /// Some changes, mostly about those that the one who is asked does not hear.
  void ask_for_changes(std::uint64_t asked, const Numbers& away);
  std::optional<ChangeMembers> draw_change(std::uint64_t asked, const Numbers& away);
  void flood();
  void strike(std::uint64_t number);
  /// Draws `count` of `numbers` into a party of their own.
  Numbers take_some(Numbers& numbers, std::uint64_t count);
  void wait(Duration longest);
  /// Whether who was cut off needs a snapshot by now.
  bool is_left_behind() const;
  template <typename Kind>
  void note(const Kind& kind);

  const Plan& plan_;
  World& world_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  std::vector<std::unique_ptr<Nemesis>>& nemeses_;
  Operator& operator_;
  Partitions& partitions_;
  DeedLog& deeds_;
  Prng prng_;
  Prng floods_;
  Calling<&Schism::go_on> going_on_{*this};
  World::Ticket ticket_;
  World::Ticket continuation_;
  std::uint64_t left_;
  std::uint64_t deposed_ = 0;  ///< Who led before the schism that is under way; 0: none is.
  std::uint64_t elected_ = 0;  ///< Who led the others since.
  bool is_removing_ = false;   ///< Both are asked for removals.
  bool is_short_ = false;      ///< It ends as soon as who was cut off is left behind.
  Instant until_;
  SchismCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SCHISM_H_
