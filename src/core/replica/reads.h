// Linearizable reads on their way: gathered during a turn, confirmed by one ReadIndex round, served once the confirmed
// index is applied (thesis 6.4). It knows neither Raft nor the store: the replica moves reads from stage to stage.
#ifndef METASTORE_CORE_REPLICA_READS_H_
#define METASTORE_CORE_REPLICA_READS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"
#include "core/kv/request.h"
#include "core/replica/waiting.h"

namespace metastore {

struct Read {
  Waiting::Key key = 0;
  kv::Request request;
  Instant deadline = Instant::never();  ///< The client's.
};

class Reads {
 public:
  /// `incarnation` goes into every context, so that no answer to a former run of this member counts (design, law 6).
  explicit Reads(std::uint64_t incarnation) : last_context_(incarnation << 32) {}

  void gather(Read read) { gathered_.push_back(std::move(read)); }
  bool has_gathered() const { return !gathered_.empty(); }
  /// What was gathered becomes a round. Returns the context that names it.
  std::uint64_t begin_round();
  /// The round may be served at `index`; a context that is not under way changes nothing.
  void confirm(std::uint64_t context, LogIndex index);
  /// Nobody will confirm the rounds that are not confirmed: their reads are gathered anew.
  void regather();
  /// Takes out the reads that may be served now that `applied` is reached.
  std::vector<Read> take_ready(LogIndex applied);
  /// Forgets those that nobody waits for any more.
  void forget_late(const Waiting& waiting);

 private:
  struct Round {
    std::uint64_t context = 0;
    std::optional<LogIndex> index;
    std::vector<Read> reads;
  };

  std::uint64_t last_context_;
  std::vector<Read> gathered_;
  std::deque<Round> rounds_;  ///< In the order of their contexts.
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_READS_H_
