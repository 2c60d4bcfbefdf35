// ReadIndex rounds (thesis 6.4): a leader proves that it still leads before a read is served, once for many reads.
// A round begins when the former one is done, takes all reads that wait, and is carried by the appends of its time; it
// is confirmed when a quorum has echoed its number in this term. It must never begin before the leader has committed
// an entry of its own term, since until then its commit index may lie behind what former leaders acknowledged.
// Other members ask the leader that they follow, one batch of reads at a time, and ask again while no answer comes.
#ifndef METASTORE_CORE_RAFT_READ_INDEX_H_
#define METASTORE_CORE_RAFT_READ_INDEX_H_

#include <cstdint>
#include <vector>

#include "core/raft/raft.h"

namespace metastore::raft {

/// The asker of a read, which may be the leader itself, and what it calls it.
struct ReadAsked {
  MemberId by;
  std::uint64_t context = 0;
  bool operator==(const ReadAsked&) const = default;
};

/// Lives as long as one leadership; numbers begin at 1.
class ReadRounds {
 public:
  /// The newest round; 0 before the first.
  std::uint64_t number() const { return number_; }

  void add(ReadAsked read) { waiting_.push_back(read); }
  /// As add(); of one member only the newest question is kept, since the answer stands for those before it too.
  void add_of_peer(ReadAsked read);
  bool can_begin() const { return reading_.empty() && !waiting_.empty(); }
  /// Requires: can_begin(), and `commit` covers an entry of the leader's own term.
  void begin(LogIndex commit);
  /// A quorum has echoed `number`. Returns the reads that this confirms, for index().
  std::vector<ReadAsked> confirm(std::uint64_t number);
  LogIndex index() const { return index_; }
  /// The leadership ends. Returns what remains unconfirmed.
  std::vector<ReadAsked> take_all();

 private:
  std::uint64_t number_ = 0;
  LogIndex index_;                  ///< What the reads of the round under way must see applied.
  std::vector<ReadAsked> reading_;  ///< Of the round under way.
  std::vector<ReadAsked> waiting_;  ///< Came since: the round under way says nothing about them.
};

/// The reads of a member that does not lead, on their way to the leader that it follows.
class ForwardedReads {
 public:
  void add(std::uint64_t context) { waiting_.push_back(context); }
  bool can_ask() const { return asked_.empty() && !waiting_.empty(); }
  /// Requires: can_ask(). Returns the context that names the batch.
  std::uint64_t ask(Instant ask_again_at);
  /// When the question, or its answer, counts as lost.
  Instant ask_again_at() const { return asked_.empty() ? Instant::never() : ask_again_at_; }
  /// Requires: a question is under way. Returns the context that names it.
  std::uint64_t ask_again(Instant ask_again_at);
  /// Answers the batch if `context` names it; an answer to anything else is late or a copy.
  void confirm(std::uint64_t context, LogIndex index, Output& out);
  bool is_asked(std::uint64_t context) const { return !asked_.empty() && asked_.back() == context; }
  /// The leader is another one, or unknown.
  void fail(Output& out);

 private:
  std::vector<std::uint64_t> asked_;
  std::vector<std::uint64_t> waiting_;
  Instant ask_again_at_;
};

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_READ_INDEX_H_
