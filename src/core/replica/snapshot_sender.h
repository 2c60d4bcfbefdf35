// The leader's side of snapshots: an image of the state for each peer that needs entries which have left memory, read
// in slices and sent in parts that the peer acknowledges once they are durable there. What is sent and not acknowledged
// is kept within a window, so that a broken connection costs no more than that; what is read a step is bounded for all
// peers together. It knows neither Raft nor the network: it is told who wants one, and fills envelopes.
#ifndef METASTORE_CORE_REPLICA_SNAPSHOT_SENDER_H_
#define METASTORE_CORE_REPLICA_SNAPSHOT_SENDER_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "core/base/limits.h"
#include "core/base/time.h"
#include "core/raft/types.h"
#include "core/replica/image_reader.h"

namespace metastore {

/// Parts of one image are numbered from 0; each carries a checksum of the rows of all up to it.
std::uint64_t checksum_of(std::uint64_t checksum_before, BytesView rows);

class SnapshotSender {
 public:
  /// `offer_interval`: an offer is repeated when so long nothing has been acknowledged.
  SnapshotSender(MemberId self, std::uint64_t incarnation, Duration offer_interval, const Limits& limits);

  /// From now on `peer` is sent this image, and no other. Requires: `reader` has not read yet.
  void open(Instant now, Term term, MemberId peer, ImageReader reader, std::uint64_t size_bytes);
  /// Returns whether the peer wants no more of what it is being sent.
  [[nodiscard]] bool on_reply(Instant now, MemberId peer, const raft::SnapshotReply& reply);
  void close(MemberId peer) { transfers_.erase(peer); }
  void close_all() { transfers_.clear(); }

  /// Reads as much as one step may, sends what fits, and repeats offers.
  void run(Instant now, const mvcc::Store& store, std::vector<raft::Envelope>& out);
  /// Those whose peers have been silent for too long, or have come back without what they had; they are closed.
  std::vector<MemberId> take_lost(Instant now);

  /// Whether what a compaction at `compacted` gave up is still being read.
  bool is_reading_behind(Revision compacted) const;
  /// The same; but those for which it has waited long enough, or has kept enough, are closed and handed to take_lost().
  bool hold_back(Instant now, const mvcc::Store& store);

  std::vector<MemberId> peers() const;
  bool empty() const { return transfers_.empty(); }
  /// Whether run() could do more at once.
  bool has_more() const { return has_more_; }
  Instant wake_at() const;
  /// Sent, or read to be sent, and not acknowledged.
  std::uint64_t unacknowledged_bytes() const;

 private:
  struct Transfer {
    Term term;
    std::uint64_t image = 0;
    ImageReader reader;
    std::uint64_t size_bytes = 0;
    Instant opened_at;
    Instant heard_at;  ///< That it holds what it was known to hold.
    Instant offer_at;  ///< When the offer is due, again.
    bool is_wanted = false;
    bool is_lost = false;
    bool may_go_back = true;  ///< Once for each offer and each part that is acknowledged.
    std::uint64_t incarnation = 0;
    std::uint64_t acknowledged = 0;        ///< Parts.
    std::uint64_t sent = 0;                ///< Parts, since going back.
    std::uint64_t checksum = 0;            ///< Of all that were read.
    std::deque<raft::SnapshotPart> parts;  ///< Read and not acknowledged.
    std::uint64_t bytes = 0;               ///< Of these.
  };

  void send(MemberId peer, Transfer& transfer, const mvcc::Store& store, std::vector<raft::Envelope>& out);
  bool read(Transfer& transfer, const mvcc::Store& store);
  Duration silence_max() const;
  /// Half of what may wait for one peer: what finds no room there is lost, and costs an offer's time.
  std::uint64_t window_bytes() const {
    return std::min(limits_.snapshot_window_bytes, limits_.peer_bulk_bytes_max / 2);
  }

  const MemberId self_;
  const Duration offer_interval_;
  const Limits limits_;
  std::uint64_t last_image_;
  std::map<MemberId, Transfer> transfers_;
  std::uint64_t bytes_left_ = 0;  ///< Of this step.
  std::uint64_t keys_left_ = 0;   ///< Of this step.
  bool has_more_ = false;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_SNAPSHOT_SENDER_H_
