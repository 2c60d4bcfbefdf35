// ReadIndex rounds (thesis 6.4): a leader proves that it still leads before a read is served, once for many reads.
// A round begins when the former one is done, takes all reads that wait, and is carried by the appends of its time; it
// is confirmed when a quorum has echoed its number in this term. It must never begin before the leader has committed
// an entry of its own term, since until then its commit index may lie behind what former leaders acknowledged.
#ifndef METASTORE_CORE_RAFT_READ_INDEX_H_
#define METASTORE_CORE_RAFT_READ_INDEX_H_

#include <cstdint>
#include <vector>

#include "core/raft/raft.h"

namespace metastore::raft {

/// Lives as long as one leadership; numbers begin at 1.
class ReadRounds {
 public:
  /// The newest round; 0 before the first.
  std::uint64_t number() const { return number_; }

  void add(std::uint64_t context) { waiting_.push_back(context); }
  bool can_begin() const { return reading_.empty() && !waiting_.empty(); }
  /// Requires: can_begin(), and `commit` covers an entry of the leader's own term.
  void begin(LogIndex commit);
  /// A quorum has echoed `number`.
  void confirm(std::uint64_t number, Output& out);
  /// The leadership ends.
  void fail(Output& out);

 private:
  std::uint64_t number_ = 0;
  LogIndex index_;                      ///< What the reads of the round under way must see applied.
  std::vector<std::uint64_t> reading_;  ///< Contexts of the round under way.
  std::vector<std::uint64_t> waiting_;  ///< Contexts that came since: the round under way says nothing about them.
};

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_READ_INDEX_H_
