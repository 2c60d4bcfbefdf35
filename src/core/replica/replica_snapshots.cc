// The replica's side of snapshots between members: who is sent one, and how one that was received takes the place of
// the state (design, law 3). Beside replica.cc, since it is one subject.
#include <utility>

#include "core/base/assert.h"
#include "core/kv/cost.h"
#include "core/replica/replica.h"

namespace metastore {

void Replica::exchange_snapshots(Instant now, Effects& effects) {
  send_snapshots(now);
  receive_snapshot(now, effects);
}

void Replica::send_snapshots(Instant now) {
  if (raft_.role() != raft::Role::leader) snapshots_.close_all();
  if (!snapshots_.empty()) {
    for (const raft::PeerStatus& peer : raft_.peers()) {
      if (!peer.is_snapshotted) snapshots_.close(peer.id);
    }
  }
  for (const MemberId peer : snapshots_.take_lost(now)) raft_.on_snapshot_sent(now, peer, false);
  for (const MemberId peer : std::exchange(raft_output_.snapshots_wanted, {})) {
    if (!raft_.on_snapshot_opened(peer, applied_index_)) continue;
    snapshots_.open(now, raft_.term(), peer,
                    ImageReader(raft_.mark_at(applied_index_), *applier_, members_, cluster_version_),
                    kv::size_in_use(*applier_));
  }
  snapshots_.run(now, applier_->store(), raft_output_.messages);
}

void Replica::receive_snapshot(Instant now, Effects& effects) {
  const std::vector<raft::Envelope> offers = std::exchange(raft_output_.snapshots_offered, {});
  if (is_installing()) {
    // Whoever offers a later one will offer it again.
    if (log_written_ < *installs_at_ || is_installing_image_) return;
    is_installing_image_ = true;
    effects.image_steps.push_back({.kind = ImageStep::Kind::install, .image = snapshot_.image(), .rows = {}});
    return;
  }
  for (const raft::Envelope& envelope : offers) {
    snapshot_.on_offer(envelope.from, std::get<raft::SnapshotOffer>(envelope.message));
  }
  // The log has come as far by itself.
  if (snapshot_.image() != 0 && snapshot_.index() <= raft_.commit_index()) snapshot_.drop(effects);
  snapshot_.run(effects, raft_output_.messages);
  const std::optional<raft::Mark> mark = snapshot_.complete();
  if (!mark.has_value() || checkpoints_.is_under_way()) return;
  installs_at_ = raft_.install_snapshot(now, *mark, raft_output_);
  if (!is_installing()) snapshot_.drop(effects);
}

void Replica::on_image_installed(const ImageInstalled& event, Effects& effects) {
  ASSERT(is_installing());
  ASSERT(event.image == snapshot_.image());
  installs_at_.reset();
  is_installing_image_ = false;
  raft_.on_snapshot_installed();
  Image image = snapshot_.take();
  ASSERT(image.applied.index > applied_index_);
  // What reads the former state ends with it, and may be asked again.
  ranges_.end_all(ErrorCode::leader_changed, effects);
  for (const HashKv& hash : std::exchange(hashes_, {})) answer(hash.key, ErrorCode::leader_changed, effects);
  // What became of them stands in entries that this member never sees: their clients are told so at their deadlines.
  proposals_.forget_all();
  image.applier->continue_figures(*applier_);
  image.applier->lessor().set_note_interval(config_.lease_note_interval());
  applier_ = std::move(image.applier);
  members_ = std::move(image.members);
  told_members_.reset();
  cluster_version_ = std::move(image.cluster_version);
  applied_index_ = image.applied.index;
  checkpoints_.on_replaced(applied_index_);
  quota_.on_size(kv::size_in_use(*applier_));
  watches_.on_replaced(applier_->store());
  observed_compaction_ = applier_->store().compact_revision();
  effects.trace.push_back({TraceLevel::info,
                           "installed a snapshot",
                           {{"index", applied_index_.value()},
                            {"revision", applier_->store().current_revision().value()},
                            {"bytes", kv::size_in_use(*applier_)}}});
}

}  // namespace metastore
