#include <charconv>
#include <string>

#include "core/raft/raft.h"
#include "core/raft/types.h"

namespace metastore::raft {
namespace {

std::string text(std::uint64_t value) { return std::to_string(value); }
std::string text(Term term) { return text(term.value()); }
std::string text(LogIndex index) { return text(index.value()); }
/// A place in the log: index^term.
std::string text(LogIndex index, Term term) { return text(index) + "^" + text(term); }

std::string text(const std::vector<MemberId>& members) {
  std::string line;
  for (const MemberId id : members) line += (line.empty() ? "" : ",") + describe(id);
  return line;
}

std::string text(const std::vector<Entry>& entries) {
  if (entries.empty()) return "nothing";
  std::string line = text(entries.front().index, entries.front().term);
  if (entries.size() > 1) line += ".." + text(entries.back().index, entries.back().term);
  return line;
}

struct MessageText {
  std::string operator()(const VoteRequest& request) {
    return std::string(request.pre_vote ? "pre-vote" : "vote") + "? term=" + text(request.term) +
           " last=" + text(request.last_index, request.last_term) + (request.leader_transfer ? " transfer" : "");
  }
  std::string operator()(const VoteReply& reply) {
    return std::string(reply.pre_vote ? "pre-vote" : "vote") + (reply.granted ? " granted" : " refused") +
           " term=" + text(reply.term) + " campaign_term=" + text(reply.campaign_term);
  }
  std::string operator()(const AppendRequest& request) {
    return "append " + text(request.entries) + " after " + text(request.previous_index, request.previous_term) +
           " term=" + text(request.term) + " commit=" + text(request.commit) + round(request.read_round);
  }
  std::string operator()(const AppendReply& reply) {
    const std::string verdict =
        reply.accepted ? "match=" + text(reply.match_index)
                       : "rejected=" + text(reply.rejected_index) + " hint=" + text(reply.hint_index, reply.hint_term);
    return "appended term=" + text(reply.term) + " " + verdict + round(reply.read_round);
  }
  std::string operator()(const TimeoutNow& order) { return "campaign now! term=" + text(order.term); }
  std::string operator()(const ReadIndexRequest& request) {
    return "read " + text(request.context) + "? term=" + text(request.term);
  }
  std::string operator()(const ReadIndexReply& reply) {
    const std::string verdict = reply.confirmed ? " index=" + text(reply.index) : " refused";
    return "read " + text(reply.context) + " term=" + text(reply.term) + verdict;
  }
  std::string operator()(const ProposalForward& proposal) {
    return "proposal #" + text(proposal.sequence) + " for term=" + text(proposal.term) + " of " +
           text(proposal.data.size()) + " bytes";
  }
  std::string operator()(const ProposalRefused& refusal) {
    return "proposal #" + text(refusal.sequence) + " for term=" + text(refusal.term) +
           " refused: " + std::string(name(refusal.reason));
  }
  std::string operator()(const SnapshotOffer& offer) {
    return "snapshot? of " + text(offer.mark.index, offer.mark.term) + " term=" + text(offer.term) + " " +
           text(offer.size_bytes) + " bytes";
  }
  std::string operator()(const SnapshotReply& reply) {
    return std::string("snapshot ") + (reply.wanted ? "wanted from part " + text(reply.parts) : "not wanted") +
           " term=" + text(reply.term);
  }
  std::string operator()(const SnapshotPart& part) {
    return "snapshot part " + text(part.number) + (part.is_last ? ", the last" : "") + " term=" + text(part.term) +
           " " + text(part.rows.size()) + " bytes";
  }
  std::string operator()(const LeaderCall& call) {
    return std::string(call.method.view()) + " #" + text(call.id) + " for the leader of term=" + text(call.term);
  }
  std::string operator()(const LeaderReply& reply) {
    return "answer #" + text(reply.id) + ": " +
           (reply.ok ? text(reply.message.size()) + " bytes" : std::string(name(reply.error)));
  }
  std::string operator()(const StateHash& state) {
    return "state at " + text(state.index) + " hashes to " + text(state.hash) + " term=" + text(state.term);
  }
  static std::string round(std::uint64_t number) { return number == 0 ? "" : " round=" + text(number); }
};

}  // namespace

std::string describe(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre_candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  UNREACHABLE();
}

std::string describe(MemberId id) {
  char digits[16];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, id.value(), 16).ptr);
}

std::string describe(const Entry& entry) {
  const std::string type = entry.type == EntryType::normal ? "" : " configuration change";
  return text(entry.index, entry.term) + type + " of " + text(entry.data.size()) + " bytes";
}

std::string describe(const HardState& state) {
  return "term=" + text(state.term) + " vote=" + describe(state.vote) + " commit=" + text(state.commit);
}

std::string describe(const ConfState& state) {
  std::string line = "voters=" + text(state.voters);
  if (!state.voters_outgoing.empty()) line += " outgoing=" + text(state.voters_outgoing);
  if (!state.learners.empty()) line += " learners=" + text(state.learners);
  if (!state.learners_next.empty()) line += " learners_next=" + text(state.learners_next);
  return line + (state.auto_leave ? " auto_leave" : "");
}

std::string describe(const LogWrite& write) {
  std::string line = "#" + text(write.id.value());
  if (write.hard_state) line += " " + describe(*write.hard_state);
  if (!write.append.empty()) line += " append " + text(write.append);
  return line;
}

std::string describe(const Envelope& envelope) {
  return describe(envelope.from) + " > " + describe(envelope.to) + " " + std::visit(MessageText{}, envelope.message);
}

}  // namespace metastore::raft
