// What a run tells about itself while it goes, as lines; kept only if somebody wants to read them.
// It decides nothing and is no part of the rolling hash.
#ifndef METASTORE_SIM_TRACE_LOG_H_
#define METASTORE_SIM_TRACE_LOG_H_

#include <string>
#include <string_view>
#include <utility>

#include "core/base/time.h"

namespace metastore::sim {

/// "12.000345s": virtual time since the run's beginning.
std::string seconds_text(Instant at);

class TraceLog {
 public:
  explicit TraceLog(bool is_wanted) : is_wanted_(is_wanted) {}
  bool is_wanted() const { return is_wanted_; }
  /// `who` is "member 1", "client 3", "nemesis".
  void add(Instant at, std::string_view who, std::string_view what);
  std::string take() { return std::exchange(text_, {}); }

 private:
  bool is_wanted_;
  std::string text_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_TRACE_LOG_H_
