// `run --plan FILE`: tells a scenario and compares it with its transcript. `run --seed N --print-plan`: writes a drawn
// run down, deed by deed, before each is done.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "sim/deed_writer_posix.h"
#include "sim/scenario.h"
#include "sim/text_file_posix.h"
#include "sim/tools_posix.h"
#include "sim/trace_log.h"

namespace metastore::sim {
namespace {

using Clock = std::chrono::steady_clock;

void print_indented(std::string_view lines, std::string_view indent) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::printf("%s%s\n", std::string(indent).c_str(), std::string(lines.substr(0, end)).c_str());
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

}  // namespace

int run_scenario(const ToolOptions& options) {
  const auto text = read_text_file(options.plan_path);
  if (!text) return 2;
  std::string wrong;
  const auto commands = read_scenario(*text, wrong);
  if (!commands) {
    std::fprintf(stderr, "%s: %s\n", options.plan_path.c_str(), wrong.c_str());
    return 2;
  }
  Story story(options.is_trace_wanted);
  story.stop_at(options.until);
  const auto began = Clock::now();
  bool is_as_told = true;
  for (const Command& command : *commands) {
    std::printf("%s:%d %s\n", options.plan_path.c_str(), command.line, command.words.front().c_str());
    const std::string transcript = story.execute(command.words, command.input);
    std::fputs(story.take_trace().c_str(), stdout);
    print_indented(transcript, "  ");
    if (transcript != command.transcript) {
      is_as_told = false;
      print_indented(command.transcript, "  expected: ");
    }
    if (story.simulation() == nullptr || story.simulation()->violation()) break;
  }
  if (story.simulation() == nullptr) return 2;
  const Report report = story.simulation()->report();
  if (options.until != Instant::never() && !story.simulation()->is_over()) {
    std::printf("STOPPED plan=%s at=%s\n", options.plan_path.c_str(), seconds_text(story.simulation()->now()).c_str());
    return 0;
  }
  if (report.violation) {
    std::printf("FAIL plan=%s oracle=%s at=%s\n  %s\n", options.plan_path.c_str(),
                std::string(report.violation->oracle).c_str(), seconds_text(report.violation->at).c_str(),
                report.violation->message.c_str());
    return 1;
  }
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
  std::printf("%s plan=%s members=%llu ops=%llu events=%llu sim_seconds=%lld.%03lld wall_ms=%lld hash=%s\n",
              is_as_told && story.has_converged() ? "PASS" : "FAIL", options.plan_path.c_str(),
              static_cast<unsigned long long>(report.members), static_cast<unsigned long long>(report.operations),
              static_cast<unsigned long long>(report.events),
              static_cast<long long>(report.simulated.milliseconds() / 1000),
              static_cast<long long>(report.simulated.milliseconds() % 1000), static_cast<long long>(wall),
              report.hash.c_str());
  if (!story.has_converged()) std::printf("  a scenario ends with `converge`\n");
  return is_as_told && story.has_converged() ? 0 : 1;
}

int print_plan(const ToolOptions& options) {
  if (!options.plan_path.empty()) return 2;
  const Plan plan = drawn_plan(options);
  const std::string about = "The run of " + name_of(options) + ", written down.";
  const std::string frame = scenario_text(about, plan, "");
  const std::size_t deeds_begin = frame.find("schedule\n") + std::string_view("schedule\n").size();
  std::fputs(frame.substr(0, deeds_begin).c_str(), stdout);
  DeedWriter printer(stdout);
  Simulation simulation(plan, false, &printer);
  printer.set(simulation);
  const Report report = simulation.run();
  std::fputs(frame.substr(deeds_begin).c_str(), stdout);
  return report.violation ? 1 : 0;
}

}  // namespace metastore::sim
