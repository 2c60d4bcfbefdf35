#include "core/raft/replication.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/raft/election.h"
#include "core/raft/handover.h"
#include "core/raft/snapshot.h"

namespace metastore::raft {
namespace {

/// Keeps a Peer for everybody in the configuration that rules now, and for nobody else.
void track_members(State& state) {
  std::map<MemberId, Peer>& peers = state.leading().peers;
  const std::vector<MemberId> members = all_members(state.conf());
  std::erase_if(peers, [&members](const auto& peer) { return !contains(members, peer.first); });
  for (const MemberId id : members) {
    if (id != state.config.id) peers.try_emplace(id, Peer{Progress(state.log.last_index().next()), state.now});
  }
}

void trace_configuration(const State& state, std::string_view fact, Output& out) {
  trace(out, TraceLevel::info, fact, {{"index", state.membership.index()}, {"conf_state", describe(state.conf())}});
}

void append(State& state, Entry entry, Output& out) {
  const bool is_other_conf = state.membership.append(entry);
  state.log.append(std::move(entry));
  if (is_other_conf) trace_configuration(state, "configuration change in the log -> it rules", out);
}

/// A follower's log gives way to the leader's from `first` on.
void truncate_from(State& state, LogIndex first, Output& out) {
  trace(out, TraceLevel::info, "entries differ from the leader's -> replace them",
        {{"first", first}, {"last", state.log.last_index()}, {"term", state.term}});
  ASSERT(first > state.commit);
  state.log.truncate_from(first);
  if (state.membership.truncate_from(first)) {
    trace_configuration(state, "configuration change replaced -> the former one rules", out);
  }
}

/// What a committed configuration asks of its leader, whoever proposed it: to leave a joint one, or to go if it is not
/// in it (thesis 4.2.2, 4.3).
void settle_configuration(State& state, Output& out) {
  if (state.membership.index() > state.commit) return;
  const ConfState& conf = state.conf();
  if (!conf.voters_outgoing.empty()) {
    if (conf.auto_leave) append_own(state, EntryType::conf_change_v2, Bytes(), out);
  } else if (!is_voter(conf, state.config.id)) {
    trace(out, TraceLevel::info, "committed configuration without this leader -> step down", {{"term", state.term}});
    hand_over_to_best(state, out);
    become_follower(state, state.term, MemberId(), out);
  }
}

/// The quorum of the former configuration commits a change of one member too, though nothing behind it: every quorum of
/// the one that follows meets it, and no log without the change is elected any more. So a member that is alone can be
/// given company that has not started yet (docs/decisions/0005). Null if there is no such change, or it is committed.
const ConfState* former_of_simple_change(const State& state) {
  if (state.membership.index() <= state.commit) return nullptr;
  const ConfState* former = state.membership.former();
  const bool is_simple = former != nullptr && former->voters_outgoing.empty() && state.conf().voters_outgoing.empty();
  return is_simple && !former->voters.empty() ? former : nullptr;
}

void reject(State& state, MemberId from, const AppendRequest& request, Output& out) {
  AppendReply reply{.term = state.term, .rejected_index = request.previous_index};
  // A round of a former term says nothing about who leads this one, even if that is the same member.
  if (request.term == state.term) reply.read_round = request.read_round;
  reply.hint_index =
      state.log.newest_not_above(std::min(request.previous_index, state.log.last_index()), request.previous_term);
  reply.hint_term = state.log.term_at(reply.hint_index);
  trace(out, TraceLevel::debug, "append does not fit the log -> reject",
        {{"previous_index", request.previous_index}, {"hint_index", reply.hint_index}});
  send(state, from, reply, state.vote_write, out);
}

/// What an append without entries claims the peer to hold. It may overtake entries on their way, so it claims no more
/// than what is known, and is refused by nobody who is merely behind. But entries that get no answer for an election
/// timeout may be lost: then it claims those too, and a refusal tells.
LogIndex claimed(const State& state, const Peer& peer) {
  const Progress& progress = peer.progress;
  const LogIndex match = progress.match_index();
  const bool is_known = match != LogIndex() && match >= state.log.compacted();
  const bool is_overdue = state.now >= peer.moved_at + state.config.election_timeout;
  const bool claims_all = progress.mode() != Progress::Mode::replicate || !is_known || is_overdue;
  return claims_all ? progress.next_index().previous() : match;
}

void send_append(State& state, MemberId to, Peer& peer, std::vector<Entry> entries, Output& out) {
  const LogIndex previous = entries.empty() ? claimed(state, peer) : peer.progress.next_index().previous();
  if (!entries.empty()) {
    if (!peer.progress.has_in_flight()) peer.moved_at = state.now;
    std::uint64_t bytes = 0;
    for (const Entry& entry : entries) bytes += size_bytes(entry);
    peer.progress.on_sent(entries.back().index, bytes);
  }
  peer.commit_sent = state.commit;
  peer.round_sent = state.leading().reads.number();
  peer.is_owed = false;
  send(state, to,
       AppendRequest{state.term, previous, state.log.term_at(previous), std::move(entries), state.commit,
                     peer.round_sent},
       state.vote_write, out);
}

void send_to(State& state, MemberId id, Peer& peer, Output& out) {
  peer.progress.on_compacted(state.log.compacted());
  const std::uint64_t window = state.config.limits.append_window_bytes_max;
  bool has_sent = false;
  while (peer.progress.next_index() <= state.log.last_index() && peer.progress.can_send_entries(window)) {
    send_append(state, id, peer,
                state.log.slice(peer.progress.next_index(), state.config.limits.append_message_bytes_max), out);
    has_sent = true;
  }
  const bool has_news = peer.commit_sent < state.commit && peer.progress.can_send_entries(window);
  const bool has_round = peer.round_sent < state.leading().reads.number();
  if (!has_sent && (peer.is_owed || has_news || has_round)) send_append(state, id, peer, {}, out);
}

}  // namespace

void open_term(State& state, Output& out) {
  state.leadership = Leadership{.first_index = state.log.last_index().next(),
                                .heartbeat_at = state.now + state.config.heartbeat_interval};
  track_members(state);
  append_own(state, EntryType::normal, Bytes(), out);
}

LogIndex append_own(State& state, EntryType type, Bytes data, Output& out) {
  const LogIndex index = state.log.last_index().next();
  append(state, Entry{state.term, index, type, std::move(data)}, out);
  if (type != EntryType::normal) track_members(state);
  return index;
}

void on_append_request(State& state, MemberId from, const AppendRequest& request, Output& out) {
  if (request.term < state.term) return reject(state, from, request, out);
  hear_leader(state, from, request.term, out);

  // What is committed here is in every later leader's log (thesis 3.6.3), whether or not it is still in memory.
  const bool is_known = request.previous_index < state.commit;
  if (!is_known && !state.log.matches(request.previous_index, request.previous_term)) {
    return reject(state, from, request, out);
  }
  for (const Entry& entry : request.entries) {
    if (entry.index <= state.commit || state.log.matches(entry.index, entry.term)) continue;
    if (entry.index <= state.log.last_index()) truncate_from(state, entry.index, out);
    append(state, entry, out);
  }
  const LogIndex last = request.previous_index.plus(request.entries.size());
  state.agreed = std::max(state.agreed, last);
  // What is told may have overtaken the entries that it tells of.
  state.commit_told = std::max(state.commit_told, request.commit);
  state.commit = std::max(state.commit, std::min(state.commit_told, state.agreed));

  AppendReply reply{.term = state.term, .accepted = true, .read_round = request.read_round};
  LogWriteId write = state.vote_write;
  if (request.entries.empty()) {
    // A heartbeat does not wait for the disk: it acknowledges what is durable already.
    reply.match_index = std::min(std::max(state.agreed, state.commit), state.log.persisted());
  } else {
    reply.match_index = std::max(last, state.commit);
    write = std::max(write, state.log.write_of(reply.match_index, state.outbox.next_write()));
  }
  send(state, from, reply, write, out);
}

void on_append_reply(State& state, MemberId from, const AppendReply& reply, Output& out) {
  if (reply.term > state.term) {
    trace(out, TraceLevel::info, "higher term in an append reply -> follow it", {{"from", from}, {"term", reply.term}});
    return become_follower(state, reply.term, MemberId(), out);
  }
  if (state.role != Role::leader || reply.term < state.term) return;
  const auto found = state.leading().peers.find(from);
  if (found == state.leading().peers.end()) return;
  Peer& peer = found->second;
  peer.heard = state.now;
  peer.round_echoed = std::max(peer.round_echoed, reply.read_round);
  if (reply.accepted) {
    ASSERT(reply.match_index <= state.log.last_index());
    if (reply.match_index > peer.progress.match_index()) peer.moved_at = state.now;
    peer.progress.on_accepted(reply.match_index);
    hold_behind_snapshot(state, peer);
    return advance_commit(state, out);
  }
  if (peer.progress.mode() == Progress::Mode::snapshot) {
    if (state.now >= peer.snapshot_lost_at) want_snapshot(state, from, peer, out);
    return;
  }
  const LogIndex hint = state.log.newest_not_above(reply.hint_index, reply.hint_term);
  if (!peer.progress.on_rejected(reply.rejected_index, hint)) return;
  if (peer.progress.next_index() > state.log.compacted()) {
    peer.is_owed = true;
  } else {
    want_snapshot(state, from, peer, out);
  }
}

void advance_commit(State& state, Output& out) {
  const auto match_index = [&state](MemberId id) {
    if (id == state.config.id) return state.log.persisted();
    const auto peer = state.leading().peers.find(id);
    return peer == state.leading().peers.end() ? LogIndex() : peer->second.progress.match_index();
  };
  LogIndex reached = reached_by_quorum(state.conf(), match_index);
  if (const ConfState* former = former_of_simple_change(state)) {
    reached = std::max(reached, std::min(state.membership.index(), reached_by_quorum(*former, match_index)));
  }
  if (reached <= state.commit || reached < state.leading().first_index) return;
  state.commit = reached;
  settle_configuration(state, out);
}

void advance_reads(State& state, Output& out) {
  Leadership& leading = state.leading();
  const auto confirm = [&state, &leading, &out] {
    const std::uint64_t echoed = reached_by_quorum(state.conf(), [&state, &leading](MemberId id) {
      return id == state.config.id ? leading.reads.number() : leading.peers.at(id).round_echoed;
    });
    for (const ReadAsked& read : leading.reads.confirm(echoed)) {
      if (read.by == state.config.id) {
        out.reads_ready.push_back({read.context, leading.reads.index()});
      } else {
        send(state, read.by, ReadIndexReply{state.term, read.context, true, leading.reads.index()}, state.vote_write,
             out);
      }
    }
  };
  confirm();
  if (!leading.reads.can_begin() || state.commit < leading.first_index) return;
  leading.reads.begin(state.commit);
  confirm();
}

void send_appends(State& state, Output& out) {
  ASSERT(state.vote_write <= state.outbox.durable());
  for (auto& [id, peer] : state.leading().peers) send_to(state, id, peer, out);
}

}  // namespace metastore::raft
