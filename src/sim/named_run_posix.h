// The run that the words of a command name: a seed's, as it is drawn, or one that was written down in a file.
// It must never differ from what `run` does with the same words.
#ifndef METASTORE_SIM_NAMED_RUN_POSIX_H_
#define METASTORE_SIM_NAMED_RUN_POSIX_H_

#include <cstdio>
#include <optional>
#include <string>

#include "sim/scenario.h"
#include "sim/text_file_posix.h"
#include "sim/tool_options.h"

namespace metastore::sim {

/// None, with a word on standard error, if there is none.
inline std::optional<WrittenRun> named_run(const ToolOptions& options) {
  if (options.plan_path.empty()) return WrittenRun{drawn_plan(options), {}};
  const auto text = read_text_file(options.plan_path);
  std::string wrong;
  auto run = text ? read_written_run(*text, wrong) : std::nullopt;
  if (text && !run) std::fprintf(stderr, "%s: %s\n", options.plan_path.c_str(), wrong.c_str());
  return run;
}

/// To be called before the first step.
inline void begin(Simulation& simulation, const WrittenRun& run) {
  if (!run.plan.is_scripted) return;
  simulation.play(run.deeds);
  simulation.conclude();
}

}  // namespace metastore::sim

#endif  // METASTORE_SIM_NAMED_RUN_POSIX_H_
