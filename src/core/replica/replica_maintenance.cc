// The replica's side of what operators ask of one member: hashes, defragmenting, handing over. Beside replica.cc, since
// it is one subject.
#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/kv/cost.h"
#include "core/replica/replica.h"
#include "core/replica/responses.h"

namespace metastore {

void Replica::begin_hash_kv(Instant now, const ClientRequest& client, const kv::HashKvRequest& request,
                            Effects& effects) {
  const mvcc::Store& store = applier_->store();
  if (request.revision < 0) {
    const mvcc::HashOfKeys nothing = mvcc::HashScan(store, Revision(request.revision)).result();
    return effects.replies.push_back({client.id, hash_kv_response(header(), store.current_revision(), nothing)});
  }
  const Revision revision = request.revision == 0 ? store.current_revision() : Revision(request.revision);
  if (const Status<> readable = store.check_readable(revision); !readable) {
    return effects.replies.push_back({client.id, readable.error()});
  }
  if (waiting_.size() >= config_.limits.reads_pending_max) {
    return effects.replies.push_back({client.id, ErrorCode::too_many_requests});
  }
  // What was told of a revision stays true when a compaction there has taken what it was made of.
  const auto told = std::find_if(told_.begin(), told_.end(), [&](const mvcc::HashOfKeys& hash) {
    return hash.revision == Revision(request.revision) && hash.revision == store.compact_revision();
  });
  if (told != told_.end()) {
    return effects.replies.push_back({client.id, hash_kv_response(header(), store.current_revision(), *told)});
  }
  hashes_.push_back({.key = waiting_.add(client.id, Waiting::For::read, now, client.deadline),
                     .scan = mvcc::HashScan(store, revision),
                     .current = store.current_revision()});
}

void Replica::hash_some(Effects& effects) {
  while (!hashes_.empty() && !waiting_.contains(hashes_.front().key)) hashes_.pop_front();
  if (hashes_.empty()) return;
  HashKv& hash = hashes_.front();
  const mvcc::Store& store = applier_->store();
  const Revision revision = hash.scan.result().revision;
  if (const Status<> readable = store.check_readable(revision); !readable) {
    answer(hash.key, readable.error(), effects);
    return hashes_.pop_front();
  }
  // A compaction has taken something away: it begins anew, with what is left.
  if (store.compact_revision() != hash.scan.result().compacted) hash.scan = mvcc::HashScan(store, revision);
  if (!hash.scan.go_on(store, config_.limits.hash_bytes_a_step)) return;
  told_.push_back(hash.scan.result());
  if (told_.size() > config_.limits.hashes_told) told_.pop_front();
  answer(hash.key, hash_kv_response(header(), hash.current, told_.back()), effects);
  hashes_.pop_front();
}

void Replica::defragment(Instant now, const ClientRequest& client, Effects& effects) {
  if (waiting_.size() >= config_.limits.reads_pending_max) {
    return effects.replies.push_back({client.id, ErrorCode::too_many_requests});
  }
  // Who asks while the file is being rewritten gets what he asks for, so one is under way at most.
  defragmenting_.push_back(waiting_.add(client.id, Waiting::For::read, now, client.deadline));
  if (std::exchange(is_defragmenting_, true)) return;
  effects.defragment = true;
  effects.trace.push_back({TraceLevel::info, "starting defragment", {}});
}

void Replica::on_defragmented(const Defragmented& event, Effects& effects) {
  ASSERT(is_defragmenting_);
  is_defragmenting_ = false;
  std::variant<Bytes, ErrorCode> result = Bytes();  // It has no header (contract 1.4).
  if (event.failure.empty()) {
    quota_.on_defragmented(kv::size_in_use(*applier_));
    effects.trace.push_back({TraceLevel::info, "finished defragment", {}});
  } else {
    result = ErrorCode::not_defragmented;
    effects.trace.push_back({TraceLevel::warn, "failed to defragment", {{"error", event.failure}}});
  }
  for (const Waiting::Key key : std::exchange(defragmenting_, {})) answer(key, result, effects);
}

void Replica::downgrade(const kv::DowngradeRequest& request, RequestId id, Effects& effects) {
  if (cluster_version_.empty()) return refuse(id, ErrorCode::cluster_version_unavailable, effects);
  if (request.action != kv::DowngradeAction::cancel) {
    // There is no earlier release that could read what this one has written, so none is a target.
    return refuse(id, ErrorCode::invalid_downgrade_target_version, effects);
  }
  effects.replies.push_back({id, downgrade_response(header(), applier_->store().current_revision(), cluster_version_)});
}

void Replica::move_leader(Instant now, const kv::MoveLeaderRequest& request, RequestId id, Instant deadline,
                          Effects& effects) {
  if (raft_.role() != raft::Role::leader) return refuse(id, ErrorCode::not_leader, effects);
  if (request.target == config_.member) return effects.replies.push_back({id, Bytes()});
  if (!raft_.transfer_leadership(now, request.target, raft_output_)) {
    return refuse(id, ErrorCode::bad_leader_transferee, effects);
  }
  moves_.push_back({waiting_.add(id, Waiting::For::read, now, deadline), request.target});
}

void Replica::answer_moves(Effects& effects) {
  std::erase_if(moves_, [&](const Move& move) {
    if (raft_.leader() == move.target) {
      answer(move.key, Bytes(), effects);  // It has no header (contract 1.4).
    } else if (raft_.role() == raft::Role::leader && raft_.transferee() != move.target) {
      answer(move.key, ErrorCode::transfer_timeout, effects);
    }
    return !waiting_.contains(move.key);
  });
}

void Replica::hand_over(Instant now) {
  if (raft_.role() != raft::Role::leader || raft_.transferee() != MemberId()) return;
  // To whom has the most of the log, of those who are there.
  const raft::PeerStatus* best = nullptr;
  const std::vector<raft::PeerStatus> peers = raft_.peers();
  for (const raft::PeerStatus& peer : peers) {
    const std::vector<MemberId>& voters = raft_.conf_state().voters;
    if (std::find(voters.begin(), voters.end(), peer.id) == voters.end()) continue;
    if (now >= peer.heard + config_.election_timeout) continue;
    if (best == nullptr || peer.match_index > best->match_index) best = &peer;
  }
  if (best != nullptr) raft_.transfer_leadership(now, best->id, raft_output_);
}

}  // namespace metastore
