// All oracles of one run behind one desk: who saw what is told here, the first violation ends the run, and each oracle
// counts what it judged, so that a table can show which of them had nothing to do.
#ifndef METASTORE_SIM_JUDGE_H_
#define METASTORE_SIM_JUDGE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "sim/checkers/atlas.h"
#include "sim/checkers/commits.h"
#include "sim/checkers/durability.h"
#include "sim/checkers/elections.h"
#include "sim/checkers/hashes.h"
#include "sim/checkers/leases.h"
#include "sim/checkers/locks.h"
#include "sim/checkers/logs.h"
#include "sim/checkers/replay.h"
#include "sim/checkers/replies.h"
#include "sim/checkers/retention.h"
#include "sim/checkers/serializability.h"
#include "sim/checkers/violation.h"
#include "sim/checkers/watches.h"
#include "sim/history.h"
#include "sim/plan.h"

namespace metastore::sim {

inline LeaseTerms lease_terms(const Plan& plan) {
  // A keep-alive that goes by way of a follower may renew its lease again, or only then, when it comes late.
  const Duration underway = plan.machines() == 1 ? Duration() : plan.peers.messages.late_max + plan.peers.cut_max;
  const Duration round_trip = plan.machines() == 1 ? Duration() : plan.peers.network.delay_max * 2;
  return {.is_alone = plan.machines() == 1,
          .clock_pace_ppm = plan.clock_pace_ppm,
          .ttl_seconds_min = shortest_ttl_seconds(plan.election_timeout),
          .grace = election_timeout_max(plan),
          .slack_at_least = plan.election_timeout * 10 + (plan.disk.work_max + plan.disk.stall) * 20 +
                            Duration::seconds(5) + underway,
          // Each may be an entry that a log is told, and a peer, by itself.
          .slack_a_request = plan.disk.work_max + plan.disk.stall + round_trip};
}

class Judge {
 public:
  Judge(const Plan& plan, Duration reply_patience)
      : plan_(plan), reply_patience_(reply_patience), commits_(atlas_, plan.members), lease_terms_(lease_terms(plan)) {}

  void fail(Violation violation) {
    if (!violation_) violation_ = std::move(violation);
  }
  const std::optional<Violation>& violation() const { return violation_; }

  void on_invoked(const Operation& operation) { durability_.on_invoked(operation); }
  void on_returned(const Operation& operation) { take(durability_.on_returned(operation)); }

  /// At the boundary of one replica. Times are the member's.
  ReplyChecker& replies_of(MemberId member) {
    return replies_.try_emplace(member, plan_.limits, reply_patience_).first->second;
  }
  void on_applied(Instant now, std::uint64_t life, LogIndex applied, std::uint64_t hash) {
    take(replay_.on_applied(now, life, applied, hash));
  }
  ReplayChecker& replay() { return replay_; }
  ElectionChecker& elections() { return elections_; }
  Atlas& atlas() { return atlas_; }
  CommitChecker& commits() { return commits_; }
  LogChecker& logs() { return logs_; }
  void on_crash(MemberId member) {
    replies_of(member).on_crash();
    elections_.on_crash(member);
    commits_.on_crash(member);
    logs_.on_crash(member);
    atlas_.on_crash(member);
  }
  void take(std::optional<Violation> violation) {
    if (violation) fail(std::move(*violation));
  }

  /// The whole history, once every revision is settled.
  void conclude(const History& history) {
    Truth truth;
    take(check_serializability(history, plan_.limits.txn_ops_max, serializability_, &truth));
    take(check_watches(watch_sessions_, truth.model, history.newest_compaction(), watches_));
    take(check_leases(history, truth, lease_terms_, leases_));
    take(check_hashes(history, hashes_));
    take(check_locks(history.claims(), truth.model, locks_));
    take(check_retention(history, {plan_.retention_period, plan_.retention_revisions, plan_.clock_pace_ppm}));
  }
  /// The reference stays valid.
  WatchSession& begin_watch(WatchSession session) { return watch_sessions_.emplace_back(std::move(session)); }
  const std::deque<WatchSession>& watch_sessions() const { return watch_sessions_; }
  const LeaseTerms& terms_of_leases() const { return lease_terms_; }
  const WatchCounts& watches() const { return watches_; }
  const LeaseCounts& leases() const { return leases_; }
  const HashCounts& hashes() const { return hashes_; }
  const LockCounts& locks() const { return locks_; }

  const DurabilityChecker& durability() const { return durability_; }
  const ReplayChecker& replay() const { return replay_; }
  const ElectionChecker& elections() const { return elections_; }
  const Atlas& atlas() const { return atlas_; }
  const CommitChecker& commits() const { return commits_; }
  const LogChecker& logs() const { return logs_; }
  std::uint64_t replies_judged() const {
    std::uint64_t judged = 0;
    for (const auto& [member, replies] : replies_) judged += replies.judged();
    return judged;
  }
  const SerializabilityCounts& serializability() const { return serializability_; }

 private:
  const Plan& plan_;
  DurabilityChecker durability_;
  ReplayChecker replay_;
  const Duration reply_patience_;
  std::map<MemberId, ReplyChecker> replies_;
  ElectionChecker elections_;
  Atlas atlas_;
  CommitChecker commits_;
  LogChecker logs_{atlas_};
  SerializabilityCounts serializability_;
  std::deque<WatchSession> watch_sessions_;
  WatchCounts watches_;
  const LeaseTerms lease_terms_;
  LeaseCounts leases_;
  HashCounts hashes_;
  LockCounts locks_;
  std::optional<Violation> violation_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_JUDGE_H_
