// The whole state of one member's consensus, shared by the files that step it: raft.cc dispatches, election.cc and
// replication.cc hold the rules, invariants.cc checks them. Nobody outside of this folder sees it.
#ifndef METASTORE_CORE_RAFT_STATE_H_
#define METASTORE_CORE_RAFT_STATE_H_

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/prng.h"
#include "core/raft/log.h"
#include "core/raft/membership.h"
#include "core/raft/outbox.h"
#include "core/raft/progress.h"
#include "core/raft/quorum.h"
#include "core/raft/raft.h"
#include "core/raft/read_index.h"

namespace metastore::raft {

/// What a leader keeps for another member.
struct Peer {
  Progress progress;
  Instant heard;                   ///< When it last answered in this term.
  Instant moved_at = {};           ///< When it last had acknowledged all that it was sent, or a part of that.
  LogIndex commit_sent;            ///< The newest commit index that it was told.
  std::uint64_t round_sent = 0;    ///< The newest ReadIndex round that it was told,
  std::uint64_t round_echoed = 0;  ///< and that it answered.
  bool is_owed = true;             ///< A message is due though there may be nothing new: a heartbeat or a probe.
  /// Of the image under way to it, or behind that what it has come to: what follows stays in memory; 0 if nothing need.
  LogIndex snapshot_index = {};
  /// When an image that it has, and has not acknowledged until then, counts as lost.
  Instant snapshot_lost_at = Instant::never();
};

/// Leadership on its way to another member (thesis 3.10).
struct Handover {
  MemberId to;
  Instant ends_at;       ///< When this member gives up and goes on leading.
  bool is_told = false;  ///< To campaign; it is told again with each heartbeat.
};

/// What exists only while this member leads.
struct Leadership {
  LogIndex first_index;  ///< The empty entry that opened the term: nothing is committed by counting before it.
  Instant heartbeat_at;
  std::map<MemberId, Peer> peers;
  ReadRounds reads;
  std::optional<Handover> handover;
};

struct State {
  State(const Config& config_, Recovered recovered, Instant now_);

  const Config config;
  Prng deadlines;
  Instant now;  ///< Of the call that is under way.

  Role role = Role::follower;
  Term term;
  MemberId vote;
  LogIndex commit;
  MemberId leader;
  LogIndex agreed;       ///< Up to here the log is known to be that of this term's leader; by one who follows it.
  LogIndex commit_told;  ///< By that leader, who may be ahead of what has come from it.
  Log log;
  Membership membership;

  Outbox outbox;
  LogWriteId vote_write;         ///< The write that makes term, vote and an installed mark durable.
  HardState written_hard_state;  ///< What the newest write holds.
  LogIndex marked;               ///< Of the newest mark.

  Instant election_deadline;
  Instant leader_heard;            ///< By a follower, from `leader`.
  std::map<MemberId, bool> votes;  ///< Of a candidate or pre-candidate.
  std::optional<Leadership> leadership;
  ForwardedReads forwarded_reads;
  bool is_installing = false;  ///< The log begins at the mark of a snapshot that is not in the store yet.

  /// Requires: role == Role::leader.
  Leadership& leading() { return *leadership; }
  const ConfState& conf() const { return membership.current(); }
  bool is_only_voter() const;
  /// Whoever was the only voter has committed what gave it company once that is durable, though it may have stepped
  /// down before it could note that: without that the company never starts, and nobody has its vote.
  void commit_own_company();
  /// Changes to term and vote become durable with the next write.
  void set_term_and_vote(Term new_term, MemberId new_vote);
};

/// Sends `message` once `write` is durable here.
void send(State& state, MemberId to, Message message, LogWriteId write, Output& out);

/// A trace field of one of our own types; a member's id is text, as etcd prints it.
struct Field : TraceField {
  Field(std::string_view key_, Term term) : TraceField{key_, term.value()} {}
  Field(std::string_view key_, LogIndex index) : TraceField{key_, index.value()} {}
  Field(std::string_view key_, MemberId id) : TraceField{key_, describe(id)} {}
  Field(std::string_view key_, std::string text) : TraceField{key_, std::move(text)} {}
};

void trace(Output& out, TraceLevel level, std::string_view fact, std::initializer_list<Field> fields);

/// Invariants 1 to 3 of raft.h and those of every part.
void check_invariants(const State& state);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_STATE_H_
