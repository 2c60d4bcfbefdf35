#include "core/replica/snapshot_receiver.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/replica/snapshot_sender.h"

namespace metastore {

void SnapshotReceiver::on_offer(MemberId from, const raft::SnapshotOffer& offer) {
  if (transfer_.has_value()) {
    const raft::SnapshotOffer& current = transfer_->offer;
    if (from == transfer_->from && offer.image == current.image && offer.mark == current.mark) {
      owes_reply_ = true;
      return;
    }
    // One that is late. Images of one member are numbered in their order, through its restarts.
    const bool is_late = from == transfer_->from && offer.image < current.image;
    if (offer.term < current.term || (offer.term == current.term && is_late)) return;
  }
  // The first part that is staged takes the place of whatever is.
  transfer_.emplace(from, offer);
  owes_reply_ = true;
}

void SnapshotReceiver::on_part(MemberId from, const raft::SnapshotPart& part) {
  if (!transfer_.has_value() || from != transfer_->from) return;
  Transfer& transfer = *transfer_;
  if (part.image != transfer.offer.image || part.term != transfer.offer.term || !transfer.refusal.empty()) return;
  // Whoever sends it out of its order, or too much of it, is told again what is here.
  if (part.number != transfer.received || transfer.waiting_bytes > limits_.snapshot_window_bytes) {
    owes_reply_ = true;
    return;
  }
  ++transfer.received;
  transfer.waiting_bytes += part.rows.size();
  transfer.waiting.push_back(part);
}

void SnapshotReceiver::on_staged(const ImageStaged& staged) {
  if (staged.image != image()) return;
  transfer_->staged = std::max(transfer_->staged, staged.parts);
  owes_reply_ = true;
}

void SnapshotReceiver::run(Effects& effects, std::vector<raft::Envelope>& out) {
  if (!transfer_.has_value()) return;
  if (const Status<std::string> taken = take_some(effects); !taken) refuse(taken.error(), effects);
  if (!std::exchange(owes_reply_, false)) return;
  const Transfer& transfer = *transfer_;
  out.push_back({self_, transfer.from,
                 raft::SnapshotReply{.term = transfer.offer.term,
                                     .image = transfer.offer.image,
                                     .wanted = transfer.refusal.empty(),
                                     .parts = transfer.staged,
                                     .incarnation = incarnation_}});
}

Status<std::string> SnapshotReceiver::take_some(Effects& effects) {
  Transfer& transfer = *transfer_;
  std::uint64_t bytes_left = limits_.snapshot_bytes_a_step;
  while (!transfer.waiting.empty() && bytes_left > 0) {
    const raft::SnapshotPart part = std::move(transfer.waiting.front());
    transfer.waiting.pop_front();
    transfer.waiting_bytes -= part.rows.size();
    bytes_left -= std::min<std::uint64_t>(bytes_left, part.rows.size());
    if (Status<std::string> taken = take_part(part, effects); !taken) return taken;
  }
  if (!transfer.has_last || transfer.is_finished) return Done{};
  const Result<bool, std::string> finished = finish_some();
  if (!finished) return finished.error();
  transfer.is_finished = finished.value();
  return Done{};
}

Status<std::string> SnapshotReceiver::take_part(const raft::SnapshotPart& part, Effects& effects) {
  Transfer& transfer = *transfer_;
  if (transfer.has_last) return std::string("a part follows the last one");
  transfer.checksum = checksum_of(transfer.checksum, part.rows.view());
  if (part.checksum != transfer.checksum) return std::string("a part has another checksum");
  if (!are_rows(part.rows.view())) return std::string("a part is no list of rows");
  RowReader rows(part.rows.view());
  while (const std::optional<Row> row = rows.next()) {
    if (Status<std::string> taken = transfer.image.take(row->table, row->key, *row->value); !taken) return taken;
  }
  transfer.has_last = part.is_last;
  transfer.state_hash = part.state_hash;
  effects.image_steps.push_back({.kind = part.is_last ? ImageStep::Kind::last_rows : ImageStep::Kind::rows,
                                 .image = part.image,
                                 .parts = part.number + 1,
                                 .rows = part.rows});
  return Done{};
}

Result<bool, std::string> SnapshotReceiver::finish_some() {
  Result<bool, std::string> finished = transfer_->image.finish_some(limits_.snapshot_keys_a_step);
  if (!finished || !finished.value()) return finished;
  if (transfer_->image.applied != transfer_->offer.mark) return std::string("it stands for another entry");
  if (transfer_->image.applier->hash() != transfer_->state_hash) return std::string("its state has another hash");
  return finished;
}

void SnapshotReceiver::refuse(const std::string& why, Effects& effects) {
  effects.trace.push_back(
      {TraceLevel::error, "refused a snapshot", {{"from", raft::describe(transfer_->from)}, {"error", why}}});
  const MemberId from = transfer_->from;
  const raft::SnapshotOffer offer = transfer_->offer;
  drop(effects);
  transfer_.emplace(from, offer);
  transfer_->refusal = why;
  owes_reply_ = true;
}

bool SnapshotReceiver::has_more() const {
  return transfer_.has_value() && (!transfer_->waiting.empty() || (transfer_->has_last && !transfer_->is_finished));
}

std::optional<raft::Mark> SnapshotReceiver::complete() const {
  if (!transfer_.has_value() || !transfer_->is_finished || transfer_->staged < transfer_->received) return std::nullopt;
  return transfer_->offer.mark;
}

Image SnapshotReceiver::take() {
  ASSERT(complete().has_value());
  Image image = std::move(transfer_->image);
  transfer_.reset();
  return image;
}

void SnapshotReceiver::drop(Effects& effects) {
  if (!transfer_.has_value()) return;
  if (transfer_->received > 0) {
    effects.image_steps.push_back({.kind = ImageStep::Kind::drop, .image = transfer_->offer.image, .rows = {}});
  }
  transfer_.reset();
}

}  // namespace metastore
