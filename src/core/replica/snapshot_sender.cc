#include "core/replica/snapshot_sender.h"

#include <algorithm>
#include <utility>

#include "core/mvcc/hash.h"

namespace metastore {
namespace {

Duration milliseconds(std::uint64_t count) { return Duration::milliseconds(static_cast<std::int64_t>(count)); }

}  // namespace

std::uint64_t checksum_of(std::uint64_t checksum_before, BytesView rows) {
  // An odd factor, so that the order of the parts counts.
  return checksum_before * 0x9e37'79b9'7f4a'7c15 + mvcc::hash_of(rows);
}

SnapshotSender::SnapshotSender(MemberId self, std::uint64_t incarnation, Duration offer_interval, const Limits& limits)
    : self_(self), offer_interval_(offer_interval), limits_(limits), last_image_(incarnation << 32) {}

Duration SnapshotSender::silence_max() const { return milliseconds(limits_.snapshot_silence_ms); }

void SnapshotSender::open(Instant now, Term term, MemberId peer, ImageReader reader, std::uint64_t size_bytes) {
  transfers_.erase(peer);
  transfers_.emplace(peer, Transfer{.term = term,
                                    .image = ++last_image_,
                                    .reader = std::move(reader),
                                    .size_bytes = size_bytes,
                                    .opened_at = now,
                                    .heard_at = now,
                                    .offer_at = now,
                                    .parts = {}});
}

bool SnapshotSender::on_reply(Instant now, MemberId peer, const raft::SnapshotReply& reply) {
  const auto found = transfers_.find(peer);
  if (found == transfers_.end() || found->second.image != reply.image) return false;
  Transfer& transfer = found->second;
  if (!reply.wanted) return true;
  if (transfer.term != reply.term) return false;
  if (!std::exchange(transfer.is_wanted, true)) transfer.incarnation = reply.incarnation;
  // Its next run has none of the parts that this one has forgotten.
  if (transfer.incarnation < reply.incarnation && transfer.acknowledged > 0) transfer.is_lost = true;
  if (transfer.incarnation > reply.incarnation || reply.parts > transfer.acknowledged + transfer.parts.size()) {
    return false;
  }
  transfer.incarnation = reply.incarnation;
  if (reply.parts < transfer.acknowledged) return false;
  transfer.heard_at = now;
  if (reply.parts > transfer.acknowledged) {
    transfer.may_go_back = true;
    transfer.offer_at = now + offer_interval_;
    for (; transfer.acknowledged < reply.parts; ++transfer.acknowledged) {
      transfer.bytes -= transfer.parts.front().rows.size();
      transfer.parts.pop_front();
    }
    transfer.sent = std::max(transfer.sent, transfer.acknowledged);
  } else if (std::exchange(transfer.may_go_back, false)) {
    // It has come no further: what was sent behind that may have been lost.
    transfer.sent = transfer.acknowledged;
  }
  return false;
}

void SnapshotSender::run(Instant now, const mvcc::Store& store, std::vector<raft::Envelope>& out) {
  has_more_ = false;
  bytes_left_ = limits_.snapshot_bytes_a_step;
  keys_left_ = limits_.snapshot_keys_a_step;
  for (auto& [peer, transfer] : transfers_) {
    if (now >= transfer.offer_at) {
      transfer.offer_at = now + offer_interval_;
      transfer.may_go_back = true;
      out.push_back(
          {self_, peer,
           raft::SnapshotOffer{transfer.term, transfer.reader.applied(), transfer.image, transfer.size_bytes}});
    }
    if (transfer.is_wanted && !transfer.is_lost) send(peer, transfer, store, out);
  }
}

void SnapshotSender::send(MemberId peer, Transfer& transfer, const mvcc::Store& store,
                          std::vector<raft::Envelope>& out) {
  for (;;) {
    for (; transfer.sent < transfer.acknowledged + transfer.parts.size(); ++transfer.sent) {
      out.push_back({self_, peer, transfer.parts[transfer.sent - transfer.acknowledged]});
    }
    if (transfer.reader.is_finished() || transfer.bytes >= window_bytes()) return;
    if (bytes_left_ == 0 || keys_left_ == 0 || !read(transfer, store)) {
      has_more_ = true;
      return;
    }
  }
}

bool SnapshotSender::read(Transfer& transfer, const mvcc::Store& store) {
  std::optional<Bytes> rows = transfer.reader.read(store, limits_.snapshot_part_bytes, keys_left_);
  if (!rows.has_value()) return false;
  bytes_left_ -= std::min<std::uint64_t>(bytes_left_, rows->size());
  transfer.bytes += rows->size();
  transfer.checksum = checksum_of(transfer.checksum, rows->view());
  const bool is_last = transfer.reader.is_finished();
  transfer.parts.push_back({.term = transfer.term,
                            .image = transfer.image,
                            .number = transfer.acknowledged + transfer.parts.size(),
                            .is_last = is_last,
                            .checksum = transfer.checksum,
                            .state_hash = is_last ? transfer.reader.state_hash() : 0,
                            .rows = std::move(*rows)});
  return true;
}

std::vector<MemberId> SnapshotSender::take_lost(Instant now) {
  std::vector<MemberId> lost;
  std::erase_if(transfers_, [&](const auto& entry) {
    const Transfer& transfer = entry.second;
    if (!transfer.is_lost && now < transfer.heard_at + silence_max()) return false;
    lost.push_back(entry.first);
    return true;
  });
  return lost;
}

bool SnapshotSender::is_reading_behind(Revision compacted) const {
  return std::any_of(transfers_.begin(), transfers_.end(), [compacted](const auto& entry) {
    return !entry.second.is_lost && entry.second.reader.is_reading_behind(compacted);
  });
}

bool SnapshotSender::hold_back(Instant now, const mvcc::Store& store) {
  const bool holds_too_much = store.unfreed_bytes() > limits_.snapshot_held_bytes_max;
  for (auto& [peer, transfer] : transfers_) {
    if (!transfer.reader.is_reading_behind(store.compact_revision())) continue;
    const bool is_late = now >= transfer.opened_at + milliseconds(limits_.snapshot_hold_ms);
    transfer.is_lost = transfer.is_lost || is_late || holds_too_much;
  }
  return is_reading_behind(store.compact_revision());
}

std::vector<MemberId> SnapshotSender::peers() const {
  std::vector<MemberId> peers;
  for (const auto& [peer, transfer] : transfers_) peers.push_back(peer);
  return peers;
}

Instant SnapshotSender::wake_at() const {
  Instant at = Instant::never();
  for (const auto& [peer, transfer] : transfers_) {
    at = std::min({at, transfer.offer_at, transfer.heard_at + silence_max()});
  }
  return at;
}

std::uint64_t SnapshotSender::unacknowledged_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [peer, transfer] : transfers_) bytes += transfer.bytes;
  return bytes;
}

}  // namespace metastore
