// A value or the reason why there is none. No exceptions: a Result must be looked at.
#ifndef METASTORE_CORE_BASE_RESULT_H_
#define METASTORE_CORE_BASE_RESULT_H_

#include <utility>
#include <variant>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace metastore {

template <typename T, typename E = ErrorCode>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Requires: ok().
  T& value() & {
    ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  /// Requires: !ok().
  const E& error() const {
    ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, E> state_;
};

/// Success without a value.
struct Done {
  bool operator==(const Done&) const = default;
};

template <typename E = ErrorCode>
using Status = Result<Done, E>;

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_RESULT_H_
