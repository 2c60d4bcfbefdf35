// What a run looks like from outside, for a page that shows it: a list of moments, each with what happened to whom, the
// messages with their beginnings and ends, the questions of clients, and how each member's state changed. It watches a
// simulation from step to step and must never change it.
#ifndef METASTORE_SIM_CHRONICLE_H_
#define METASTORE_SIM_CHRONICLE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/host/port/loop.h"
#include "core/replica/effects.h"
#include "core/replica/input.h"
#include "sim/deed.h"

namespace metastore::sim {

class Simulation;
class Machine;

/// What a member is, as its panel shows it.
struct MemberState {
  bool is_up = false;
  std::string role;
  std::uint64_t term = 0;
  std::uint64_t leader = 0;  ///< Its number; 0: none is known.
  std::uint64_t commit = 0;
  std::uint64_t applied = 0;
  std::int64_t revision = 0;
  bool operator==(const MemberState&) const = default;
};
/// `number`: of one of the simulation's machines.
MemberState state_of(const Simulation& simulation, std::uint64_t number);
/// "member 1 leads term=2 leader=1 commit=5 applied=5 revision=3".
std::string describe(std::uint64_t number, const MemberState& state);

/// What a mark on a lane is; the page draws each kind in its way.
enum class MarkKind : std::uint8_t { state, fault, disk, ask, answer, watch, network, note, violation };

/// Something that happened to one.
struct Happening {
  std::size_t moment = 0;
  std::string lane;
  MarkKind kind = MarkKind::note;
  std::string text;
  std::optional<MemberState> state;  ///< Of a member, from here on.
};

/// From one moment on one lane to another.
struct Arrow {
  std::size_t from_moment = 0;
  std::optional<std::size_t> to_moment;  ///< None: it never came.
  std::string from;
  std::string to;
  std::string text;
};

class Chronicle {
 public:
  /// One step of the world that changed something that is told.
  struct Moment {
    Instant at;
    std::uint64_t event = 0;  ///< The world's so manieth.
  };

  /// The member of this number has this id.
  void on_boot(std::uint64_t member, MemberId id) { numbers_[id] = member; }
  /// At the boundary of a member's replica.
  void on_input(std::uint64_t member, const Input& input);
  void on_effects(std::uint64_t member, const Effects& effects);
  void on_deed(const DeedKind& deed);
  /// To be called after each step of the simulation.
  void after_step(const Simulation& simulation);

  /// Whatever is wrong, in words. Simulation's own violation is seen by after_step().
  void on_violation(const std::string& text) { add("network", MarkKind::violation, text); }
  /// In place of after_step(), for a step that did not come to its end.
  void after_death(const Simulation& simulation);

  const std::deque<Moment>& moments() const { return moments_; }
  const std::deque<Happening>& happenings() const { return happenings_; }
  const std::deque<Arrow>& arrows() const { return arrows_; }

 private:
  using Way = std::tuple<std::uint64_t, std::uint64_t, std::string>;

  /// 0: one that never ran.
  std::uint64_t number_of(MemberId id) const {
    const auto found = numbers_.find(id);
    return found == numbers_.end() ? 0 : found->second;
  }
  void add(std::string lane, MarkKind kind, std::string text);
  std::size_t next_moment() const { return moments_.size(); }
  void look_at_members(const Simulation& simulation);
  void look_at_clients(const Simulation& simulation);
  void look_at_watches(const Simulation& simulation);

  std::deque<Moment> moments_;
  std::deque<Happening> happenings_;
  std::deque<Arrow> arrows_;
  std::map<Way, std::deque<std::size_t>> under_way_;  ///< Arrows that have not come.
  std::map<MemberId, std::uint64_t> numbers_;
  std::vector<MemberState> states_;
  std::size_t operations_seen_ = 0;
  std::map<std::size_t, std::size_t> pending_;  ///< The moments in which unanswered questions were asked.
  std::vector<std::size_t> watch_events_seen_;  ///< By session.
  bool has_told_violation_ = false;
  bool has_something_ = false;  ///< Since the last moment.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHRONICLE_H_
