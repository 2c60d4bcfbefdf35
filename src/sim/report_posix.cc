// `report`: runs a seed or a scenario once more and writes the page that shows it. `run --until-event` prints what the
// page's panels show at a moment.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "sim/named_run_posix.h"
#include "sim/report_page.h"
#include "sim/simulation.h"
#include "sim/text_file_posix.h"
#include "sim/tools_posix.h"
#include "sim/trace_log.h"

namespace metastore::sim {
namespace {

/// A page that is to be written, even if an assertion ends the process.
struct Unwritten {
  Chronicle& chronicle;
  const Simulation& simulation;
  std::string title;
  std::string plan;
  std::string path;

  bool write(const std::string& verdict) const {
    if (!write_text_file(path, report_page(chronicle, title, verdict, plan))) return false;
    std::printf("REPORT to=%s moments=%zu happenings=%zu arrows=%zu %s\n", path.c_str(), chronicle.moments().size(),
                chronicle.happenings().size(), chronicle.arrows().size(), verdict.c_str());
    return true;
  }
};
Unwritten* unwritten = nullptr;

void on_abort(int) {
  // The assertion came from this very thread, between two whole statements: what is in memory can be read.
  const std::string verdict = "FAIL assertion at " + seconds_text(unwritten->simulation.now());
  unwritten->chronicle.on_violation(verdict);
  unwritten->chronicle.after_death(unwritten->simulation);
  unwritten->write(verdict);
  std::fflush(nullptr);
  ::_exit(1);
}

class DeedsToChronicle final : public port::Task {
 public:
  explicit DeedsToChronicle(Chronicle& chronicle) : chronicle_(chronicle) {}
  void set(Simulation& simulation) { simulation_ = &simulation; }
  void run() override {
    for (const Deed& deed : simulation_->take_deeds()) chronicle_.on_deed(deed.kind);
  }

 private:
  Chronicle& chronicle_;
  Simulation* simulation_ = nullptr;
};

}  // namespace

int report_run(const ToolOptions& options) {
  const auto run = named_run(options);
  if (!run) return 2;
  Chronicle chronicle;
  DeedsToChronicle deeds(chronicle);
  Simulation simulation(run->plan, false, &deeds, &chronicle);
  deeds.set(simulation);
  begin(simulation, *run);
  Unwritten page{chronicle, simulation, name_of(options), describe(run->plan),
                 options.output_path.empty() ? "report.html" : options.output_path};
  unwritten = &page;
  std::signal(SIGABRT, on_abort);
  while (simulation.step() && simulation.now() < options.until) chronicle.after_step(simulation);
  chronicle.after_step(simulation);
  std::signal(SIGABRT, SIG_DFL);
  const auto& violation = simulation.violation();
  const std::string verdict = violation ? "FAIL " + std::string(violation->oracle) + " at " +
                                              seconds_text(violation->at) + ": " + violation->message
                              : simulation.is_over() ? "PASS"
                                                     : "stopped at " + seconds_text(simulation.now());
  return page.write(verdict) ? 0 : 2;
}

int print_panels(const ToolOptions& options) {
  const auto run = named_run(options);
  if (!run) return 2;
  Simulation simulation(run->plan);
  begin(simulation, *run);
  for (std::size_t i = 0; i < options.until_events.size(); ++i) {
    while (simulation.events() < options.until_events[i] && simulation.step()) {
    }
    std::printf("event %llu at %s\n", static_cast<unsigned long long>(simulation.events()),
                seconds_text(simulation.now()).c_str());
    for (std::uint64_t member = 1; member <= simulation.machines().size(); ++member) {
      std::printf("%s\n", describe(member, state_of(simulation, member)).c_str());
    }
  }
  return 0;
}

}  // namespace metastore::sim
