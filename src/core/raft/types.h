// Raft's nouns: entries, hard state, configuration, log writes, messages. Plain values; an entry's data is opaque here.
// Numbers of enumerators are those of etcd's raftpb, since they stand in the WAL.
#ifndef METASTORE_CORE_RAFT_TYPES_H_
#define METASTORE_CORE_RAFT_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/encoder.h"
#include "core/base/error.h"
#include "core/base/tagged.h"

namespace metastore::raft {

enum class EntryType : std::uint8_t { normal = 0, conf_change = 1, conf_change_v2 = 2 };

struct Entry {
  Term term;
  LogIndex index;
  EntryType type = EntryType::normal;
  Bytes data;  ///< Empty for the entry with which a leader opens its term.
  bool operator==(const Entry&) const = default;
};

/// What must be durable before anything that claims it is sent (thesis 3.8).
struct HardState {
  Term term;
  MemberId vote;  ///< 0: nobody in this term.
  LogIndex commit;
  bool operator==(const HardState&) const = default;
};

/// The members that count, each list sorted by id. `voters_outgoing` is empty outside a joint configuration.
struct ConfState {
  std::vector<MemberId> voters;
  std::vector<MemberId> learners;
  std::vector<MemberId> voters_outgoing;
  std::vector<MemberId> learners_next;
  bool auto_leave = false;
  bool operator==(const ConfState&) const = default;
};

/// A point of the log that a checkpoint or a snapshot stands for.
struct Mark {
  LogIndex index;
  Term term;
  ConfState conf_state;
  bool operator==(const Mark&) const = default;
};

/// One atomic step of the durable log. An appended index replaces all entries at and after it. Writes are executed in
/// the order of their ids; several may share one fdatasync.
struct LogWrite {
  LogWriteId id;
  std::optional<HardState> hard_state;
  std::vector<Entry> append;  ///< Consecutive indexes.
  std::optional<Mark> mark;   ///< The log's past up to here is in a durable checkpoint: written behind `append`.
  LogIndex release_to;        ///< Once this write is durable, segments that only hold entries up to here may go.
  bool operator==(const LogWrite&) const = default;
};

struct VoteRequest {
  Term term;  ///< The term campaigned for; with pre_vote the term that would be.
  LogIndex last_index;
  Term last_term;
  bool pre_vote = false;
  bool leader_transfer = false;  ///< Overrides the vote refusal while a leader is alive (thesis 4.2.3).
  bool operator==(const VoteRequest&) const = default;
};

struct VoteReply {
  Term term;
  Term campaign_term;  ///< Of the request that is answered, so that a late grant counts for no other campaign.
  bool pre_vote = false;
  bool granted = false;
  bool operator==(const VoteReply&) const = default;
};

struct AppendRequest {
  Term term;
  LogIndex previous_index;
  Term previous_term;
  std::vector<Entry> entries;
  LogIndex commit;
  std::uint64_t read_round = 0;  ///< The leader's newest ReadIndex round (thesis 6.4), to be echoed.
  bool operator==(const AppendRequest&) const = default;
};

struct AppendReply {
  Term term;
  bool accepted = false;
  LogIndex match_index;     ///< If accepted: durable here and equal to the leader's up to this index.
  LogIndex rejected_index;  ///< If not: the previous_index that did not match.
  LogIndex hint_index;      ///< If not: the newest index that may match.
  Term hint_term;           ///< If not: the term at hint_index.
  std::uint64_t read_round = 0;
  bool operator==(const AppendReply&) const = default;
};

/// The leader asks its successor to campaign at once (thesis 3.10).
struct TimeoutNow {
  Term term;  ///< Of the leader that hands over.
  bool operator==(const TimeoutNow&) const = default;
};

/// A follower asks the leader of `term` from which index on its reads are current (thesis 6.4).
struct ReadIndexRequest {
  Term term;
  std::uint64_t context = 0;  ///< The newest read that is asked for: the answer stands for all before it too.
  bool operator==(const ReadIndexRequest&) const = default;
};

struct ReadIndexReply {
  Term term;  ///< Of the question.
  std::uint64_t context = 0;
  bool confirmed = false;  ///< If not: the asked member does not lead that term.
  LogIndex index;          ///< If confirmed.
  bool operator==(const ReadIndexReply&) const = default;
};

/// A proposal handed to the leader of `term`, and to no other (design, law 5). Raft carries it; the replica judges it.
struct ProposalForward {
  Term term;
  std::uint64_t incarnation = 0;
  std::uint64_t sequence = 0;  ///< Rises with each proposal of one incarnation: a lower one is late or a copy.
  EntryType type = EntryType::normal;
  Bytes data;
  bool operator==(const ProposalForward&) const = default;
};

/// The proposal was not appended and never will be.
struct ProposalRefused {
  Term term;  ///< For which it was meant.
  std::uint64_t incarnation = 0;
  std::uint64_t sequence = 0;
  ErrorCode reason = ErrorCode::no_leader;
  bool operator==(const ProposalRefused&) const = default;
};

/// The leader has an image of its store for a peer that needs entries which have left memory (thesis 5).
struct SnapshotOffer {
  Term term;
  Mark mark;                     ///< What the image stands for.
  std::uint64_t image = 0;       ///< Names the image, so that a broken stream can be taken up again.
  std::uint64_t size_bytes = 0;  ///< About; for people.
  bool operator==(const SnapshotOffer&) const = default;
};

struct SnapshotReply {
  Term term;  ///< Of the offer, if it is wanted; else of who does not want it.
  std::uint64_t image = 0;
  bool wanted = false;
  std::uint64_t parts = 0;        ///< If wanted: how many of its parts are durable here.
  std::uint64_t incarnation = 0;  ///< If wanted: of the run of the member that holds them; the next begins anew.
  bool operator==(const SnapshotReply&) const = default;
};

/// A question that only the leader of `term` can answer, on behalf of a client of this follower. Raft carries it.
struct LeaderCall {
  Term term;
  std::uint64_t id = 0;  ///< Rises with each of a member's, across its restarts.
  Bytes method;          ///< Its name.
  Bytes message;
  bool operator==(const LeaderCall&) const = default;
};

struct LeaderReply {
  Term term;
  std::uint64_t id = 0;
  bool ok = false;
  ErrorCode error = ErrorCode::no_leader;  ///< If not ok.
  Bytes message;                           ///< If ok.
  bool operator==(const LeaderReply&) const = default;
};

/// What a member's state is once it has applied the entry at `index`, told to the leader of `term`. Raft carries it.
struct StateHash {
  Term term;
  LogIndex index;
  std::uint64_t hash = 0;
  bool operator==(const StateHash&) const = default;
};

/// One part of an image that was offered and is wanted. Raft carries it; what the rows are, the replica knows.
struct SnapshotPart {
  Term term;  ///< Of the offer.
  std::uint64_t image = 0;
  std::uint64_t number = 0;  ///< From 0 on.
  bool is_last = false;
  std::uint64_t checksum = 0;    ///< Of the rows of all parts up to this one.
  std::uint64_t state_hash = 0;  ///< If it is the last: of the state that the rows make.
  Bytes rows;
  bool operator==(const SnapshotPart&) const = default;
};

/// New alternatives go to the end: their place is their number on the wire.
using Message = std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, TimeoutNow, ReadIndexRequest,
                             ReadIndexReply, ProposalForward, ProposalRefused, SnapshotOffer, SnapshotReply, LeaderCall,
                             LeaderReply, StateHash, SnapshotPart>;

struct Envelope {
  MemberId from;
  MemberId to;
  Message message;
  bool operator==(const Envelope&) const = default;
};

void encode(Encoder& out, const Entry& entry);
void encode(Encoder& out, const HardState& state);
void encode(Encoder& out, const ConfState& state);
void encode(Encoder& out, const LogWrite& write);
/// What encode() wrote; whether it was whole, the decoder tells.
ConfState decode_conf_state(Decoder& in);
void encode(Encoder& out, const Envelope& envelope);
/// Nothing if `bytes` are not exactly what encode() writes for one envelope, or say what no correct member does:
/// entries that do not follow one another, terms and indexes near the end of their integers. The entries own their
/// data. Bounds: time and memory in proportion to the bytes, whatever counts and lengths they claim.
std::optional<Envelope> decode_envelope(BytesView bytes);

/// In hexadecimal, as etcd prints members.
std::string describe(MemberId id);
std::string describe(const Entry& entry);
std::string describe(const HardState& state);
std::string describe(const ConfState& state);
std::string describe(const LogWrite& write);
std::string describe(const Envelope& envelope);

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_TYPES_H_
