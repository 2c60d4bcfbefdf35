// The consensus of one member as a pure step function: Raft with pre-vote and check-quorum (Ongaro's thesis, chapters
// 3, 4, 6 and 9.6; etcd's vocabulary). It knows entries as opaque bytes, but reads configuration changes.
// It must never touch a clock, a disk or a socket: time comes in with each call, everything else goes out as Output.
//
//   compacted <= applied <= commit <= last        persisted <= last
//
// Invariants: 1. term and commit never fall. 2. One vote a term. 3. No message but a pre-vote leaves that claims a
// term, a vote or a log position which on_log_written has not confirmed; a leader's own appends may leave while its
// entries are still being written, once its term and vote are durable (thesis 10.2.1, design D8).
#ifndef METASTORE_CORE_RAFT_RAFT_H_
#define METASTORE_CORE_RAFT_RAFT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/trace.h"
#include "core/raft/types.h"

namespace metastore::raft {

struct Config {
  MemberId id;
  std::uint64_t seed = 0;  ///< Of the stream that election deadlines are drawn from.
  Duration heartbeat_interval = Duration::milliseconds(100);
  Duration election_timeout = Duration::milliseconds(1000);  ///< T: a deadline is drawn from [T, 1.2 T).
  bool pre_vote = true;
  Limits limits;
};

/// What the log store found at boot. Entries follow `compacted` without a gap.
struct Recovered {
  HardState hard_state;
  Mark compacted;  ///< Index 0, term 0 and an empty configuration where the log begins at its first entry.
  std::vector<Entry> entries;
};

/// What a leader knows of another member.
struct PeerStatus {
  MemberId id;
  LogIndex match_index;         ///< Durable there and equal to the leader's log.
  LogIndex next_index;          ///< The next entry to be sent.
  Instant heard;                ///< When it last answered in this term; its beginning, if never.
  bool is_snapshotted = false;  ///< It needs entries that have left memory, and gets a snapshot instead.
  bool is_caught_up = false;    ///< A learner that is may be promoted (limits.promotion_lag_entries_max).
  bool operator==(const PeerStatus&) const = default;
};

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

/// A ReadIndex answer: reads that carried `context` may be served once `index` is applied.
struct ReadReady {
  std::uint64_t context = 0;
  LogIndex index;
  bool operator==(const ReadReady&) const = default;
};

/// What one call wants done. Appended to, never cleared.
struct Output {
  std::vector<LogWrite> log_writes;
  std::vector<Envelope> messages;
  std::vector<ReadReady> reads_ready;
  std::vector<std::uint64_t> reads_failed;  ///< Contexts whose leadership ended before they were confirmed.
  std::vector<MemberId> snapshots_wanted;   ///< Peers for on_snapshot_opened(): they cannot catch up from this log.
  std::vector<Envelope> snapshots_offered;  ///< Each a SnapshotOffer of the leader that this member has use for.
  std::vector<TraceLine> trace;
};

std::string describe(Role role);

struct State;

class Raft {
 public:
  Raft(const Config& config, Recovered recovered, Instant now);
  ~Raft();
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  /// Elections, heartbeats and check-quorum: to be called at or after wake_at(). Calling early does nothing.
  void on_woken(Instant now, Output& out);
  /// ProposalForward, ProposalRefused, SnapshotReply, SnapshotPart, LeaderCall, LeaderReply and StateHash are the
  /// replica's to judge: here they change nothing. Requires: `envelope` is for this member and from another one.
  void on_message(Instant now, const Envelope& envelope, Output& out);
  /// All log writes up to `id` are durable here.
  void on_log_written(Instant now, LogWriteId id, Output& out);

  /// Appends an entry of this leader's term. Returns where it will stand if it commits.
  /// Errors: no_leader if !accepts_proposals(); too_many_requests for a configuration change if !accepts_changes():
  /// before the former one, and an entry of this leader's own term, are committed.
  Result<LogIndex> propose(Instant now, EntryType type, Bytes data, Output& out);
  /// Whether this member leads and is not handing over.
  bool accepts_proposals() const;
  /// Whether it accepts configuration changes too.
  bool accepts_changes() const;
  /// Asks that leadership be confirmed for a read (thesis 6.4), of the leader if that is another member; answered in
  /// reads_ready or reads_failed. Contexts rise, across restarts too (design, law 6).
  /// Errors: no_leader if none is known.
  Status<> read_index(Instant now, std::uint64_t context, Output& out);
  /// Writes what has been appended since the last flush as one LogWrite and sends what is owed. The replica calls it
  /// once at the end of a turn, so that a batch of proposals is one write and one message a peer.
  void flush(Instant now, Output& out);

  /// The store has everything up to `index`, and a durable checkpoint everything up to `checkpointed`: those entries
  /// may leave memory (limits.log_entries_kept), and the durable log behind a mark (limits.mark_entries).
  void on_applied(LogIndex index, LogIndex checkpointed);

  /// The leader lets `to` catch up, takes no proposals meanwhile, and tells it to campaign (thesis 3.10). If nobody has
  /// taken over after an election timeout, it goes on leading: transferee() tells. Returns whether that has begun: not
  /// unless this member leads and `to` is another voter.
  bool transfer_leadership(Instant now, MemberId to, Output& out);
  /// To whom leadership is being handed over; 0 if nobody.
  MemberId transferee() const;
  /// The connection to `peer` was refused or reset. A follower forgets a leader that is gone, and asks for pre-votes
  /// after a heartbeat interval; a leader takes what is in flight for lost.
  void on_peer_unreachable(Instant now, MemberId peer, Output& out);

  /// An image of the store as of `index` is about to be sent to a peer of snapshots_wanted: the entries behind it stay
  /// in memory for that peer (limits.log_held_bytes_max). Returns whether it is still wanted.
  bool on_snapshot_opened(MemberId peer, LogIndex index);
  /// The peer says that it has the whole image, or the sending ended without that, or there is no image to send: then
  /// another one is asked for when the peer turns out to need it still.
  void on_snapshot_sent(Instant now, MemberId peer, bool ok);
  /// The image of a snapshot offer is staged here. Replaces the log by `mark`, in a write of its own; once that is
  /// durable the image may be swapped in, followed by on_snapshot_installed(). Until then this member votes but does
  /// not campaign, and what commits behind the mark must wait. Returns that write, or nothing where the log has what
  /// the mark stands for and the image is of no use.
  std::optional<LogWriteId> install_snapshot(Instant now, const Mark& mark, Output& out);
  void on_snapshot_installed();

  Instant wake_at() const;
  Role role() const;
  Term term() const;
  MemberId leader() const;           ///< 0 if none is known.
  LogIndex compacted_index() const;  ///< The newest entry that has left memory.
  LogIndex commit_index() const;
  LogIndex last_index() const;
  LogIndex persisted_index() const;
  const ConfState& conf_state() const;
  /// The newest entry in the log that is no normal one.
  LogIndex conf_index() const;
  /// Requires: `index` lies behind what has left memory and is at most last_index().
  const Entry& entry(LogIndex index) const;

  /// Requires: as entry(), or the newest that has left memory.
  Mark mark_at(LogIndex index) const;

  /// Everybody else in the configuration, by id; empty unless this member leads.
  std::vector<PeerStatus> peers() const;

  /// Asserts everything that must hold between two calls. Bounds: O(members + entries in memory).
  void check_invariants() const;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_RAFT_H_
