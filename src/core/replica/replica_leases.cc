// The replica's side of leases: counting down while it leads, and keep-alives. Beside replica.cc, since it is one
// subject.
#include <utility>

#include "core/base/assert.h"
#include "core/kv/command.h"
#include "core/replica/replica.h"

namespace metastore {

void Replica::begin_to_count_down(Instant now) {
  if (raft_.role() != raft::Role::leader || applier_->lessor().is_primary()) return;
  // Nobody knows how long the former leader would have waited: each lease begins anew, or with what was last noted, and
  // the time in which that leader may have promised more is added.
  applier_->lessor().promote(now, config_.election_timeout);
  lease_term_ = raft_.term();
}

void Replica::stop_counting_down() {
  lease::Lessor& lessor = applier_->lessor();
  if (!lessor.is_primary() || (raft_.role() == raft::Role::leader && lease_term_ == raft_.term())) return;
  lessor.demote();
  restored_.clear();
}

void Replica::count_down_leases(Instant now) {
  lease::Lessor& lessor = applier_->lessor();
  // Its successor counts anew.
  if (!lessor.is_primary() || !raft_.accepts_proposals()) return;
  for (const LeaseId id : lessor.take_expired(now, config_.limits.lease_expiries_a_step)) {
    propose_as_leader(now, kv::encode_lease_revoke(next_proposal_id(), id));
  }
  for (const auto& notes :
       {lessor.take_notes(now, config_.limits.lease_checkpoints_a_step), std::exchange(restored_, {})}) {
    if (!notes.empty()) propose_as_leader(now, kv::encode_lease_checkpoint(next_proposal_id(), notes));
  }
}

Instant Replica::count_down_at(Instant now) const {
  if (!raft_.accepts_proposals()) return Instant::never();
  return restored_.empty() ? applier_->lessor().wake_at() : now;
}

ClientRequest Replica::with_lease(const ClientRequest& client, const kv::LeaseGrantRequest& grant) {
  const std::int64_t ttl_seconds_min = config_.lease_ttl_seconds_min();
  if (grant.id != 0 && grant.ttl_seconds >= ttl_seconds_min) return client;
  ClientRequest completed = client;
  completed.message = kv::with_lease(client.message.view(), grant.id != 0 ? LeaseId() : draw_lease_id(),
                                     grant.ttl_seconds >= ttl_seconds_min ? 0 : ttl_seconds_min);
  return completed;
}

LeaseId Replica::draw_lease_id() {
  // 15 bits of the member, 24 of its incarnation, 24 of a count: positive, and no other member or run draws it while a
  // lease of the same number can still be alive.
  for (;;) {
    const std::uint64_t number = (config_.member.value() & 0x7fff) << 48 | (config_.incarnation & 0xff'ffff) << 24 |
                                 (++last_lease_number_ & 0xff'ffff);
    const LeaseId id(static_cast<std::int64_t>(number));
    if (id != LeaseId() && !applier_->lessor().exists(id)) return id;
  }
}

void Replica::keep_alive(Instant now, const StreamRequest& message, Effects& effects) {
  Result<kv::Request> request = kv::decode(kv::Method::lease_keep_alive, message.message, config_.limits);
  if (!request) return end_stream(message.id, request.error(), effects);
  if (waiting_.size() >= config_.limits.reads_pending_max) {
    return end_stream(message.id, ErrorCode::too_many_requests, effects);
  }
  const LeaseId lease(std::get<kv::LeaseKeepAliveRequest>(request.value().body()).id);
  const Waiting::Key key = waiting_.add(message.id, Waiting::For::read, now, Instant::never());
  keep_alives_.add(message.id, key, lease);
  if (raft_.role() != raft::Role::leader) return ask_leader({key, kv::Method::lease_keep_alive, message.message});
  reads_.gather({key, std::move(request).value()});
}

void Replica::answer_keep_alives(Instant now, Effects& effects) {
  lease::Lessor& lessor = applier_->lessor();
  for (const RequestId stream : keep_alives_.answerable()) {
    while (keep_alives_.is_answerable(stream)) {
      const KeepAlives::Asked asked = keep_alives_.front(stream);
      if (asked.answer.has_value()) {
        ASSERT(waiting_.take(asked.key).has_value());
        keep_alives_.pop(stream);
        effects.chunks.push_back({stream, asked.answer->size(), {*asked.answer}});
        continue;
      }
      // Its leadership ended between the confirmation and now; whoever leads knows.
      if (!lessor.is_primary()) {
        if (is_of_peer(stream)) {
          end_stream(stream, ErrorCode::leader_changed, effects);
        } else {
          keep_alives_.unconfirm(stream);
          ask_leader({asked.key, kv::Method::lease_keep_alive, kv::encode_keep_alive(asked.lease)});
        }
        break;
      }
      // What has expired is not renewed: the answer waits until it is revoked, or the attempt is lost.
      if (lessor.is_expiring(asked.lease)) break;
      // Nor is it renewed before whoever leads next would know.
      if (lessor.is_cut_short(asked.lease)) {
        if (lessor.begin_to_restore(asked.lease)) restored_.push_back({asked.lease, 0});
        break;
      }
      ASSERT(waiting_.take(asked.key).has_value());
      keep_alives_.pop(stream);
      const kv::LeaseKeepAliveResponse response{.revision = applier_->store().current_revision(),
                                                .id = asked.lease,
                                                .ttl_seconds = lessor.renew(asked.lease, now).value_or(0)};
      const Bytes message = kv::encode(header(), response);
      effects.chunks.push_back({stream, message.size(), {message}});
    }
    if (streams_.find(stream).has_value() && keep_alives_.is_finished(stream)) {
      end_stream(stream, std::nullopt, effects);
    }
  }
}

}  // namespace metastore
