#include "core/raft/progress.h"

#include <algorithm>

#include "core/base/assert.h"

namespace metastore::raft {

void Progress::on_sent(LogIndex last, std::uint64_t bytes) {
  ASSERT(mode_ == Mode::replicate);
  ASSERT(last >= next_index_);
  next_index_ = last.next();
  inflights_.push_back({last, bytes});
  inflight_bytes_ += bytes;
}

void Progress::on_accepted(LogIndex match) {
  match_index_ = std::max(match_index_, match);
  // A late answer from before: what lies between has left memory all the same.
  if (mode_ == Mode::snapshot && match_index_.next() < next_index_) return;
  while (!inflights_.empty() && inflights_.front().last <= match_index_) {
    inflight_bytes_ -= inflights_.front().bytes;
    inflights_.pop_front();
  }
  // Behind an index that is known to match nothing can be rejected, so a probed peer is sure of its place again.
  if (mode_ != Mode::replicate) next_index_ = match_index_.next();
  mode_ = Mode::replicate;
  next_index_ = std::max(next_index_, match_index_.next());
}

bool Progress::on_rejected(LogIndex rejected, LogIndex hint) {
  if (mode_ == Mode::snapshot || rejected <= match_index_ || rejected >= next_index_) return false;
  if (mode_ == Mode::probe && rejected != next_index_.previous()) return false;
  probe_from(std::min(rejected, hint.next()));
  return true;
}

void Progress::on_compacted(LogIndex compacted) {
  if (next_index_ > compacted) return;
  if (mode_ == Mode::replicate) mode_ = Mode::probe;
  next_index_ = compacted.next();
  forget_inflights();
}

void Progress::probe_from(LogIndex next) {
  mode_ = Mode::probe;
  next_index_ = std::max(next, match_index_.next());
  forget_inflights();
}

void Progress::await_snapshot() {
  mode_ = Mode::snapshot;
  forget_inflights();
}

void Progress::forget_inflights() {
  inflights_.clear();
  inflight_bytes_ = 0;
}

void Progress::check_invariants() const {
  ASSERT(match_index_ < next_index_);
  ASSERT(mode_ == Mode::replicate || inflights_.empty());
  LogIndex last = match_index_;
  std::uint64_t bytes = 0;
  for (const Inflight& inflight : inflights_) {
    ASSERT(inflight.last > last);
    ASSERT(inflight.last < next_index_);
    last = inflight.last;
    bytes += inflight.bytes;
  }
  ASSERT(bytes == inflight_bytes_);
}

}  // namespace metastore::raft
