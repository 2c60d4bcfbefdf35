#include "core/replica/replica.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/assert.h"
#include "core/kv/command.h"
#include "core/kv/cost.h"
#include "core/replica/responses.h"

namespace metastore {
namespace {

raft::Config raft_config(const Config& config) {
  return {.id = config.member,
          .seed = config.seed,
          .heartbeat_interval = config.heartbeat_interval,
          .election_timeout = config.election_timeout,
          .pre_vote = config.pre_vote,
          .limits = config.limits};
}

/// What a checkpoint holds was committed, whether or not the log says so (design, law 2).
raft::Recovered recovered_log(Recovered& recovered) {
  if (recovered.image) {
    LogIndex& commit = recovered.log.hard_state.commit;
    commit = std::max(commit, recovered.image->applied.index);
  }
  return std::move(recovered.log);
}

/// What was answered since it was made: what that took, in bytes or their like.
class Answered {
 public:
  Answered(const Effects& effects, const kv::Applier& applier)
      : effects_(effects), applier_(applier), replies_(effects.replies.size()), keys_(applier.txn_keys_read()) {}

  std::uint64_t cost_since() const {
    // An empty answer costs something too.
    std::uint64_t cost = 64 + (applier_.txn_keys_read() - keys_) * bytes_a_key;
    for (std::size_t i = replies_; i < effects_.replies.size(); ++i) {
      if (const auto* reply = std::get_if<Bytes>(&effects_.replies[i].result)) cost += reply->size();
    }
    return cost;
  }

 private:
  /// To look at a key takes about as long as to send so much.
  static constexpr std::uint64_t bytes_a_key = 256;

  const Effects& effects_;
  const kv::Applier& applier_;
  const std::size_t replies_;
  const std::uint64_t keys_;
};

/// What this member asks by itself; the gateway's numbers begin at 1.
constexpr RequestId own_request;

}  // namespace

Replica::Replica(const Config& config, Recovered recovered, Instant now)
    : config_(config),
      raft_(raft_config(config), recovered_log(recovered), now),
      applier_(recovered.image ? std::move(recovered.image->applier) : std::make_unique<kv::Applier>()),
      waiting_(config.request_timeout()),
      reads_(config.incarnation),
      ranges_(config.limits),
      checkpoints_(config.checkpoint_interval, config.limits,
                   recovered.image ? recovered.image->applied.index : LogIndex()),
      watches_(config.limits, config.watch_progress_interval, config.seed),
      connections_{.self = config.member, .since = {}},
      last_call_(config.incarnation << 32),
      snapshots_(config.member, config.incarnation, config.election_timeout, config.limits),
      snapshot_(config.member, config.incarnation, config.limits),
      auto_compaction_(config.retention, config.limits, now),
      quota_(config.quota_bytes),
      state_hashes_(config.request_timeout()),
      last_proposal_id_(config.incarnation << 32) {
  if (recovered.image) {
    members_ = std::move(recovered.image->members);
    cluster_version_ = std::move(recovered.image->cluster_version);
    applied_index_ = recovered.image->applied.index;
    raft_.on_applied(applied_index_, applied_index_);
  }
  applier_->lessor().set_note_interval(config.lease_note_interval());
  quota_.on_size(kv::size_in_use(*applier_));
  watches_.on_applied(applier_->store());
  observed_compaction_ = applier_->store().compact_revision();
}

void Replica::step(const Input& input, Effects& effects) {
  struct Visitor {
    Replica& replica;
    Instant now;
    Effects& effects;

    void operator()(const Woken&) { replica.raft_.on_woken(now, replica.raft_output_); }
    void operator()(const Stopping&) {
      replica.stopping_ = true;
      replica.hand_over(now);
      for (const RequestId id : replica.streams_.all()) replica.end_stream(id, ErrorCode::stopped, effects);
    }
    void operator()(const PeerMessage& event) { replica.on_peer_message(now, event.envelope, effects); }
    void operator()(const LogWritten& event) {
      replica.log_written_ = event.id;
      replica.raft_.on_log_written(now, event.id, replica.raft_output_);
    }
    void operator()(const ClientRequest& event) { replica.on_request(now, event, effects); }
    void operator()(const BatchEnded&) { replica.settle(now, effects); }
    void operator()(const StreamOpened& event) { replica.open_stream(event, effects); }
    void operator()(const StreamRequest& event) { replica.on_stream_request(now, event, effects); }
    void operator()(const StreamRequestsEnded& event) { replica.on_stream_requests_ended(event.id, effects); }
    void operator()(const StreamDrained& event) { replica.on_stream_drained(event); }
    void operator()(const StreamClosed& event) { replica.close_stream(event.id); }
    void operator()(const CheckpointWritten& event) { replica.checkpoints_.on_written(event.applied_index); }
    void operator()(const Defragmented& event) { replica.on_defragmented(event, effects); }
    void operator()(const PeerConnected& event) { replica.connections_.since.emplace(event.peer, now); }
    void operator()(const Expelled&) { replica.is_expelled_ = true; }
    void operator()(const PeerLost& event) { replica.connections_.since.erase(event.peer); }
    void operator()(const ImageStaged& event) { replica.snapshot_.on_staged(event); }
    void operator()(const ImageInstalled& event) { replica.on_image_installed(event, effects); }
    void operator()(const PeerUnreachable& event) {
      replica.connections_.since.erase(event.peer);
      replica.raft_.on_peer_unreachable(now, event.peer, replica.raft_output_);
    }
  };
  std::visit(Visitor{*this, input.now, effects}, input.event);
}

void Replica::on_request(Instant now, const ClientRequest& client, Effects& effects) {
  if (stopping_) return effects.replies.push_back({client.id, ErrorCode::stopped});
  Result<kv::Request> decoded = kv::decode(client.method, client.message, config_.limits);
  if (!decoded) {
    // Whether there is room is looked at first (contract 1.4).
    if (!quota_.has_room(quota_.size_bytes(), kv::cost(client.method, client.message.view()))) {
      return refuse_for_space(now, client, effects);
    }
    return effects.replies.push_back({client.id, decoded.error()});
  }
  const kv::Request& request = decoded.value();
  if (is_learner() && request.method() != kv::Method::status &&
      (request.method() != kv::Method::range || request.consistency() != kv::Consistency::local)) {
    return effects.replies.push_back({client.id, ErrorCode::learner});
  }
  switch (request.consistency()) {
    case kv::Consistency::local:
      if (const auto* hash = std::get_if<kv::HashKvRequest>(&request.body())) {
        return begin_hash_kv(now, client, *hash, effects);
      }
      if (request.method() == kv::Method::defragment) return defragment(now, client, effects);
      [[fallthrough]];
    case kv::Consistency::linearizable: {
      const bool is_local = request.consistency() == kv::Consistency::local;
      if (waiting_.size() >= config_.limits.reads_pending_max) {
        return effects.replies.push_back({client.id, ErrorCode::too_many_requests});
      }
      const Waiting::Key key = waiting_.add(client.id, Waiting::For::read, now, client.deadline);
      if (client.method == kv::Method::lease_time_to_live && raft_.role() != raft::Role::leader) {
        return ask_leader({key, client.method, client.message});
      }
      Read read{key, std::move(decoded).value(), client.deadline};
      return is_local ? make_readable(std::move(read), effects) : reads_.gather(std::move(read));
    }
    case kv::Consistency::proposed:
      if (!quota_.has_room(quota_.size_bytes(),
                           std::visit([](const auto& body) { return kv::cost(body); }, request.body()))) {
        return refuse_for_space(now, client, effects);
      }
      if (const auto* grant = std::get_if<kv::LeaseGrantRequest>(&request.body())) {
        return propose(now, with_lease(client, *grant), 0, effects);
      }
      return propose(now, client, keys_of(request), effects);
    case kv::Consistency::configured:
      return change_members(now, client, request, effects);
  }
  UNREACHABLE();
}

void Replica::propose(Instant now, const ClientRequest& client, std::uint64_t keys, Effects& effects) {
  proposed_at_ = now;
  const bool is_large = keys > config_.limits.txn_keys_at_once;
  if (waiting_.size() >= config_.limits.proposals_pending_max || is_overloaded() ||
      (is_large && large_.size() >= config_.limits.large_txns_pending_max)) {
    return effects.replies.push_back({client.id, ErrorCode::too_many_requests});
  }
  if (kv::command_size(client.method, client.message.size()) > config_.limits.request_bytes_max) {
    return effects.replies.push_back({client.id, ErrorCode::request_too_large});
  }
  Bytes command = kv::encode_command(next_proposal_id(), client.method, client.message.view());
  Proposal proposal{waiting_.add(client.id, Waiting::For::proposal, now, client.deadline), std::move(command)};
  return is_large ? large_.add(std::move(proposal), keys) : append(now, std::move(proposal));
}

void Replica::publish(Instant now) {
  if (raft_.leader() == MemberId() || applied_index_ < raft_.commit_index()) return;
  if (members_.find(config_.member) == nullptr) return;
  if (!is_published() && !waiting_.contains(publication_)) {
    publication_ = propose_own(
        now, kv::encode_member_attributes(next_proposal_id(), {config_.member, config_.name, config_.client_urls,
                                                               config_.data_id, config_.version}));
  }
  decide_cluster_version(now);
}

void Replica::settle(Instant now, Effects& effects) {
  stop_counting_down();
  apply_committed(now, effects);
  compact(now, effects);
  count_down_leases(now);
  append_held(now, effects);
  take_turns(now);
  propose_compaction(now, effects);
  raise_alarm(now, effects);
  compare_states(now, effects);
  publish(now);
  if (reads_.has_gathered() && raft_.leader() != MemberId()) {
    ASSERT(raft_.read_index(now, reads_.begin_round(), raft_output_).ok());
  }
  call_leader(now);
  exchange_snapshots(now, effects);
  raft_.flush(now, raft_output_);
  drain_raft(effects);
  tell_peers(effects);
  leave_if_removed(effects);
  observe_leader(now);
  take_checkpoint(now, effects);
  for (Read& read : reads_.take_ready(applied_index_)) {
    if (read.request.method() == kv::Method::lease_keep_alive) {
      if (const auto stream = waiting_.find(read.key)) keep_alives_.confirm(*stream, read.key);
      continue;
    }
    make_readable(std::move(read), effects);
  }
  serve_reads(now, effects);
  answer_keep_alives(now, effects);
  hash_some(effects);
  answer_moves(effects);
  refuse_late(now, effects);
  serve_streams(now, effects);
  ranges_.run(applier_->store(), now, proposed_at_, effects);
  answer_peers(effects);
  if (!said_ready_ && is_published() && raft_.leader() != MemberId()) {
    said_ready_ = true;
    effects.serve = true;
    effects.trace.push_back({TraceLevel::info, "ready to serve client requests", {}});
  }
  const mvcc::Store& store = applier_->store();
  const bool can_compact = !store.is_compacted() && !ranges_.are_reading_behind(store.compact_revision()) &&
                           !snapshots_.is_reading_behind(store.compact_revision());
  const bool can_apply = applied_index_ < raft_.commit_index() && !is_installing();
  const bool can_ask = raft_.leader() != MemberId() && (reads_.has_gathered() || !uncalled_.empty());
  const bool has_work_left = can_apply || can_compact || watches_have_more_ || ranges_.has_more() || !hashes_.empty() ||
                             !readable_.empty() || can_ask || snapshots_.has_more() || snapshot_.has_more();
  effects.wake_at =
      has_work_left
          ? now
          : std::min({raft_.wake_at(), waiting_.next_deadline(), streams_.next_deadline(), watches_.wake_at(),
                      count_down_at(now), checkpoint_due_at(), ranges_.wake_at(), auto_compaction_.wake_at()});
  effects.wake_at = std::min(
      {effects.wake_at, call_again_at(), compare_states_at(), snapshots_.wake_at(), large_.wake_at(), no_leader_at()});
}

void Replica::drain_raft(Effects& effects) {
  const auto append_to = [](auto& target, auto& source) {
    std::move(source.begin(), source.end(), std::back_inserter(target));
    source.clear();
  };
  append_to(effects.log_writes, raft_output_.log_writes);
  append_to(effects.messages, raft_output_.messages);
  append_to(effects.trace, raft_output_.trace);
  for (const raft::ReadReady& ready : raft_output_.reads_ready) reads_.confirm(ready.context, ready.index);
  raft_output_.reads_ready.clear();
  // Whoever leads next confirms them, if that is before their deadlines.
  counts_.reads_failed += raft_output_.reads_failed.size();
  if (!raft_output_.reads_failed.empty()) reads_.regather();
  raft_output_.reads_failed.clear();
}

void Replica::apply_committed(Instant now, Effects& effects) {
  if (is_installing()) return;
  std::uint64_t bytes_left = config_.limits.apply_bytes_a_step;
  while (applied_index_ < raft_.commit_index() && bytes_left > 0) {
    const raft::Entry& entry = raft_.entry(applied_index_.next());
    const std::uint64_t entry_bytes = entry.data.size();
    const Answered before(effects, *applier_);
    apply(now, entry, effects);
    bytes_left -= std::min(bytes_left, entry_bytes + before.cost_since());
  }
  raft_.on_applied(applied_index_, checkpoints_.written());
}

void Replica::apply(Instant now, const raft::Entry& entry, Effects& effects) {
  ASSERT(entry.index == applied_index_.next());
  applied_index_ = entry.index;
  if (entry.term == raft_.term()) begin_to_count_down(now);
  std::vector<Proposal> lost;
  const std::optional<Waiting::Key> key = proposals_.take(entry.index, entry.term, own_sequence(entry), lost);
  // They are proven never to happen, so they may be proposed anew.
  std::move(lost.begin(), lost.end(), std::back_inserter(held_));
  if (entry.type == raft::EntryType::conf_change) {
    apply_change(entry, key, effects);
  } else if (entry.type == raft::EntryType::normal && !entry.data.empty()) {
    apply_command(now, entry, key, effects);
  }
}

void Replica::apply_command(Instant now, const raft::Entry& entry, std::optional<Waiting::Key> key, Effects& effects) {
  const std::uint64_t in_use_bytes = kv::size_in_use(*applier_);
  kv::Applied applied = applier_->apply(entry.data.view(), header(), now);
  quota_.on_size(kv::size_in_use(*applier_));
  watches_.on_applied(applier_->store());
  if (applied.member_attributes.has_value()) {
    const bool was_published = is_published();
    members_.publish(std::move(*applied.member_attributes));
    if (!was_published && is_published()) {
      effects.trace.push_back(
          {TraceLevel::info, "published local member to cluster through raft", {{"local-member-name", config_.name}}});
    }
  }
  if (applied.cluster_version.has_value()) {
    set_cluster_version(*std::move(applied.cluster_version), effects);
  }
  if (applied.is_state_hash_point) hash_state(entry.index);
  on_alarms(applied, effects);
  const bool is_out_of_space = exceeds_quota(applied, in_use_bytes, effects);
  if (!key.has_value()) return;
  if (is_out_of_space) return out_of_space_.push_back(*key);
  if (!applied.reply.ok()) return answer(*key, applied.reply.error(), effects);
  if (applied.waits_for_compaction && !applier_->store().is_compacted()) {
    return awaiting_compaction_.push_back({*key, std::move(applied.reply).value()});
  }
  answer(*key, std::move(applied.reply).value(), effects);
}

void Replica::compact(Instant now, Effects& effects) {
  const mvcc::Store& store = applier_->store();
  const bool has_begun = store.compact_revision() != observed_compaction_;
  if (has_begun) compaction_began_ = now;
  observed_compaction_ = store.compact_revision();
  const bool was_compacted = store.is_compacted();
  if (!was_compacted && !ranges_.hold_back(store.compact_revision(), now, effects) &&
      !snapshots_.hold_back(now, store)) {
    applier_->compact_some(config_.limits.compact_records_a_step);
  }
  if (!store.is_compacted()) return;
  if (has_begun || !was_compacted) {
    counts_.compaction_milliseconds.record(static_cast<std::uint64_t>((now - compaction_began_).milliseconds()));
    counts_.compacted_at = now;
  }
  for (PhysicalCompaction& done : std::exchange(awaiting_compaction_, {})) {
    answer(done.key, std::move(done.reply), effects);
  }
}

void Replica::propose_compaction(Instant now, Effects& effects) {
  const bool leads = raft_.accepts_proposals();
  const auto revision = auto_compaction_.due(now, applier_->store().current_revision(), leads);
  if (!revision.has_value()) return;
  effects.trace.push_back({TraceLevel::info, "starting auto compaction", {{"revision", revision->value()}}});
  propose_as_leader(now, kv::encode_compaction(next_proposal_id(), *revision));
}

Instant Replica::checkpoint_due_at() const {
  // The engine holds nothing that this member's own log could lose (design, law 2).
  if (applied_index_ > raft_.persisted_index() || is_installing()) return Instant::never();
  return checkpoints_.due_at(applied_index_);
}

void Replica::take_checkpoint(Instant now, Effects& effects) {
  if (checkpoint_due_at() == Instant::never()) return;
  if (!checkpoints_.is_due(now, applied_index_, applier_->store())) return;
  effects.checkpoint = checkpoints_.take(now, raft_.mark_at(applied_index_), *applier_, members_, cluster_version_);
}

void Replica::serve_reads(Instant now, Effects& effects) {
  std::uint64_t bytes_left = config_.limits.range_bytes_a_step;
  while (readable_served_ < readable_.size() && bytes_left > 0) {
    Read& read = readable_[readable_served_++];
    const Answered before(effects, *applier_);
    if (const auto id = waiting_.take(read.key)) serve(now, std::move(read.request), *id, read.deadline, effects);
    bytes_left -= std::min(bytes_left, before.cost_since());
  }
  if (readable_served_ * 2 < readable_.size()) return;
  readable_.erase(readable_.begin(), readable_.begin() + static_cast<std::ptrdiff_t>(readable_served_));
  readable_served_ = 0;
}

void Replica::serve(Instant now, kv::Request request, RequestId id, Instant deadline, Effects& effects) {
  const auto reply = [&](Bytes response) { effects.replies.push_back({id, std::move(response)}); };
  switch (request.method()) {
    case kv::Method::member_list:
      return reply(members_response(header(), members_));
    case kv::Method::status:
      return reply(status_response(header(), status()));
    case kv::Method::range_stream:
      return list(std::move(request), id, deadline, effects);
    case kv::Method::range:
      if (std::get_if<kv::RangeRequest>(&request.body())->range.is_single()) break;
      return list(std::move(request), id, deadline, effects);
    case kv::Method::hash:
      return reply(hash_response(header(), applier_->store().current_revision(), hash()));
    case kv::Method::downgrade:
      return downgrade(std::get<kv::DowngradeRequest>(request.body()), id, effects);
    case kv::Method::move_leader:
      return move_leader(now, std::get<kv::MoveLeaderRequest>(request.body()), id, deadline, effects);
    default:
      break;
  }
  Result<Bytes> response = applier_->read(request, header(), now);
  if (!response) return effects.replies.push_back({id, response.error()});
  reply(std::move(response).value());
}

void Replica::list(kv::Request request, RequestId id, Instant deadline, Effects& effects) {
  const mvcc::Store& store = applier_->store();
  if (ranges_.size() >= config_.limits.reads_pending_max) {
    return effects.replies.push_back({id, ErrorCode::too_many_requests});
  }
  Result<kv::Listing> listing = applier_->list(std::move(request), header());
  if (!listing) return effects.replies.push_back({id, listing.error()});
  ranges_.begin(store, id, std::move(listing).value(), deadline, effects);
}

void Replica::answer(Waiting::Key key, std::variant<Bytes, ErrorCode> result, Effects& effects) {
  const auto id = waiting_.take(key);
  if (!id.has_value()) return;
  if (const auto* error = std::get_if<ErrorCode>(&result)) return refuse(*id, *error, effects);
  if (*id == own_request) return;
  effects.replies.push_back({*id, std::move(result)});
}

void Replica::refuse_late(Instant now, Effects& effects) {
  bool any = false;
  while (const auto expired = waiting_.take_expired(now)) {
    any = true;
    ++(expired->what == Waiting::For::proposal ? counts_.proposals_failed : counts_.reads_late);
    refuse(expired->request, lateness_of(*expired), effects);
  }
  if (!any) return;
  const auto is_late = [this](const auto& one) { return !waiting_.contains(one.key); };
  std::erase_if(held_, is_late);
  std::erase_if(put_off_, is_late);
  std::erase_if(uncalled_, is_late);
  std::erase_if(calls_, [&](const auto& call) { return is_late(call.second); });
  reads_.forget_late(waiting_);
  large_.forget_late(waiting_);
}

void Replica::refuse(RequestId id, ErrorCode error, Effects& effects) {
  if (id == own_request) return;
  if (streams_.find(id).has_value()) return end_stream(id, error, effects);
  effects.replies.push_back({id, error});
}

kv::Header Replica::header() const {
  return {.cluster = config_.cluster, .member = config_.member, .term = raft_.term()};
}

std::uint64_t Replica::next_proposal_id() { return (std::uint64_t{1} << 63) | ++last_proposal_id_; }

bool Replica::is_learner() const {
  // Who leads has a vote, though its table may not say so yet.
  if (raft_.role() == raft::Role::leader) return false;
  const Member* self = members_.find(config_.member);
  return self != nullptr && self->is_learner;
}

bool Replica::is_published() const {
  const Member* self = members_.find(config_.member);
  return self != nullptr && self->name == config_.name && self->client_urls == config_.client_urls &&
         self->data_id == config_.data_id && self->version == config_.version;
}

std::uint64_t Replica::hash() const { return applier_->hash() + members_.hash(); }

void Replica::check_invariants() const {
  raft_.check_invariants();
  applier_->store().check_invariants();
  applier_->lessor().check_invariants();
  watches_.check_invariants();
  ranges_.check_invariants();
  ASSERT(applied_index_ <= raft_.commit_index());
  check_members();
}

}  // namespace metastore
