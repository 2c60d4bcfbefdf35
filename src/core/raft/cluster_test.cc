#include "core/raft/cluster_test.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/raft/quorum.h"

namespace metastore::raft {

const Entry* Disk::entry(LogIndex index) const {
  return index <= mark.index || index > last_index() ? nullptr : &entries[index.value() - mark.index.value() - 1];
}

bool Disk::holds(const Entry& wanted) const {
  const Entry* held = entry(wanted.index);
  return wanted.index <= mark.index || (held != nullptr && *held == wanted);
}

void Disk::apply(const LogWrite& write) {
  if (write.hard_state) hard_state = *write.hard_state;
  if (!write.append.empty()) {
    ASSERT(write.append.front().index > mark.index);
    ASSERT(write.append.front().index <= last_index().next());
    entries.resize(write.append.front().index.value() - mark.index.value() - 1);
    entries.insert(entries.end(), write.append.begin(), write.append.end());
  }
  if (!write.mark) return;
  ASSERT(write.mark->index > mark.index);
  const Entry* marked = entry(write.mark->index);
  const bool is_held = marked != nullptr && marked->term == write.mark->term;
  const std::uint64_t dropped = is_held ? write.mark->index.value() - mark.index.value() : entries.size();
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(dropped));
  mark = *write.mark;
}

std::string status_text(const Node& node) {
  if (node.raft == nullptr) return describe(node.config.id) + " is down, disk " + describe(node.durable.hard_state);
  const Raft& raft = *node.raft;
  return describe(node.config.id) + " " + describe(raft.role()) + " term=" + std::to_string(raft.term().value()) +
         " leader=" + describe(raft.leader()) + " commit=" + std::to_string(raft.commit_index().value()) +
         " last=" + std::to_string(raft.last_index().value()) +
         " durable=" + std::to_string(node.durable.last_index().value()) + " " + describe(raft.conf_state());
}

std::string log_text(const Node& node) {
  std::string row = describe(node.config.id) + (node.raft != nullptr ? " " + describe(node.raft->role()) : " down");
  row.resize(16, ' ');
  const std::vector<Entry>& entries = node.written.entries;
  const LogIndex marked = node.written.mark.index;
  if (marked != LogIndex()) row += std::to_string(marked.value()) + "|";
  const std::size_t committed = std::max(node.commit, marked).value() - marked.value();
  bool is_durable = true;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    is_durable = is_durable && node.durable.holds(entries[i]);
    row += i == 0 ? (committed > 0 ? "[" : " ") : i == committed ? "]" : " ";
    const std::string term = std::to_string(entries[i].term.value());
    row += is_durable ? term : "(" + term + ")";
  }
  return row + (committed > 0 && committed == entries.size() ? "]" : "");
}

void Oracle::on_write(const Node& node, const LogWrite& write) {
  const bool leads = node.raft->role() == Role::leader;
  ASSERT(!leads || write.append.empty() || write.append.front().index == node.written.last_index().next());
  const Entry* before = write.append.empty() ? nullptr : node.written.entry(write.append.front().index.previous());
  for (const Entry& entry : write.append) {
    const std::pair content(entry.data, before == nullptr ? node.written.mark.term : before->term);
    const auto [found, is_new] = entries_.try_emplace({entry.index, entry.term}, content);
    ASSERT(found->second == content);
    before = &entry;
  }
}

void Oracle::on_send(const Node& node, const Envelope& envelope) {
  struct Visitor {
    Oracle& oracle;
    const Node& node;
    MemberId to;

    void vote(MemberId voter, Term term, MemberId candidate) {
      const auto [found, is_new] = oracle.votes_.try_emplace({voter, term}, candidate);
      ASSERT(found->second == candidate);
    }
    void operator()(const VoteRequest& request) {
      if (request.pre_vote) return;
      ASSERT(node.durable.hard_state.term == request.term);
      ASSERT(node.durable.hard_state.vote == node.config.id);
      ASSERT(node.durable.last_index() >= request.last_index);
      vote(node.config.id, request.term, node.config.id);
    }
    void operator()(const VoteReply& reply) {
      ASSERT(node.durable.hard_state.term >= reply.term);
      if (reply.pre_vote || !reply.granted) return;
      ASSERT(node.durable.hard_state.term == reply.term);
      ASSERT(node.durable.hard_state.vote == to);
      vote(node.config.id, reply.term, to);
    }
    void operator()(const AppendRequest& request) {
      ASSERT(node.durable.hard_state.term == request.term);
      ASSERT(node.durable.hard_state.vote == node.config.id);
    }
    void operator()(const AppendReply& reply) {
      ASSERT(node.durable.hard_state.term >= reply.term);
      ASSERT(!reply.accepted || node.durable.last_index() >= reply.match_index);
    }
    void operator()(const TimeoutNow& order) {
      ASSERT(node.durable.hard_state.term == order.term);
      ASSERT(node.durable.hard_state.vote == node.config.id);
    }
    void operator()(const ReadIndexRequest& request) { ASSERT(node.durable.hard_state.term >= request.term); }
    void operator()(const ReadIndexReply& reply) {
      ASSERT(!reply.confirmed || node.durable.hard_state.vote == node.config.id);
    }
    void operator()(const SnapshotOffer& offer) {
      ASSERT(offer.mark.term == oracle.committed_[offer.mark.index.value() - 1].term);
    }
    void operator()(const SnapshotReply& reply) { ASSERT(node.durable.hard_state.term >= reply.term); }
    void operator()(const ProposalForward&) {}
    void operator()(const ProposalRefused&) {}
    void operator()(const LeaderCall&) {}
    void operator()(const LeaderReply&) {}
    void operator()(const StateHash&) {}
    void operator()(const SnapshotPart&) {}
  };
  std::visit(Visitor{*this, node, envelope.to}, envelope.message);
}

void Oracle::on_committed(const Node& node, LogIndex index, const std::map<MemberId, Node>& nodes) {
  // A snapshot, or a mark at a restart, stands for it.
  if (index <= node.raft->compacted_index()) {
    ASSERT(index <= committed());
    return;
  }
  const Entry& entry = node.raft->entry(index);
  if (index <= committed()) {
    ASSERT(committed_[index.value() - 1] == entry);
    return;
  }
  committed_.push_back(entry);
  committed_in_.push_back(node.raft->term());
  // Whoever says it first must be right: a quorum holds it durably, of the configuration that rules now, or of the one
  // that ruled before this entry if neither that nor the entry's own is joint.
  const auto is_held_by = [&](const ConfState& conf) {
    return !conf.voters.empty() &&
           reached_by_quorum(conf, [&](MemberId id) { return nodes.at(id).durable.holds(entry) ? 1 : 0; }) == 1;
  };
  const ConfState before = node.raft->mark_at(index.previous()).conf_state;
  const ConfState after = node.raft->mark_at(index).conf_state;
  const bool is_simple = before.voters_outgoing.empty() && after.voters_outgoing.empty();
  ASSERT(is_held_by(node.raft->conf_state()) || (is_simple && is_held_by(before)));
}

void Oracle::on_step(Node& node, const std::map<MemberId, Node>& nodes) {
  const Raft& raft = *node.raft;
  ASSERT(raft.term() >= node.term);
  ASSERT(raft.commit_index() >= node.commit);
  for (LogIndex index = node.commit.next(); index <= raft.commit_index(); index = index.next()) {
    on_committed(node, index, nodes);
  }
  node.term = raft.term();
  node.commit = raft.commit_index();
  if (raft.role() != Role::leader) return;
  const auto [found, is_new] = leaders_.try_emplace(raft.term(), node.config.id);
  ASSERT(found->second == node.config.id);
  if (!is_new) return;
  // Votes may arrive so late that the next term has gone further: of that, this leader knows nothing.
  for (const Entry& entry : committed_) {
    if (committed_in_[entry.index.value() - 1] < raft.term()) ASSERT(node.written.holds(entry));
  }
}

Cluster::Cluster(std::uint64_t count, std::uint64_t voters, std::uint64_t seed, const Config& config) {
  for (std::uint64_t id = 1; id <= voters; ++id) conf_.voters.push_back(MemberId(id));
  for (std::uint64_t id = 1; id <= count; ++id) {
    Node& node = nodes[MemberId(id)];
    node.config = config;
    node.config.id = MemberId(id);
    node.config.seed = seed * 100 + id;
    node.durable.mark.conf_state = node.written.mark.conf_state = conf_;
    restart(node.config.id);
  }
}

void Cluster::end_step(Node& node, Output& out) {
  node.raft->flush(now, out);
  const MemberId id = node.config.id;
  for (LogWrite& write : out.log_writes) {
    oracle_.on_write(node, write);
    node.written.apply(write);
    writes_begun.push_back({id, write});
    node.writes.push_back(std::move(write));
  }
  for (Envelope& envelope : out.messages) {
    oracle_.on_send(node, envelope);
    network.push_back(std::move(envelope));
  }
  oracle_.on_step(node, nodes);
  // What commits behind a snapshot waits until that is installed.
  if (!node.installs_at) node.raft->on_applied(node.raft->commit_index(), node.raft->commit_index());
  for (const MemberId peer : out.snapshots_wanted) open_image(node, peer);
  for (const Envelope& offer : out.snapshots_offered) node.offered = std::get<SnapshotOffer>(offer.message);
  for (TraceLine& line : out.trace) trace.push_back({id, std::move(line)});
  for (const ReadReady& ready : out.reads_ready) {
    ASSERT(ready.index >= read_floor_.at(ready.context));
    read_floor_.erase(ready.context);
    reads_ready.push_back({id, ready});
  }
  for (const std::uint64_t context : out.reads_failed) {
    ASSERT(read_floor_.erase(context) == 1);
    reads_failed.push_back({id, context});
  }
}

void Cluster::open_image(Node& node, MemberId peer) {
  const Mark mark = node.raft->mark_at(node.raft->commit_index());
  ASSERT(node.raft->on_snapshot_opened(peer, mark.index));
  node.images[peer] = mark;
  const Envelope offer{node.config.id, peer, SnapshotOffer{node.raft->term(), mark, ++images_, 0}};
  oracle_.on_send(node, offer);
  network.push_back(offer);
}

void Cluster::end_image(MemberId from, MemberId to, bool is_whole) {
  const Mark mark = node(from).images.at(to);
  node(from).images.erase(to);
  Node& receiver = node(to);
  is_whole = is_whole && is_up(to) && receiver.offered && receiver.offered->mark == mark && !receiver.installs_at;
  if (is_whole) {
    Output out;
    receiver.offered.reset();
    receiver.installs_at = receiver.raft->install_snapshot(now, mark, out);
    end_step(receiver, out);
  }
  node(from).raft->on_snapshot_sent(now, to, is_whole);
}

void Cluster::wake(MemberId id) {
  Output out;
  node(id).raft->on_woken(now, out);
  end_step(node(id), out);
}

void Cluster::deliver(const Envelope& envelope) {
  if (!is_up(envelope.to)) return;
  Output out;
  node(envelope.to).raft->on_message(now, envelope, out);
  end_step(node(envelope.to), out);
}

void Cluster::write(MemberId id, std::size_t count) {
  Node& writer = node(id);
  ASSERT(count > 0);
  ASSERT(count <= writer.writes.size());
  LogWriteId last;
  for (; count > 0; --count) {
    last = writer.writes.front().id;
    writer.durable.apply(writer.writes.front());
    writer.writes.pop_front();
  }
  Output out;
  writer.raft->on_log_written(now, last, out);
  if (writer.installs_at && *writer.installs_at <= last) {
    writer.installs_at.reset();
    writer.raft->on_snapshot_installed();
  }
  end_step(writer, out);
}

bool Cluster::propose(MemberId id, std::string_view data) {
  return propose(id, EntryType::normal, Bytes::copy_of(data));
}

bool Cluster::propose(MemberId id, EntryType type, Bytes data) {
  Output out;
  const bool is_taken = node(id).raft->propose(now, type, std::move(data), out).ok();
  end_step(node(id), out);
  return is_taken;
}

bool Cluster::read(MemberId id, std::uint64_t context) {
  Output out;
  read_floor_[context] = oracle_.committed();
  const bool is_taken = node(id).raft->read_index(now, context, out).ok();
  if (!is_taken) read_floor_.erase(context);
  end_step(node(id), out);
  return is_taken;
}

bool Cluster::transfer(MemberId from, MemberId to) {
  Output out;
  const bool has_begun = node(from).raft->transfer_leadership(now, to, out);
  end_step(node(from), out);
  return has_begun;
}

void Cluster::unreachable(MemberId id, MemberId peer) {
  Output out;
  node(id).raft->on_peer_unreachable(now, peer, out);
  end_step(node(id), out);
}

void Cluster::crash(MemberId id, std::size_t surviving) {
  Node& victim = node(id);
  for (; surviving > 0; --surviving) {
    victim.durable.apply(victim.writes.front());
    victim.writes.pop_front();
  }
  victim.writes.clear();
  victim.written = victim.durable;
  victim.raft.reset();
  victim.images.clear();
  victim.offered.reset();
  victim.installs_at.reset();
  victim.term = victim.durable.hard_state.term;
  victim.commit = LogIndex();
}

void Cluster::restart(MemberId id) {
  Node& node = nodes.at(id);
  ASSERT(node.raft == nullptr);
  Recovered recovered{node.durable.hard_state, node.durable.mark, node.durable.entries};
  node.raft = std::make_unique<Raft>(node.config, std::move(recovered), now);
  Output out;
  end_step(node, out);
}

void Cluster::replace_disk(MemberId id, Disk disk) {
  ASSERT(!is_up(id));
  disk.mark.conf_state = conf_;
  node(id).written = node(id).durable = std::move(disk);
}

namespace {

/// Equal as far as both have entries.
bool is_same_log(const Disk& a, const Disk& b) {
  if (a.last_index() != b.last_index()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&b](const Entry& entry) { return b.holds(entry); });
}

}  // namespace

bool Cluster::is_settled(const std::set<MemberId>& except) const {
  const Node* leader = nullptr;
  for (const auto& [id, node] : nodes) {
    if (!is_up(id) || node.raft->role() != Role::leader) continue;
    if (leader == nullptr || node.raft->term() > leader->raft->term()) leader = &node;
  }
  if (leader == nullptr) return false;
  const std::vector<MemberId> members = all_members(leader->raft->conf_state());
  return std::all_of(members.begin(), members.end(), [&](MemberId id) {
    if (except.contains(id)) return true;
    const Node& node = nodes.at(id);
    return is_up(id) && node.raft->leader() == leader->config.id && node.raft->term() == leader->raft->term() &&
           node.raft->commit_index() == leader->raft->last_index() && is_same_log(node.durable, leader->durable) &&
           !node.installs_at;
  });
}

void Cluster::check_invariants() const {
  for (const auto& [id, node] : nodes) {
    if (node.raft != nullptr) node.raft->check_invariants();
  }
}

}  // namespace metastore::raft
