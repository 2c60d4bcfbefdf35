// Law 5 and O10: each request gets exactly one reply, in time, and no more of them wait than the limits say. Judged at
// the boundary of the replica, on inputs and effects.
#ifndef METASTORE_SIM_CHECKERS_REPLIES_H_
#define METASTORE_SIM_CHECKERS_REPLIES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

class ReplyChecker {
 public:
  ReplyChecker(const Limits& limits, Duration patience) : limits_(limits), patience_(patience) {}

  /// Times are the member's.
  std::optional<Violation> on_request(Instant now, RequestId id, Instant deadline);
  std::optional<Violation> on_reply(Instant now, RequestId id);
  /// Of a request whose reply came in chunks, or of a stream, which is none.
  std::optional<Violation> on_stream_end(Instant now, RequestId id) {
    return waiting_.contains(id) ? on_reply(now, id) : std::nullopt;
  }
  /// Its client listens no more, to a stream or to a reply in chunks: nothing is owed.
  void on_closed(RequestId id);
  /// At the end of a turn.
  std::optional<Violation> on_turn(Instant now) const;
  /// The member was paused for so long: it has that much more time.
  void on_paused(Duration length);
  /// The member is gone, and its debts with it.
  void on_crash();
  std::uint64_t judged() const { return judged_; }
  std::size_t waiting_max() const { return waiting_max_; }

 private:
  Limits limits_;
  Duration patience_;                            ///< How long a reply may take past the request's deadline.
  std::map<RequestId, Instant> waiting_;         ///< And until when.
  std::set<std::pair<Instant, RequestId>> due_;  ///< The same, the most urgent first.
  std::size_t waiting_max_ = 0;
  std::uint64_t judged_ = 0;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_REPLIES_H_
