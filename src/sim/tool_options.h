// The words behind the commands that look at one run: shrink, report, compare, and run --plan. They name the run, by
// its seed or by its file, and what is wanted of it.
#ifndef METASTORE_SIM_TOOL_OPTIONS_H_
#define METASTORE_SIM_TOOL_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "sim/plan.h"

namespace metastore::sim {

struct ToolOptions {
  std::optional<std::uint64_t> seed;
  bool is_speed = false;      ///< speed_plan(), in place of a seed.
  std::uint64_t members = 0;  ///< 0: as drawn.
  bool is_calm = false;
  std::string plan_path;    ///< Of a scenario, in place of a seed.
  std::string output_path;  ///< "": as the command likes.
  std::uint64_t seconds = 300;
  std::uint64_t jobs = 2;
  bool is_trace_wanted = false;
  Instant until = Instant::never();
  std::uint64_t trace_event = 0;  ///< The one to be traced; 0: none.
  std::string other_binary;       ///< To compare with, as the next.
  std::string other_plan_path;
  std::vector<std::uint64_t> until_events;  ///< Of the world, rising.
};

/// None if they make no sense, or name no run.
std::optional<ToolOptions> parse_tool_options(const std::vector<std::string_view>& words);

/// "seed 5", or the path of its file.
std::string name_of(const ToolOptions& options);

/// Requires: there is a seed, or it is speed_plan().
Plan drawn_plan(const ToolOptions& options);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_TOOL_OPTIONS_H_
