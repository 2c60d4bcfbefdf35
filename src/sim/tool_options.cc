#include "sim/tool_options.h"

#include <utility>

#include "sim/words.h"

namespace metastore::sim {

std::optional<ToolOptions> parse_tool_options(const std::vector<std::string_view>& words) {
  ToolOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--calm") {
      options.is_calm = true;
      continue;
    }
    if (words[i] == "--speed") {
      options.is_speed = true;
      continue;
    }
    if (words[i] == "--trace") {
      options.is_trace_wanted = true;
      continue;
    }
    if (i + 1 == words.size()) return std::nullopt;
    const std::string_view name = words[i];
    const std::string_view value = words[++i];
    if (name == "--plan") {
      options.plan_path = value;
      continue;
    }
    if (name == "--with" || name == "--and-plan") {
      (name == "--with" ? options.other_binary : options.other_plan_path) = value;
      continue;
    }
    if (name == "-o") {
      options.output_path = value;
      continue;
    }
    if (name == "--until") {
      const auto until = parse_duration(std::string(value) + (value.ends_with("s") ? "" : "s"));
      if (!until) return std::nullopt;
      options.until = Instant() + *until;
      continue;
    }
    const auto number = parse_count(value);
    if (!number) return std::nullopt;
    if (name == "--until-event") {
      options.until_events.push_back(*number);
    } else if (name == "--trace-event") {
      options.trace_event = *number;
    } else if (name == "--seed") {
      options.seed = *number;
    } else if (name == "--members" && *number > 0 && *number <= 7) {
      options.members = *number;
    } else if (name == "--seconds" && *number > 0 && *number < 1'000'000) {
      options.seconds = *number;
    } else if (name == "--jobs" && *number > 0 && *number < 1'000) {
      options.jobs = *number;
    } else {
      return std::nullopt;
    }
  }
  const int runs = (options.seed ? 1 : 0) + (options.is_speed ? 1 : 0) + (options.plan_path.empty() ? 0 : 1);
  return runs == 1 ? std::optional(std::move(options)) : std::nullopt;
}

std::string name_of(const ToolOptions& options) {
  if (options.is_speed) return "the speed profile";
  return options.seed ? "seed " + std::to_string(*options.seed) : options.plan_path;
}

Plan drawn_plan(const ToolOptions& options) {
  Plan plan = options.is_speed ? speed_plan() : draw_plan(*options.seed, options.members);
  return options.is_calm ? without_faults(std::move(plan)) : plan;
}

}  // namespace metastore::sim
