// The client requests that have not been answered, each with its deadline: whoever takes one out owes its reply, so
// that every request gets exactly one (design, law 5).
#ifndef METASTORE_CORE_REPLICA_WAITING_H_
#define METASTORE_CORE_REPLICA_WAITING_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore {

class Waiting {
 public:
  /// Rises by one with each request.
  using Key = std::uint64_t;

  /// What a request waits for.
  enum class For : std::uint8_t { read, proposal };

  struct Expired {
    RequestId request;
    ErrorCode error;
    For what;
    Instant since;
  };

  explicit Waiting(Duration request_timeout) : request_timeout_(request_timeout) {}

  Key add(RequestId request, For what, Instant now, Instant client_deadline);
  /// The request behind `key`, which is then no longer waiting; nothing if it was answered before.
  std::optional<RequestId> take(Key key);
  /// The same, while it goes on waiting.
  std::optional<RequestId> find(Key key) const;
  bool contains(Key key) const { return requests_.contains(key); }
  /// Takes out one whose deadline has come. The client's own gives deadline_exceeded, ours gives timeout.
  std::optional<Expired> take_expired(Instant now);

  Instant next_deadline() const { return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first; }
  std::size_t size() const { return requests_.size(); }
  std::size_t proposals() const { return proposals_; }
  bool empty() const { return requests_.empty(); }

 private:
  struct Request {
    RequestId id;
    Instant since;
    Instant deadline;
    ErrorCode at_deadline;
    For what;
  };

  void erase(absl::btree_map<Key, Request>::iterator place);

  const Duration request_timeout_;
  Key last_key_ = 0;
  std::size_t proposals_ = 0;  ///< Of requests_.
  absl::btree_map<Key, Request> requests_;
  absl::btree_set<std::pair<Instant, Key>> deadlines_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_WAITING_H_
