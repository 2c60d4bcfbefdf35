// The follower's side of snapshots: takes the parts of an image that a leader offered, in their order, makes a state of
// their rows beside the one that serves, and has the engine keep them beside its own. Nothing of it is seen before all
// of it is there, and right: each part by its checksum, the whole by the entry that it stands for and its hash. It
// trusts nothing that it is sent; work a step and what waits for it are bounded.
#ifndef METASTORE_CORE_REPLICA_SNAPSHOT_RECEIVER_H_
#define METASTORE_CORE_REPLICA_SNAPSHOT_RECEIVER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/raft/types.h"
#include "core/replica/effects.h"
#include "core/replica/image.h"
#include "core/replica/input.h"

namespace metastore {

class SnapshotReceiver {
 public:
  SnapshotReceiver(MemberId self, std::uint64_t incarnation, const Limits& limits)
      : self_(self), incarnation_(incarnation), limits_(limits) {}

  /// Requires: Raft has use for what `offer` stands for.
  void on_offer(MemberId from, const raft::SnapshotOffer& offer);
  void on_part(MemberId from, const raft::SnapshotPart& part);
  void on_staged(const ImageStaged& staged);

  /// Takes as much as one step may, and tells how far it has come.
  void run(Effects& effects, std::vector<raft::Envelope>& out);
  bool has_more() const;

  /// What the image stands for, once all of it is here, right and staged.
  std::optional<raft::Mark> complete() const;
  /// Requires: complete(), and it is staged no more.
  Image take();
  /// It is of no use any more, if there is one.
  void drop(Effects& effects);

  /// That which is being taken; 0 if none is.
  std::uint64_t image() const { return transfer_ ? transfer_->offer.image : 0; }
  /// Of its entry.
  LogIndex index() const { return transfer_ ? transfer_->offer.mark.index : LogIndex(); }
  /// Of parts that wait to be looked at.
  std::uint64_t waiting_bytes() const { return transfer_ ? transfer_->waiting_bytes : 0; }

 private:
  struct Transfer {
    Transfer(MemberId from_, raft::SnapshotOffer offer_) : from(from_), offer(std::move(offer_)) {}

    MemberId from;
    raft::SnapshotOffer offer;
    Image image{Image::Source::snapshot};
    std::deque<raft::SnapshotPart> waiting;
    std::uint64_t waiting_bytes = 0;
    std::uint64_t received = 0;  ///< Parts.
    std::uint64_t staged = 0;    ///< Parts.
    std::uint64_t checksum = 0;
    std::uint64_t state_hash = 0;
    bool has_last = false;     ///< All parts have been taken.
    bool is_finished = false;  ///< The image is whole and right.
    std::string refusal;       ///< Why it is not; then nothing more is taken of it.
  };

  Status<std::string> take_some(Effects& effects);
  Status<std::string> take_part(const raft::SnapshotPart& part, Effects& effects);
  /// Whether the image is whole.
  Result<bool, std::string> finish_some();
  void refuse(const std::string& why, Effects& effects);

  const MemberId self_;
  const std::uint64_t incarnation_;
  const Limits limits_;
  std::optional<Transfer> transfer_;
  bool owes_reply_ = false;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_SNAPSHOT_RECEIVER_H_
