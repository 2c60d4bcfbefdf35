#include "net/descriptors_posix.h"

#include <sys/resource.h>

#include <algorithm>

namespace metastore::net {
namespace {

/// Segments of the log, the engine's file and its checker, listeners, pipes, and one socket that is being refused.
constexpr std::uint64_t descriptors_of_our_own = 40;

}  // namespace

Limits with_room_for_files(Limits limits) {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return limits;
  if (descriptors.rlim_cur < descriptors.rlim_max) {
    rlimit raised = descriptors;
    raised.rlim_cur = raised.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) descriptors = raised;
  }
  const std::uint64_t all = descriptors.rlim_cur;
  const std::uint64_t sockets = all > descriptors_of_our_own ? all - descriptors_of_our_own : 1;
  limits.connections_refused_max = std::min(limits.connections_refused_max, sockets / 4);
  limits.connections_max = std::min(limits.connections_max, sockets - limits.connections_refused_max);
  return limits;
}

}  // namespace metastore::net
