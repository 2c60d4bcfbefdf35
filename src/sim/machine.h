// One simulated machine: a disk, and on it a member, made of the same archives as in production over simulated ports.
// The member can be booted, asked to stop, killed, or lose its power; everything it steps and wants goes through the
// rolling hash and before the judge.
#ifndef METASTORE_SIM_MACHINE_H_
#define METASTORE_SIM_MACHINE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "server/member.h"
#include "sim/calling.h"
#include "sim/checkers/backlog.h"
#include "sim/checkers/changes.h"
#include "sim/checkers/disks.h"
#include "sim/checkers/leaderless.h"
#include "sim/checkers/matches.h"
#include "sim/courier.h"
#include "sim/door.h"
#include "sim/engine_sim.h"
#include "sim/files_sim.h"
#include "sim/judge.h"
#include "sim/loop_sim.h"
#include "sim/network_sim.h"
#include "sim/plan.h"
#include "sim/rolling_hash.h"
#include "sim/trace_log.h"
#include "sim/world.h"

namespace metastore::sim {

class Chronicle;

/// Of whatever member is on the machine of this number.
std::string peer_url_of(std::uint64_t number);

class Machine final : private port::Supervisor, private port::Observer, private port::TraceSink {
 public:
  /// What all machines of a run share.
  struct Surroundings {
    const Plan& plan;
    World& world;
    NetworkSim& network;
    Judge& judge;
    History& history;
    RollingHash& hash;
    TraceLog& trace;
    Chronicle* chronicle = nullptr;  ///< Nobody reads one, mostly.
  };

  /// `door` is that of its member.
  Machine(const Surroundings& surroundings, Door& door, std::uint64_t number);
  ~Machine() override;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Its member was added to the cluster, and may be started, on a disk of its own. Requires: !is_admitted().
  void admit(MemberId id);
  /// Whom the process is told of when it starts, as an inquiry would tell it.
  void acquaint(std::vector<Peer> others) { acquaintances_ = std::move(others); }
  MemberId id() const { return id_; }
  /// Where its member listens to others.
  std::string peer_url() const { return peer_url_of(number_); }
  /// It has a member, which was not removed yet, or has not heard of it.
  bool is_admitted() const { return is_admitted_; }
  /// Its member was removed, and is asked to stop for good. Requires: !is_down().
  void dismiss();
  /// Its members that were removed, and have stopped for good.
  const std::vector<MemberId>& former() const { return former_; }

  /// Starts the process. Requires: is_down(), is_admitted(), and the power is on. It may be down
  /// again afterwards, if the power went, the disk failed, or because `damaged_path`, a file that is not as it was
  /// written, is refused by name. `configuration`: settings_of().
  void boot(std::string_view damaged_path = "", std::uint64_t configuration = 0);
  /// Asks the process to stop; it goes down by itself once it owes nothing.
  void drain();
  /// The process is gone; what it wrote stays with the operating system.
  void kill();
  void power_off();

  /// Another disk is put in, first an empty one, then the own one again. Requires: is_down().
  void swap_disk();
  bool is_on_own_disk() const { return own_disk_ == nullptr; }
  /// The next job of its disk for the log, or for the engine, takes so much longer. Requires: !is_down().
  void stall(Duration stall, bool is_engine) { (is_engine ? engine_worker_ : worker_)->stall_next(stall); }

  /// The process does nothing for so long; its clock and its system go on. Requires: !is_down().
  void pause(Duration length);
  /// It goes on, if it is paused.
  void resume();
  bool is_paused() const { return paused_at_.has_value(); }
  /// Its people set its wall clock so much forward, or back.
  void jump(Duration by);

  /// To be called after each event: a member that failed or lost its power is cleared away. True if it went down.
  bool settle();
  bool is_down() const { return member_ == nullptr; }
  bool is_draining() const { return is_draining_; }
  /// Whether it has begun to stage or to install a part of a snapshot since it was last asked.
  bool take_image_step() { return std::exchange(has_image_step_, false); }
  /// Whether its log has begun anew, at the mark of a snapshot, since it was last asked.
  bool take_installing() { return std::exchange(has_begun_installing_, false); }
  /// Whether it has begun to lead since it was last asked.
  bool take_leadership() { return std::exchange(has_begun_to_lead_, false); }
  /// What it says to the others is not lost, repeated or late any more.
  void heal() { courier_.heal(); }

  /// Requires: !is_down().
  ReplicaStatus status() const { return member_->replica().status(); }
  /// The newest entry that has left its log. Requires: !is_down().
  LogIndex compacted_index() const { return member_->replica().raft().compacted_index(); }
  /// Requires: !is_down().
  const Members& members() const { return member_->replica().members(); }
  /// The sets of voters that its member may go by now, or when it is started: those of its log and of its table, when
  /// it was last seen.
  std::vector<std::vector<MemberId>> configurations() const;
  /// Whether it has heard of all members' data directories. Requires: !is_down().
  bool knows_all_members() const;
  FilesSim& files() { return disk_->files; }
  bool has_working_disk() const { return files().powered() && !files().has_broken(); }
  const FilesSim& files() const { return disk_->files; }
  /// Of its member, as it says itself: a walk over all that it holds. Requires: !is_down().
  void check_invariants() const { member_->replica().check_invariants(); }
  std::uint64_t boots() const { return boots_; }
  /// Boots that ended before there was a member at all.
  std::uint64_t stillbirths() const { return stillbirths_; }
  std::uint64_t stalls() const { return stalls_; }
  const CourierCounts& messages() const { return courier_.counts(); }
  const EngineCounts& checkpoints() const { return disk_->engines.counts(); }
  const MatchChecker& matches() const { return matches_; }
  /// Answers about changes of members.
  std::uint64_t changes_judged() const { return changes_judged_ + changes_.judged(); }
  const LeaderlessChecker& leaderless() const { return leaderless_; }
  BacklogCounts backlogs() const {
    BacklogCounts all = backlog_counts_;
    return all += backlog_.counts();
  }
  /// How often the member told this fact about itself.
  std::uint64_t told(std::string_view fact) const {
    const auto found = facts_.find(fact);
    return found == facts_.end() ? 0 : found->second;
  }

 private:
  struct Disk {
    Disk(Prng prng, const CrashWeights& weights) : files(prng, weights) {}
    FilesSim files;
    EnginesSim engines{files};
  };

  class Drained final : public port::Task {
   public:
    explicit Drained(bool& is_drained) : is_drained_(is_drained) {}
    void run() override { is_drained_ = true; }

   private:
    bool& is_drained_;
  };

  void member_failed(const port::StorageError& error) override;
  void member_removed() override { dismiss(); }
  void on_input(const Input& input) override;
  void on_effects(const Effects& effects) override;
  void trace(const std::vector<TraceLine>& lines) override;

  server::MemberOptions options(const MemberSettings& settings) const;
  void clear();
  /// What its disk holds, when it has just been started and as it goes.
  void chart_log();
  void chart(const ReplicaStatus& status, const Effects& effects);
  void judge_raft(const ReplicaStatus& status, const Effects& effects);
  void judge_commits(const ReplicaStatus& status);
  /// Requires: chart() was told of this turn.
  void judge_log(const ReplicaStatus& status, const Effects& effects);
  void judge_backlog(const ReplicaStatus& status, const Effects& effects);
  void judge_log_files();
  void judge_hashes(const ReplicaStatus& status, const Effects& effects);
  void hear_of_change(const ClientRequest& request, Instant now);
  void judge_changes(const Effects& effects);
  void judge_streams(const ReplicaStatus& status, const Effects& effects);
  void judge_moves(const ReplicaStatus& status, const Effects& effects);
  /// A compaction that nobody asked for tells the history of itself before it takes anything.
  void announce_compactions(const Effects& effects);

  Surroundings around_;
  Door& door_;
  std::uint64_t number_;
  const std::string name_;
  const std::unique_ptr<port::Network> network_;
  Courier courier_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Disk> own_disk_;  ///< While an empty one is in its place.
  std::unique_ptr<LoopSim> loop_;
  std::unique_ptr<server::LocalMember> member_;
  WorkerSim* worker_ = nullptr;  ///< The member's own, as the next.
  WorkerSim* engine_worker_ = nullptr;
  std::optional<Instant> paused_at_;
  Calling<&Machine::resume> resuming_{*this};
  World::Ticket resumption_;
  Duration jumped_;
  MemberId id_;
  bool is_admitted_ = false;
  std::vector<Peer> acquaintances_;
  bool is_removed_ = false;  ///< In this life.
  bool is_newcomer_;         ///< The cluster did not begin with it.
  std::vector<MemberId> former_;
  bool is_draining_ = false;
  bool has_image_step_ = false;
  bool has_begun_installing_ = false;
  bool has_begun_to_lead_ = false;
  bool is_drained_ = false;
  Drained drained_{is_drained_};
  bool has_failed_ = false;
  std::vector<std::vector<MemberId>> last_configurations_;
  Duration election_timeout_;         ///< In this life.
  std::set<RequestId> hashes_asked_;  ///< Of the whole state, and not answered yet.
  LogIndex committed_;                ///< At the end of its last turn.
  std::vector<Term> risen_;           ///< Scratch: the terms of what is committed since.
  Term led_term_;                     ///< The latest in which this run of its member led.
  MatchChecker matches_;
  ChangeChecker changes_;
  std::uint64_t changes_judged_ = 0;  ///< Of its former runs.
  LeaderlessChecker leaderless_;
  DiskChecker disk_checker_;
  BacklogChecker backlog_;
  BacklogCounts backlog_counts_;  ///< Of its former runs.
  std::uint64_t boots_ = 0;
  std::uint64_t stillbirths_ = 0;
  std::uint64_t stalls_ = 0;
  std::uint64_t turns_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> facts_;
  std::string encoded_;  ///< Scratch.
};

/// The number of the machine whose member leads; of several, that of the latest term. One that is paused may only
/// believe that it leads.
std::optional<std::uint64_t> leading_machine(const std::vector<std::unique_ptr<Machine>>& machines);

/// Of the member that the cluster begins with on the machine of this number.
constexpr MemberId member_id(std::uint64_t number) { return MemberId(0x1000 + number); }

}  // namespace metastore::sim

#endif  // METASTORE_SIM_MACHINE_H_
