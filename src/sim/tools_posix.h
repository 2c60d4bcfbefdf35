// The commands that look at one run, each in a file of its own: they read and write files, start child processes, and
// look at real time. main.cc calls them; nothing that is simulated may.
#ifndef METASTORE_SIM_TOOLS_POSIX_H_
#define METASTORE_SIM_TOOLS_POSIX_H_

#include "sim/tool_options.h"

namespace metastore::sim {

/// Each returns the exit status.
int run_scenario(const ToolOptions& options);
int print_plan(const ToolOptions& options);
int shrink_run(const ToolOptions& options);
int report_run(const ToolOptions& options);
int print_panels(const ToolOptions& options);
int run_speed();
int print_hashes(const ToolOptions& options);
int compare_runs(const ToolOptions& options);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_TOOLS_POSIX_H_
