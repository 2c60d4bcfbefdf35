#include <charconv>
#include <string>

#include "core/raft/raft.h"
#include "core/raft/types.h"

namespace metastore::raft {
namespace {

void encode(Encoder& out, const std::vector<MemberId>& members) {
  out.u64(members.size());
  for (const MemberId id : members) out.tagged(id);
}

void encode(Encoder& out, const std::vector<Entry>& entries) {
  out.u64(entries.size());
  for (const Entry& entry : entries) raft::encode(out, entry);
}

struct MessageEncoder {
  Encoder& out;

  void operator()(const VoteRequest& request) {
    out.tagged(request.term);
    out.tagged(request.last_index);
    out.tagged(request.last_term);
    out.boolean(request.pre_vote);
    out.boolean(request.leader_transfer);
  }
  void operator()(const VoteReply& reply) {
    out.tagged(reply.term);
    out.tagged(reply.campaign_term);
    out.boolean(reply.pre_vote);
    out.boolean(reply.granted);
  }
  void operator()(const AppendRequest& request) {
    out.tagged(request.term);
    out.tagged(request.previous_index);
    out.tagged(request.previous_term);
    encode(out, request.entries);
    out.tagged(request.commit);
    out.u64(request.read_round);
  }
  void operator()(const AppendReply& reply) {
    out.tagged(reply.term);
    out.boolean(reply.accepted);
    out.tagged(reply.match_index);
    out.tagged(reply.rejected_index);
    out.tagged(reply.hint_index);
    out.tagged(reply.hint_term);
    out.u64(reply.read_round);
  }
};

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
  static std::string round(std::uint64_t number) { return number == 0 ? "" : " round=" + text(number); }
};

}  // namespace

void encode(Encoder& out, const Entry& entry) {
  out.tagged(entry.term);
  out.tagged(entry.index);
  out.u64(static_cast<std::uint64_t>(entry.type));
  out.bytes(entry.data);
}

void encode(Encoder& out, const HardState& state) {
  out.tagged(state.term);
  out.tagged(state.vote);
  out.tagged(state.commit);
}

void encode(Encoder& out, const ConfState& state) {
  encode(out, state.voters);
  encode(out, state.learners);
  encode(out, state.voters_outgoing);
  encode(out, state.learners_next);
  out.boolean(state.auto_leave);
}

ConfState decode_conf_state(Decoder& in) {
  const auto members = [&] {
    std::vector<MemberId> ids;
    for (std::uint64_t count = in.u64(); count > 0 && in.ok(); --count) ids.push_back(in.tagged<MemberId>());
    return ids;
  };
  ConfState state;
  state.voters = members();
  state.learners = members();
  state.voters_outgoing = members();
  state.learners_next = members();
  state.auto_leave = in.boolean();
  return state;
}

void encode(Encoder& out, const LogWrite& write) {
  out.tagged(write.id);
  out.boolean(write.hard_state.has_value());
  if (write.hard_state) encode(out, *write.hard_state);
  encode(out, write.append);
  out.boolean(write.mark.has_value());
  if (write.mark) {
    out.tagged(write.mark->index);
    out.tagged(write.mark->term);
    encode(out, write.mark->conf_state);
  }
  out.tagged(write.release_to);
}

void encode(Encoder& out, const Envelope& envelope) {
  out.tagged(envelope.from);
  out.tagged(envelope.to);
  out.u64(envelope.message.index());
  std::visit(MessageEncoder{out}, envelope.message);
}

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
