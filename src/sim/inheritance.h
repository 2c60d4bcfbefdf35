// Lets a member be chosen to lead while it installs a snapshot: the moment its log begins anew at the mark, its engine
// stalls for some elections, so that it is soon as good as anybody by its log, and has the former state; then the
// leader is asked to hand over to it, or dies. Meanwhile somebody is added who lacks all that has left the log: whoever
// led without the state would owe him a snapshot of it.
#ifndef METASTORE_SIM_INHERITANCE_H_
#define METASTORE_SIM_INHERITANCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/deed.h"
#include "sim/machine.h"
#include "sim/nemesis.h"
#include "sim/operator.h"
#include "sim/plan.h"
#include "sim/succession.h"
#include "sim/world.h"

namespace metastore::sim {

class Inheritance final : private port::Task {
 public:
  /// The machines and their nemeses, in the order of their numbers, may be made later.
  Inheritance(const Plan& plan, World& world, std::vector<std::unique_ptr<Machine>>& machines,
              std::vector<std::unique_ptr<Nemesis>>& nemeses, Operator& an_operator, Succession& succession,
              DeedLog& deeds);
  ~Inheritance();
  Inheritance(const Inheritance&) = delete;
  Inheritance& operator=(const Inheritance&) = delete;

  /// The log of this machine's member begins anew, at the mark of a snapshot that it has staged.
  void on_installing(std::uint64_t number);
  void retire();
  std::uint64_t begun() const { return begun_; }

 private:
  void run() override;
  void begin();
  /// Somebody who lacks what has left the leader's log, or would if he were added.
  std::optional<std::uint64_t> somebody_behind(std::uint64_t leader) const;
  void look_soon();
  template <typename Kind>
  void note(const Kind& kind);

  const Plan& plan_;
  World& world_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  std::vector<std::unique_ptr<Nemesis>>& nemeses_;
  Operator& operator_;
  Succession& succession_;
  DeedLog& deeds_;
  Prng prng_;
  World::Ticket ticket_;
  std::uint64_t left_;
  std::uint64_t heir_ = 0;      ///< 0: nothing is under way.
  bool has_begun_ = false;      ///< And its engine stalls.
  std::uint64_t newcomer_ = 0;  ///< Who was asked for; 0: nobody.
  bool has_left_ = false;       ///< The leader was asked to hand over, or has died.
  Instant leaves_at_;
  Instant until_;
  std::uint64_t begun_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_INHERITANCE_H_
