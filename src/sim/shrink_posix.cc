// `shrink`: writes a failing run down while it fails in a child, and takes away what it does not need to fail.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "sim/children_posix.h"
#include "sim/deed_writer_posix.h"
#include "sim/scenario.h"
#include "sim/shrink.h"
#include "sim/text_file_posix.h"
#include "sim/tools_posix.h"
#include "sim/trace_log.h"
#include "sim/words.h"

namespace metastore::sim {
namespace {

using Clock = std::chrono::steady_clock;
/// A smaller run that takes longer than that does not fail in the same way.
constexpr int candidate_seconds_max = 20;
constexpr int first_seconds_max = 300;

/// How a run failed. Two fail in the same way if the oracles are the same; of assertions, if the words are.
struct Failure {
  std::string oracle;  ///< "": it did not.
  std::string message;
  Instant at = Instant::never();  ///< never(): nobody knows.
};

std::string after(const std::string& text, std::string_view mark) {
  const std::size_t begin = text.rfind(mark);
  if (begin == std::string::npos) return "";
  const std::size_t end = text.find('\n', begin + mark.size());
  return text.substr(begin + mark.size(), end - begin - mark.size());
}

Failure failure_of(const ChildEnd& end) {
  if (end.is_late) return {"late", "it does not end"};
  if (end.is_killed) return {"assertion", after(end.output, "assertion failed: ")};
  const auto at = parse_duration(after(end.output, "\nAT "));
  return {after(end.output, "\nORACLE "), after(end.output, "\nMESSAGE "), at ? Instant() + *at : Instant::never()};
}

void write_failure(const Report& report, std::FILE* out) {
  if (!report.violation) return;
  std::fprintf(out, "\nORACLE %s\nMESSAGE %s\nAT %s\n", std::string(report.violation->oracle).c_str(),
               report.violation->message.c_str(), duration_text(report.violation->at - Instant()).c_str());
}

void play(const Plan& plan, const std::vector<Deed>& deeds, std::FILE* out) {
  Simulation simulation(plan);
  for (const Deed& deed : deeds) {
    if (!simulation.can_perform(deed.kind)) return;
  }
  simulation.play(deeds);
  simulation.conclude();
  write_failure(simulation.run(), out);
}

std::string output_path(const ToolOptions& options) {
  return options.output_path.empty() ? "shrunk.txt" : options.output_path;
}

/// Plays the smaller runs, and shows how small they have become.
class ChildJudge {
 public:
  ChildJudge(Failure failure, const ToolOptions& options)
      : failure_(std::move(failure)), options_(options), began_(Clock::now()) {}

  std::optional<std::size_t> first_failing(const std::vector<ShrinkableRun>& runs) {
    for (std::size_t begin = 0; begin < runs.size();) {
      Failure failure;
      const auto failing = first_child(
          runs.size() - begin, options_.jobs, candidate_seconds_max,
          [&](std::size_t i, std::FILE* out) {
            const ShrinkableRun& run = runs[begin + i];
            if (const auto plan = run.plan()) play(*plan, run.deeds, out);
          },
          [&](const ChildEnd& end) {
            failure = failure_of(end);
            return failure.oracle == failure_.oracle &&
                   (failure.oracle != "assertion" || failure.message == failure_.message);
          });
      runs_ += failing ? *failing + 1 : runs.size() - begin;
      if (!failing) return std::nullopt;
      begin += *failing;
      if (passes_elsewhere(runs[begin])) {
        failure_ = std::move(failure);
        return begin;
      }
      ++begin;
    }
    return std::nullopt;
  }
  bool is_late() const { return Clock::now() - began_ > std::chrono::seconds(options_.seconds); }
  void tell(const ShrinkableRun& run) {
    std::fprintf(stderr, "%6.1fs %6zu runs: %zu events, %zu faults, %zu settings\n", seconds(), runs_, run.events(),
                 run.faults(), run.settings.size());
  }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  std::size_t runs() const { return runs_; }
  const Failure& failure() const { return failure_; }
  /// Whether the binary that does not fail, if there is one, does not fail in this run.
  bool passes_elsewhere(const ShrinkableRun& run) const {
    if (options_.other_binary.empty()) return true;
    const std::string path = output_path(options_) + ".candidate";
    if (!write_text_file(path, scenario_text("", *run.plan(), run.deeds))) return false;
    const ChildEnd end = run_child(candidate_seconds_max, [&](std::FILE* out) {
      ::dup2(::fileno(out), STDOUT_FILENO);
      ::execl(options_.other_binary.c_str(), options_.other_binary.c_str(), "run", "--plan", path.c_str(), nullptr);
    });
    std::remove(path.c_str());
    return end.output.find("\nPASS plan=") != std::string::npos;
  }

 private:
  Failure failure_;
  const ToolOptions& options_;
  Clock::time_point began_;
  std::size_t runs_ = 0;
};

/// The run as it was written down, and how it failed. None, with a word, if it did not or cannot be read.
std::optional<std::pair<WrittenRun, Failure>> find_failure(const ToolOptions& options) {
  WrittenRun run;
  ChildEnd end;
  std::string wrong;
  if (options.plan_path.empty()) {
    run.plan = drawn_plan(options);
    end = run_child(first_seconds_max, [&run](std::FILE* out) {
      DeedWriter writer(out);
      Simulation simulation(run.plan, false, &writer);
      writer.set(simulation);
      write_failure(simulation.run(), out);
    });
    // What stands behind the last whole line, and what is no deed, is not from the writer.
    std::string deeds;
    for (std::size_t begin = 0; begin < end.output.size();) {
      const std::size_t line_end = std::min(end.output.find('\n', begin), end.output.size());
      const std::string line = end.output.substr(begin, line_end - begin);
      begin = line_end + 1;
      if (!line.empty() && line[0] >= '0' && line[0] <= '9') deeds += line + "\n";
    }
    const auto written = read_written_run(scenario_text("", run.plan, deeds), wrong);
    if (!written) {
      std::fprintf(stderr, "the run cannot be written down: %s\n", wrong.c_str());
      return std::nullopt;
    }
    run = *written;
  } else {
    const auto text = read_text_file(options.plan_path);
    if (!text) return std::nullopt;
    const auto written = read_written_run(*text, wrong);
    if (!written) {
      std::fprintf(stderr, "%s: %s\n", options.plan_path.c_str(), wrong.c_str());
      return std::nullopt;
    }
    run = *written;
    end = run_child(first_seconds_max, [&run](std::FILE* out) { play(run.plan, run.deeds, out); });
  }
  const Failure failure = failure_of(end);
  if (failure.oracle.empty()) {
    std::fprintf(stderr, "it does not fail\n");
    return std::nullopt;
  }
  return std::pair(std::move(run), failure);
}

}  // namespace

int shrink_run(const ToolOptions& options) {
  auto found = find_failure(options);
  if (!found) return 2;
  auto& [run, failure] = *found;
  const std::string origin = name_of(options);
  std::fprintf(stderr, "%s fails by %s: %s\n", origin.c_str(), failure.oracle.c_str(), failure.message.c_str());
  ShrinkableRun whole{.settings = settings(run.plan), .deeds = std::move(run.deeds), .seed = run.plan.seed};
  std::erase_if(whole.settings, [](const std::string& line) { return line.starts_with("seed="); });
  ChildJudge judge(failure, options);
  judge.tell(whole);
  // What came behind the violation did not lead to it.
  ShrinkableRun beginning = whole;
  std::erase_if(beginning.deeds, [&](const Deed& deed) { return deed.at > failure.at; });
  if (judge.first_failing({beginning})) {
    whole = std::move(beginning);
  } else if (!judge.first_failing({whole})) {
    std::fprintf(stderr, "written down it fails no more\n");
    return 1;
  }
  const ShrinkableRun small = Shrinker(whole, judge).shrink();
  const std::string about = "What is left of " + origin + ". It was found by " + judge.failure().oracle +
                            ", which said:\n" + judge.failure().message;
  const std::string path = output_path(options);
  if (!write_text_file(path, scenario_text(about, *small.plan(), small.deeds))) return 1;
  std::printf("SHRUNK to=%s oracle=%s events=%zu faults=%zu settings=%zu runs=%zu seconds=%.1f\n", path.c_str(),
              judge.failure().oracle.c_str(), small.events(), small.faults(), small.settings.size(), judge.runs(),
              judge.seconds());
  return 0;
}

}  // namespace metastore::sim
