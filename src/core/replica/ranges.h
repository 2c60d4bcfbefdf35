// The ranges that take more than a moment: each is listed in slices, so many a step for all of them, and those that
// were not done go on in later steps, in turns. What is too large for one reply is sent in chunks, and only while its
// reader takes them: a stalled one costs its credit and a place in the store. It knows nothing of clients and Raft.
//
// While a range is under way, nothing may be freed that it still reads; it gives way to a compaction after a time.
#ifndef METASTORE_CORE_REPLICA_RANGES_H_
#define METASTORE_CORE_REPLICA_RANGES_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <deque>
#include <utility>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/listing.h"
#include "core/mvcc/store.h"
#include "core/replica/effects.h"

namespace metastore {

/// Whether proposals may wait for the next turn, since the last came at `proposed_at`, a moment ago: lists and their
/// like do little then.
bool are_proposing(Instant now, Instant proposed_at);

class Ranges {
 public:
  explicit Ranges(const Limits& limits);

  /// Answers at once, if that takes no more than is left of this step, or begins to.
  void begin(const mvcc::Store& store, RequestId id, kv::Listing listing, Instant deadline, Effects& effects);
  /// Goes on with those that may, and ends those whose deadline has come. At the end of each turn.
  void run(const mvcc::Store& store, Instant now, Instant proposed_at, Effects& effects);
  /// Whether some could go on now.
  bool has_more() const { return !ready_.empty(); }

  void drained(RequestId id, std::uint64_t bytes);
  /// Forgets it, if it is here.
  void close(RequestId id);
  /// Ends all: the store that they read is about to go.
  void end_all(ErrorCode error, Effects& effects);

  /// Whether what a compaction at `compacted` gave up is still being read.
  bool are_reading_behind(Revision compacted) const { return !pins_.empty() && pins_.begin()->first < compacted; }
  /// The same; but those for which the compaction has waited long enough are ended.
  bool hold_back(Revision compacted, Instant now, Effects& effects);

  Instant wake_at() const;
  std::size_t size() const { return ranges_.size(); }
  void check_invariants() const;

 private:
  struct Range {
    kv::Listing listing;
    Instant deadline;
    std::uint64_t held_bytes = 0;
    std::uint64_t undrained_bytes = 0;
    bool is_ready = false;   ///< Stands in `ready_`.
    bool has_begun = false;  ///< Some of it was sent.
  };
  using Found = absl::btree_map<RequestId, Range>::iterator;

  /// Does what the budget allows, up to `keys` of it; false if the range has ended.
  bool go_on(Found range, const mvcc::Store& store, std::uint64_t keys, Effects& effects);
  void send(Found range, kv::Listing::Part part, Effects& effects);
  void end(Found range, std::optional<ErrorCode> error, Effects& effects);
  void forget(Found range);
  void count_held(Range& range, std::uint64_t bytes);
  bool has_credit(const Range& range) const;
  void make_ready(Found range);

  const Limits limits_;
  const std::uint64_t chunk_bytes_;  ///< About what is sent of one range at a time.
  absl::btree_map<RequestId, Range> ranges_;
  std::deque<RequestId> ready_;  ///< Whose turn is next; some have ended since.
  absl::btree_set<std::pair<Revision, RequestId>> pins_;
  absl::btree_set<std::pair<Instant, RequestId>> deadlines_;  ///< Of those that have one.
  std::uint64_t held_bytes_ = 0;
  std::uint64_t undrained_bytes_ = 0;
  std::uint64_t keys_left_;   ///< Of this step.
  std::uint64_t bytes_left_;  ///< Of this step.
  Instant held_back_until_ = Instant::never();
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_RANGES_H_
