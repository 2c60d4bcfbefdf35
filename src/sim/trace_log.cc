#include "sim/trace_log.h"

namespace metastore::sim {

std::string seconds_text(Instant at) {
  const std::int64_t microseconds = at.nanoseconds() / 1000;
  std::string fraction = std::to_string(microseconds % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::to_string(microseconds / 1'000'000) + "." + fraction + "s";
}

void TraceLog::add(Instant at, std::string_view who, std::string_view what) {
  if (!is_wanted_) return;
  while (what.ends_with('\n')) what.remove_suffix(1);
  if (what.empty()) return;
  text_ += "[" + seconds_text(at) + "] " + std::string(who) + " > " + std::string(what) + "\n";
}

}  // namespace metastore::sim
