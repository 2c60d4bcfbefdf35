// One member's whole decision-making as a pure function of its inputs: Raft, the store, what clients wait for. It must
// never touch a clock, a disk, a socket, entropy or a thread; the laws of its boundary stand in effects.h.
#ifndef METASTORE_CORE_REPLICA_REPLICA_H_
#define METASTORE_CORE_REPLICA_REPLICA_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/kv/applier.h"
#include "core/mvcc/hash_scan.h"
#include "core/raft/raft.h"
#include "core/replica/auto_compaction.h"
#include "core/replica/checkpoints.h"
#include "core/replica/config.h"
#include "core/replica/effects.h"
#include "core/replica/input.h"
#include "core/replica/keep_alives.h"
#include "core/replica/large_transactions.h"
#include "core/replica/members.h"
#include "core/replica/membership_changes.h"
#include "core/replica/metrics.h"
#include "core/replica/proposals.h"
#include "core/replica/quota.h"
#include "core/replica/ranges.h"
#include "core/replica/reads.h"
#include "core/replica/snapshot_receiver.h"
#include "core/replica/snapshot_sender.h"
#include "core/replica/state_hashes.h"
#include "core/replica/streams.h"
#include "core/replica/waiting.h"
#include "core/watch/hub.h"

namespace metastore {

/// What a replica says of itself, for health, logs and tests. All of it is state, nothing is assumed.
struct ReplicaStatus {
  MemberId leader;  ///< 0 if none is known.
  bool is_leader = false;
  bool is_learner = false;
  Term term;
  LogIndex commit_index;
  LogIndex applied_index;
  Revision revision;
  std::uint64_t size_in_use_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t quota_bytes = 0;   ///< Negative: none.
  std::vector<kv::Alarm> alarms;  ///< Of all members.
  std::string cluster_version;    ///< Empty until the leader has set it.
  bool is_published = false;      ///< This member's name and client URLs stand in the member table.
  bool is_idle = true;            ///< No request is waiting for its reply.
  bool is_handing_over = false;   ///< It leads until another member has taken over.
};

class Replica {
 public:
  Replica(const Config& config, Recovered recovered, Instant now);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// Appends to `effects` and never clears it; `wake_at` is overwritten by BatchEnded.
  void step(const Input& input, Effects& effects);

  ReplicaStatus status() const;
  ReplicaMetrics metrics() const;
  const Members& members() const { return members_; }
  /// What this member, if it leads, knows of the others.
  std::vector<raft::PeerStatus> peers() const { return raft_.peers(); }
  /// For whoever looks on.
  const raft::Raft& raft() const { return raft_; }
  const mvcc::Store& store() const { return applier_->store(); }
  std::uint64_t proposals_pending() const { return waiting_.proposals(); }
  /// Of the whole replicated state, as far as it is applied.
  std::uint64_t hash() const;
  void check_invariants() const;

 private:
  void on_request(Instant now, const ClientRequest& request, Effects& effects);
  /// `keys`: that it is going to look at.
  void propose(Instant now, const ClientRequest& request, std::uint64_t keys, Effects& effects);
  /// To the log if this member leads, else to the leader, else held until there is one.
  void append(Instant now, Proposal proposal);
  void append_held(Instant now, Effects& effects);
  /// For this member itself. It is under way for as long as the key is waiting.
  Waiting::Key propose_own(Instant now, Bytes command);
  void change_members(Instant now, const ClientRequest& client, const kv::Request& request, Effects& effects);
  void append_change(Instant now, Proposal proposal, Effects& effects);
  /// Whether the table holds all changes that a new one would stand behind. Commands may wait to be applied.
  bool can_judge_changes() const;
  std::optional<ErrorCode> objection_to(BytesView command) const;
  bool is_caught_up(MemberId learner) const;
  /// The table and the configuration name the same voters and learners.
  void check_members() const;
  void on_change_handed(Instant now, MemberId from, const raft::ProposalForward& forward);
  void apply_change(const raft::Entry& entry, std::optional<Waiting::Key> key, Effects& effects);
  /// What only a leader proposes: lost with its leadership.
  void propose_as_leader(Instant now, Bytes command);

  /// Whether what is committed, or what waits for the engine, is so much that nothing more may be proposed.
  bool is_overloaded() const;

  void on_peer_message(Instant now, const raft::Envelope& envelope, Effects& effects);
  void on_proposal(Instant now, MemberId from, const raft::ProposalForward& forward);
  void on_proposal_refused(Instant now, const raft::ProposalRefused& refused, Effects& effects);
  void hand_on(Proposal proposal);
  /// That of `entry` if this run of this member handed it on.
  std::optional<std::uint64_t> own_sequence(const raft::Entry& entry) const;
  void tell_peers(Effects& effects);
  void leave_if_removed(Effects& effects);

  /// To followers that are too far behind for the log, and from a leader for whose log this member is.
  void exchange_snapshots(Instant now, Effects& effects);
  void send_snapshots(Instant now);
  void receive_snapshot(Instant now, Effects& effects);
  void on_image_installed(const ImageInstalled& event, Effects& effects);
  /// Between the mark in the log and the state that it stands for: nothing is applied, and no checkpoint is taken.
  bool is_installing() const { return installs_at_.has_value(); }

  /// What only the leader can answer, for a client of this follower.
  struct LeaderCall {
    Waiting::Key key = 0;
    kv::Method method = kv::Method::lease_time_to_live;
    Bytes message;
    Instant asked_at;
  };
  void ask_leader(LeaderCall call) { uncalled_.push_back(std::move(call)); }
  void call_leader(Instant now);
  Instant call_again_at() const;
  void on_leader_call(Instant now, MemberId from, const raft::LeaderCall& call, Effects& effects);
  void on_leader_reply(const raft::LeaderReply& reply, Effects& effects);
  /// Answers to calls of peers are no answers to clients.
  void answer_peers(Effects& effects);
  void answer_peer(RequestId id, const std::variant<Bytes, ErrorCode>& result, Effects& effects);
  static bool is_of_peer(RequestId id) { return id.value() >> 63 != 0; }

  /// Refuses it once the alarm stands that tells why.
  void refuse_for_space(Instant now, const ClientRequest& client, Effects& effects);
  void on_alarms(const kv::Applied& applied, Effects& effects);
  /// Whether the reply must tell that what was applied is too much; then the alarm that follows is wanted.
  bool exceeds_quota(const kv::Applied& applied, std::uint64_t in_use_bytes, Effects& effects);
  void raise_alarm(Instant now, Effects& effects);
  void answer_out_of_space(Effects& effects);

  /// At a point of the log that the leader has marked.
  void hash_state(LogIndex index);
  /// Marks the points, tells the leader this member's hashes, and raises the alarm for whom they convict.
  void compare_states(Instant now, Effects& effects);
  Instant compare_states_at() const;
  void mark_state_hash_point(Instant now);
  void on_state_hash(MemberId from, const raft::StateHash& state);

  /// Hashes all keys, in slices of later steps.
  void begin_hash_kv(Instant now, const ClientRequest& client, const kv::HashKvRequest& request, Effects& effects);
  void hash_some(Effects& effects);
  void defragment(Instant now, const ClientRequest& client, Effects& effects);
  void on_defragmented(const Defragmented& event, Effects& effects);
  void downgrade(const kv::DowngradeRequest& request, RequestId id, Effects& effects);
  void move_leader(Instant now, const kv::MoveLeaderRequest& request, RequestId id, Instant deadline, Effects& effects);
  void answer_moves(Effects& effects);
  /// Leadership goes to somebody who stays.
  void hand_over(Instant now);
  void publish(Instant now);
  /// Proposes that of all members, if it is newer.
  void decide_cluster_version(Instant now);
  void set_cluster_version(std::string version, Effects& effects);

  void open_stream(const StreamOpened& stream, Effects& effects);
  void on_stream_request(Instant now, const StreamRequest& message, Effects& effects);
  void on_stream_requests_ended(RequestId id, Effects& effects);
  void on_stream_drained(const StreamDrained& event);
  /// Forgets it, whoever served it.
  void close_stream(RequestId id);
  void end_stream(RequestId id, std::optional<ErrorCode> error, Effects& effects);
  void serve_streams(Instant now, Effects& effects);
  /// When streams that require a leader have been without one for too long (contract 1.4).
  Instant no_leader_at() const;

  /// Where the entries of this leader's own term begin: one that tells of a renewal may stand before them.
  void begin_to_count_down(Instant now);
  void stop_counting_down();
  void count_down_leases(Instant now);
  Instant count_down_at(Instant now) const;
  /// With what was left to this member.
  ClientRequest with_lease(const ClientRequest& client, const kv::LeaseGrantRequest& grant);
  LeaseId draw_lease_id();
  void keep_alive(Instant now, const StreamRequest& message, Effects& effects);
  void answer_keep_alives(Instant now, Effects& effects);
  static void send(std::vector<watch::Response> responses, Effects& effects);

  void settle(Instant now, Effects& effects);
  void drain_raft(Effects& effects);
  void refuse_late(Instant now, Effects& effects);
  void apply_committed(Instant now, Effects& effects);
  void apply(Instant now, const raft::Entry& entry, Effects& effects);
  /// `key`: of this member's proposal, if the entry is one.
  void apply_command(Instant now, const raft::Entry& entry, std::optional<Waiting::Key> key, Effects& effects);
  void compact(Instant now, Effects& effects);
  void propose_compaction(Instant now, Effects& effects);
  /// Notes who leads.
  void observe_leader(Instant now);
  /// What a client is told who has waited for too long: why, if this member can guess.
  ErrorCode lateness_of(const Waiting::Expired& expired) const;
  Instant checkpoint_due_at() const;
  void take_checkpoint(Instant now, Effects& effects);
  /// 0 for what is no transaction.
  std::uint64_t keys_of(const kv::Request& request) const;
  /// Lets a read be served, at once or when its turn has come.
  void make_readable(Read read, Effects& effects);
  /// Of large transactions.
  void take_turns(Instant now);
  /// Answers reads that may be answered, as many as one step bears.
  void serve_reads(Instant now, Effects& effects);
  void serve(Instant now, kv::Request request, RequestId id, Instant deadline, Effects& effects);
  /// What cannot be answered by a look at one key.
  void list(kv::Request request, RequestId id, Instant deadline, Effects& effects);
  /// Tells a unary call, or the end of a stream.
  void refuse(RequestId id, ErrorCode error, Effects& effects);
  void answer(Waiting::Key key, std::variant<Bytes, ErrorCode> result, Effects& effects);

  kv::Header header() const;
  std::uint64_t next_proposal_id();
  bool is_learner() const;
  bool is_published() const;

  const Config config_;
  raft::Raft raft_;
  raft::Output raft_output_;
  std::unique_ptr<kv::Applier> applier_;  ///< Replaced by a snapshot alone.
  Members members_;
  Waiting waiting_;
  Reads reads_;
  std::vector<Read> readable_;       ///< Reads that may be answered, in the order of their turns.
  std::size_t readable_served_ = 0;  ///< How many of them have been.
  Ranges ranges_;
  LargeTransactions large_;
  Instant proposed_at_;  ///< When a client last asked for a change.
  Proposals proposals_;
  Checkpoints checkpoints_;
  Streams streams_;
  watch::Hub watches_;
  bool watches_have_more_ = false;
  KeepAlives keep_alives_;
  Term lease_term_;                         ///< In which the leases began to be counted down.
  std::vector<lease::Remaining> restored_;  ///< To be noted, before they are renewed.
  std::uint64_t last_lease_number_ = 0;
  std::optional<Instant> leaderless_since_;

  std::vector<Proposal> held_;     ///< Those that no leader could be given yet.
  std::vector<Proposal> put_off_;  ///< Changes of members that the leader cannot judge before the last one is done.
  Instant put_off_until_;
  Connections connections_;
  /// The newest (incarnation, sequence) of each member's proposals that this leader has seen, in this term.
  std::map<MemberId, std::pair<std::uint64_t, std::uint64_t>> handed_to_me_;
  Term handed_in_;
  std::vector<LeaderCall> uncalled_;
  std::map<std::uint64_t, LeaderCall> calls_;  ///< Under way, in the order of asking.
  std::uint64_t last_call_;
  std::pair<MemberId, Term> called_;  ///< The leader who was asked.
  struct PeerCall {
    MemberId from;
    Term term;
    std::uint64_t id = 0;
  };
  std::map<RequestId, PeerCall> peer_calls_;  ///< Of which this member owes the answers.
  std::uint64_t last_peer_call_ = 0;
  std::map<MemberId, std::uint64_t> called_me_;  ///< The newest call of each member; ids rise from run to run.
  SnapshotSender snapshots_;
  SnapshotReceiver snapshot_;
  std::optional<LogWriteId> installs_at_;  ///< Once this write is durable, the image may take the engine's place.
  bool is_installing_image_ = false;       ///< And it has been told to.
  LogWriteId log_written_;
  std::optional<std::uint64_t> told_members_;  ///< Members::version() when the peers were last told.
  struct PhysicalCompaction {
    Waiting::Key key;
    Bytes reply;
  };
  struct HashKv {
    Waiting::Key key;
    mvcc::HashScan scan;
    Revision current;  ///< When it was asked for.
  };
  struct Move {
    Waiting::Key key = 0;
    MemberId target;
  };
  std::vector<Move> moves_;                  ///< Of leadership, asked for and not done.
  std::vector<Waiting::Key> defragmenting_;  ///< Answered when the engine has rewritten its file.
  bool is_defragmenting_ = false;
  std::deque<HashKv> hashes_;                            ///< Asked for and not finished; one at a time is worked on.
  std::deque<mvcc::HashOfKeys> told_;                    ///< The last ones.
  std::vector<PhysicalCompaction> awaiting_compaction_;  ///< Replies owed once old revisions are gone.

  AutoCompaction auto_compaction_;
  ReplicaCounts counts_;
  MemberId observed_leader_;
  Instant led_since_;  ///< When the last leader was first heard of.
  Revision observed_compaction_;
  Instant compaction_began_;  ///< The one at observed_compaction_.

  LogIndex applied_index_;
  Quota quota_;
  std::vector<Waiting::Key> out_of_space_;  ///< To be told so once the alarm stands.
  bool wants_alarm_ = false;
  std::optional<Waiting::Key> alarm_;            ///< This member's, under way.
  StateHashes state_hashes_;                     ///< What this leader was told.
  std::optional<raft::StateHash> own_hash_;      ///< At the last point.
  std::pair<MemberId, Term> hash_told_;          ///< The leader who was told it.
  LogIndex hashed_at_;                           ///< The last point that was applied.
  std::pair<Term, LogIndex> hash_point_marked_;  ///< The last one that this leader has proposed.
  std::string cluster_version_;
  std::pair<Term, std::uint64_t> version_judged_by_;       ///< The Members::version() of it.
  std::pair<Term, std::string> cluster_version_proposed_;  ///< By this leader, last.
  Waiting::Key publication_ = 0;
  std::uint64_t last_proposal_id_;
  bool said_ready_ = false;
  bool stopping_ = false;
  bool is_expelled_ = false;
  bool has_left_ = false;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_REPLICA_H_
