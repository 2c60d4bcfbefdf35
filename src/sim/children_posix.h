// Runs in child processes, because a run may end in a failed assertion: some at once, each with a limit of real time.
// What a child writes into its pipe is all that its parent hears of it. It must never leave a child behind.
#ifndef METASTORE_SIM_CHILDREN_POSIX_H_
#define METASTORE_SIM_CHILDREN_POSIX_H_

#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

namespace metastore::sim {

struct ChildEnd {
  std::string output;      ///< What it wrote into its file, and to standard error.
  bool is_killed = false;  ///< By a signal: an assertion.
  bool is_late = false;    ///< By us.
};

/// Lets `body(i, file)` run in a child for each i below `count`, at most `jobs` of them at once, and returns the first
/// i in order whose end is `wanted`; nobody waits for those behind it.
std::optional<std::size_t> first_child(std::size_t count, std::size_t jobs, int seconds_max,
                                       const std::function<void(std::size_t, std::FILE*)>& body,
                                       const std::function<bool(const ChildEnd&)>& wanted);

/// One child.
ChildEnd run_child(int seconds_max, const std::function<void(std::FILE*)>& body);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHILDREN_POSIX_H_
