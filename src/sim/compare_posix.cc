// `compare`: runs the same thing twice, in two processes that may be of two builds, and finds the first event after
// which their hashes differ. `run --hashes` is what it listens to.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "sim/named_run_posix.h"
#include "sim/tools_posix.h"
#include "sim/trace_log.h"

namespace metastore::sim {
namespace {

struct Closer {
  void operator()(std::FILE* pipe) const { ::pclose(pipe); }
};
using Pipe = std::unique_ptr<std::FILE, Closer>;

std::string shell_word(const std::string& word) {
  std::string out = "'";
  for (const char letter : word) out += letter == '\'' ? "'\\''" : std::string(1, letter);
  return out + "'";
}

std::string this_binary() {
  std::array<char, 4096> path;
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : "metastore-sim";
}

/// One line without its end. False if there is none.
bool read_line(const Pipe& pipe, std::string& line) {
  line.clear();
  for (int letter = std::fgetc(pipe.get()); letter != EOF; letter = std::fgetc(pipe.get())) {
    if (letter == '\n') return true;
    line += static_cast<char>(letter);
  }
  return !line.empty();
}

Pipe begin(const std::string& command) {
  Pipe pipe(::popen(command.c_str(), "r"));
  return pipe;
}

void print_event(const char* name, const std::string& command, const std::string& event) {
  std::printf("%s: %s --trace-event %s\n", name, command.c_str(), event.c_str());
  const Pipe pipe = begin(command + " --trace-event " + event);
  std::string line;
  while (pipe != nullptr && read_line(pipe, line)) std::printf("  %s\n", line.c_str());
}

}  // namespace

int print_hashes(const ToolOptions& options) {
  const auto run = named_run(options);
  if (!run) return 2;
  Simulation simulation(run->plan, options.trace_event > 0);
  begin(simulation, *run);
  if (options.trace_event > 0) {
    while (simulation.step() && simulation.events() < options.trace_event) simulation.take_trace();
    std::fputs(simulation.take_trace().c_str(), stdout);
    return 0;
  }
  while (simulation.step()) {
    std::printf("%llu %s\n", static_cast<unsigned long long>(simulation.events()), simulation.hash().c_str());
  }
  std::printf("%llu %s %s\n", static_cast<unsigned long long>(simulation.events()), simulation.hash().c_str(),
              simulation.violation() ? "FAIL" : "PASS");
  return 0;
}

int compare_runs(const ToolOptions& options) {
  // Another file is a run of its own: nothing that names the first one goes with it.
  std::string words = options.seed ? " --seed " + std::to_string(*options.seed) : "";
  if (options.is_speed) words += " --speed";
  if (options.members > 0) words += " --members " + std::to_string(options.members);
  if (options.is_calm) words += " --calm";
  const std::string plan = options.plan_path.empty() ? "" : " --plan " + shell_word(options.plan_path);
  const std::string other_run =
      options.other_plan_path.empty() ? words + plan : " --plan " + shell_word(options.other_plan_path);
  const std::string other = options.other_binary.empty() ? this_binary() : options.other_binary;
  const std::string first_command = shell_word(this_binary()) + " run --hashes" + words + plan;
  const std::string second_command = shell_word(other) + " run --hashes" + other_run;
  const Pipe first = begin(first_command);
  const Pipe second = begin(second_command);
  if (first == nullptr || second == nullptr) return 2;
  std::string one, two, before;
  while (true) {
    const bool has_one = read_line(first, one);
    const bool has_two = read_line(second, two);
    if (!has_one && !has_two) break;
    if (has_one && has_two && one == two) {
      before = one;
      continue;
    }
    const std::string event = has_one ? one.substr(0, one.find(' ')) : two.substr(0, two.find(' '));
    std::printf("DIVERGED at event %s, equal up to %s\n", event.c_str(), before.empty() ? "none" : before.c_str());
    print_event("one", first_command, event);
    print_event("other", second_command, event);
    return 1;
  }
  if (before.empty()) return 2;
  std::printf("EQUAL %s\n", before.c_str());
  return 0;
}

}  // namespace metastore::sim
