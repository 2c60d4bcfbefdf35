// Which requests of a connection have begun and are not whole, in the order in which their clients last said something
// of them, so that the one that has been silent for longest is known at once. The chain runs through places that the
// streams keep: nothing is allocated for a request.
#ifndef METASTORE_API_UNFINISHED_REQUESTS_H_
#define METASTORE_API_UNFINISHED_REQUESTS_H_

#include <optional>
#include <utility>

#include "core/base/time.h"

namespace metastore::api {

class UnfinishedRequests {
 public:
  struct Place {
    bool is_taken = false;
    Instant heard_at;
    Place* before = nullptr;
    Place* after = nullptr;
  };

  /// The request at `place` has begun or gone on, and is not whole.
  void heard(Place& place, Instant now) {
    finished(place);
    place = {true, now, last_, nullptr};
    (last_ == nullptr ? first_ : last_->after) = &place;
    last_ = &place;
  }
  /// It is whole, or will never be. A place that is not taken changes nothing.
  void finished(Place& place) {
    if (!place.is_taken) return;
    const Place left = std::exchange(place, {});
    (left.before == nullptr ? first_ : left.before->after) = left.after;
    (left.after == nullptr ? last_ : left.after->before) = left.before;
  }
  std::optional<Instant> silent_since() const {
    return first_ == nullptr ? std::nullopt : std::optional(first_->heard_at);
  }

 private:
  Place* first_ = nullptr;
  Place* last_ = nullptr;
};

}  // namespace metastore::api

#endif  // METASTORE_API_UNFINISHED_REQUESTS_H_
