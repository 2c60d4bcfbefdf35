// Scenarios: runs that are told, not drawn, in the grammar of all scripts of this repository. `cluster` makes the
// members and says how disks and networks are, a deed (deed.h) happens at once, `schedule` lists deeds with their
// times, and `converge` ends all faults and has the whole history judged. What a command prints is its transcript, and
// the file says what it must be. A drawn run that was written down is such a file, and is the same run again.
#ifndef METASTORE_SIM_SCENARIO_H_
#define METASTORE_SIM_SCENARIO_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/deed.h"
#include "sim/plan.h"
#include "sim/simulation.h"

namespace metastore::sim {

struct Command {
  std::vector<std::string> words;  ///< The first is its verb.
  std::string input;               ///< Lines.
  std::string transcript;          ///< That is expected of it, in lines.
  int line = 0;
};

/// What a file says. None if it is no scenario, and then `wrong` says where and why.
std::optional<std::vector<Command>> read_scenario(std::string_view text, std::string& wrong);

/// The lines of a plan that say something else than story_plan().
std::vector<std::string> settings(const Plan& plan);

/// The file of a run with this plan and these deeds, which is expected to pass. `about` is prose, in lines.
std::string scenario_text(std::string_view about, const Plan& plan, const std::vector<Deed>& deeds);
/// The same, of deeds that are written down already, one a line.
std::string scenario_text(std::string_view about, const Plan& plan, std::string_view deeds);
/// Its line.
std::string deed_line(const Deed& deed);

/// The settings and the deeds of a file that has no other commands than those that scenario_text() writes.
struct WrittenRun {
  Plan plan;
  std::vector<Deed> deeds;
};
std::optional<WrittenRun> read_written_run(std::string_view text, std::string& wrong);

/// What stories begin with: nobody asks or fails by itself, and everything takes about a millisecond.
Plan story_plan();

/// Tells one scenario, command by command.
class Story {
 public:
  /// With `noise` other than 0 it takes the place of the file's seed.
  explicit Story(bool is_trace_wanted = false, std::uint64_t noise = 0)
      : is_trace_wanted_(is_trace_wanted), noise_(noise) {}

  /// Its transcript, in lines.
  std::string execute(const std::vector<std::string>& words, std::string_view input);
  /// Null until there is a cluster.
  Simulation* simulation() { return simulation_.get(); }
  const Plan& plan() const { return plan_; }
  bool has_converged() const { return has_converged_; }
  std::string take_trace() { return simulation_ == nullptr ? "" : simulation_->take_trace(); }
  /// Nothing goes on after this time.
  void stop_at(Instant until) { until_ = until; }

 private:
  std::string begin(const std::vector<std::string>& words, std::string_view input);
  std::string schedule(std::string_view input);
  std::string advance(const std::vector<std::string>& words);
  std::string name(const std::vector<std::string>& words);
  std::string status() const;
  std::string converge();
  std::string act(const std::vector<std::string>& words);
  /// What stands for a member: its number, a name that it was given, "leader" (of the latest term), "follower" and
  /// "other" (the first and the second of those that do not lead and are up). "" if there is none.
  std::string number_of(const std::string& word) const;
  /// The words with numbers in place of names. False if a name means nobody.
  bool resolve(std::vector<std::string>& words) const;
  std::string answer_of(std::uint64_t client) const;
  /// False if the run is over or stopped.
  bool step();

  const bool is_trace_wanted_;
  const std::uint64_t noise_;
  Plan plan_;
  std::unique_ptr<Simulation> simulation_;
  std::map<std::string, std::string> names_;  ///< Of members, with their numbers.
  Instant until_ = Instant::never();
  bool has_converged_ = false;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SCENARIO_H_
