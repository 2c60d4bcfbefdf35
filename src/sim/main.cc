// metastore-sim: the command line of the simulator. Only this file, and those that end in _posix, know processes, pipes
// and real time. Seeds of a swarm run in child processes, one a core, so that a failed assertion is one failed seed and
// not the end.
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <map>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sim/plan.h"
#include "sim/recovery_table.h"
#include "sim/simulation.h"
#include "sim/tools_posix.h"
#include "sim/trace_log.h"

namespace {

using metastore::Duration;
using metastore::Instant;
using metastore::sim::Count;
using metastore::sim::RecoveryTable;
using metastore::sim::Report;
using metastore::sim::Simulation;

constexpr std::string_view usage =
    "usage: metastore-sim run --seed N [--calm] [--members M] [--trace] [--until SECONDS]\n"
    "       metastore-sim run --plan FILE [--trace] [--until SECONDS]\n"
    "       metastore-sim run --seed N --print-plan [--calm] [--members M]\n"
    "       metastore-sim run --speed\n"
    "       metastore-sim report --seed N|--plan FILE [--calm] [--members M] [--until SECONDS] [-o FILE]\n"
    "       metastore-sim compare --seed N|--plan FILE [--calm] [--members M] [--with BINARY] [--and-plan FILE]\n"
    "       metastore-sim shrink --seed N|--plan FILE [--calm] [--members M] [-o FILE] [--seconds S] [--jobs J] "
    "[--with BIN]\n"
    "       metastore-sim swarm --seeds A..B [--calm] [--members M] [--seconds S] [--jobs J] [--twice] [--hashes]\n"
    "run   draws a plan from the seed, prints it, runs it, and ends in a PASS or FAIL line; --trace prints every\n"
    "      input and effect, --until stops at that virtual time. --print-plan writes the run down as a scenario, and\n"
    "      --plan runs one (tests/sim/scenarios).\n"
    "      --until-event N prints what each member is after so many events, --speed measures one fixed profile.\n"
    "report writes a page that shows the run; compare finds the first event in which two builds, or two plans, "
    "differ.\n"
    "shrink takes away what a failing run does not need to fail in the same way, and saves the rest as a scenario.\n"
    "swarm runs many seeds on all cores and ends in a table; with --seconds it begins no seed after that real time,\n"
    "      with --twice each seed must end in the same hash twice, --hashes prints them.\n"
    "--calm leaves out all faults and drawn limits (but for the size of a segment); --members says how many there\n"
    "are, in place of the seed.\n"
    "Exit status: 0 if all passed, 1 if one failed or a row of the table stayed zero, 2 for a bad command line.\n";

/// What the product does not have yet, and no seed can try: a reader shall not take its absence for a proof.
constexpr const char* absent[] = {
    "fault: upgrades and downgrades, members of two releases",
    "judged: O7 what is allowed and denied, by users and roles",
};

struct Options {
  std::uint64_t first_seed = 0;
  std::uint64_t last_seed = 0;
  std::uint64_t jobs = std::max(1u, std::thread::hardware_concurrency());
  std::uint64_t seconds = 0;
  std::uint64_t members = 0;  ///< 0: as drawn.
  bool is_calm = false;
  bool is_twice = false;
  bool are_hashes_wanted = false;
  bool is_trace_wanted = false;
  Instant until = Instant::never();
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool parse_seeds(std::string_view text, Options& options) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto first = parse_number(text.substr(0, dots));
  const auto last = parse_number(text.substr(dots + 2));
  if (!first || !last || *first > *last) return false;
  options.first_seed = *first;
  options.last_seed = *last;
  return true;
}

/// The words behind "run" or "swarm". None if they make no sense.
std::optional<Options> parse(const std::vector<std::string_view>& words, bool is_swarm) {
  Options options;
  bool has_seeds = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--calm") {
      options.is_calm = true;
      continue;
    }
    if (words[i] == "--twice" && is_swarm) {
      options.is_twice = true;
      continue;
    }
    if (words[i] == "--hashes" && is_swarm) {
      options.are_hashes_wanted = true;
      continue;
    }
    if (words[i] == "--trace" && !is_swarm) {
      options.is_trace_wanted = true;
      continue;
    }
    if (i + 1 == words.size()) return std::nullopt;
    const std::string_view name = words[i];
    const std::string_view value = words[++i];
    if (is_swarm && name == "--seeds") {
      if (!parse_seeds(value, options)) return std::nullopt;
      has_seeds = true;
      continue;
    }
    const auto number = parse_number(value);
    if (!number) return std::nullopt;
    if (!is_swarm && name == "--seed") {
      options.first_seed = options.last_seed = *number;
      has_seeds = true;
    } else if (!is_swarm && name == "--until") {
      options.until = Instant() + Duration::seconds(static_cast<std::int64_t>(*number));
    } else if (name == "--members" && *number > 0 && *number <= 7) {
      options.members = *number;
    } else if (is_swarm && name == "--jobs" && *number > 0) {
      options.jobs = *number;
    } else if (is_swarm && name == "--seconds") {
      options.seconds = *number;
    } else {
      return std::nullopt;
    }
  }
  return has_seeds ? std::optional(options) : std::nullopt;
}

std::string milliseconds_as_seconds(std::int64_t milliseconds) {
  std::string fraction = std::to_string(milliseconds % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(milliseconds / 1000) + "." + fraction;
}

std::string verdict(std::uint64_t seed, const Report& report, std::int64_t wall_microseconds) {
  if (report.violation) {
    return "FAIL seed=" + std::to_string(seed) + " oracle=" + std::string(report.violation->oracle) +
           " at=" + metastore::sim::seconds_text(report.violation->at) + "\n  " + report.violation->message +
           "\n  reproduce: ./dev sim --seed " + std::to_string(seed) + " --trace\n";
  }
  const std::int64_t speedup = report.simulated.microseconds() / std::max<std::int64_t>(1, wall_microseconds);
  return "PASS seed=" + std::to_string(seed) + " members=" + std::to_string(report.members) +
         " ops=" + std::to_string(report.operations) + " events=" + std::to_string(report.events) +
         " sim_seconds=" + milliseconds_as_seconds(report.simulated.milliseconds()) +
         " wall_seconds=" + milliseconds_as_seconds(wall_microseconds / 1000) + " speedup=" + std::to_string(speedup) +
         " hash=" + report.hash + "\n";
}

std::int64_t microseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
}

/// What a child tells its parent: "BEGIN seed" before a run; behind it every count, how soon it recovered, the verdict,
/// and "END".
void run_in_child(const Options& options, std::uint64_t seed, std::FILE* out) {
  std::fprintf(out, "BEGIN %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(out);
  const auto begin = std::chrono::steady_clock::now();
  metastore::sim::Plan plan = metastore::sim::draw_plan(seed, options.members);
  if (options.is_calm) plan = metastore::sim::without_faults(std::move(plan));
  if (options.first_seed == options.last_seed) std::fputs(metastore::sim::describe(plan).c_str(), out);
  Simulation simulation(plan, options.is_trace_wanted);
  bool is_stopped = false;
  while (simulation.step() && !is_stopped) {
    if (options.is_trace_wanted) std::fputs(simulation.take_trace().c_str(), out);
    is_stopped = simulation.now() >= options.until;
  }
  std::fputs(simulation.take_trace().c_str(), out);
  Report report = simulation.report();
  if (options.is_twice && !report.violation && Simulation(plan).run().hash != report.hash) {
    report.violation = {"determinism", simulation.now(), "the same seed ends in another hash the second time"};
  }
  for (const Count& count : report.counts) {
    std::fprintf(out, "COUNT %llu %s\n", static_cast<unsigned long long>(count.count), count.name.c_str());
  }
  std::fprintf(out, "OPS %llu %lld\n", static_cast<unsigned long long>(report.operations),
               static_cast<long long>(report.simulated.milliseconds()));
  if (report.recovery) {
    std::fprintf(out, "RECOVERY %zu %llu\n", RecoveryTable::column_of(report),
                 static_cast<unsigned long long>(RecoveryTable::timeouts_permille(*report.recovery)));
  }
  if (is_stopped) {
    std::fprintf(out, "STOPPED seed=%llu at=%s\n", static_cast<unsigned long long>(seed),
                 metastore::sim::seconds_text(simulation.now()).c_str());
  } else {
    std::fputs(verdict(seed, report, microseconds_since(begin)).c_str(), out);
  }
  if (options.are_hashes_wanted) {
    std::fprintf(out, "HASH %llu %s\n", static_cast<unsigned long long>(seed), report.hash.c_str());
  }
  std::fputs(report.violation ? "END FAIL\n" : "END PASS\n", out);
  std::fflush(out);
}

/// What no run needs: whoever wants more is a failed seed, and not the end of the machine.
constexpr rlim_t memory_bytes_max = 6'000'000'000;

/// The seed that nobody has begun with, for all processes.
class NextSeed {
 public:
  explicit NextSeed(std::uint64_t first) {
    void* const memory =
        ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    next_ = new (memory) std::atomic<std::uint64_t>(first);
  }
  NextSeed(const NextSeed&) = delete;
  NextSeed& operator=(const NextSeed&) = delete;
  ~NextSeed() { ::munmap(next_, sizeof(*next_)); }
  std::uint64_t take() { return next_->fetch_add(1); }
  std::uint64_t peek() const { return next_->load(); }

 private:
  std::atomic<std::uint64_t>* next_;
};

struct Child {
  pid_t process = -1;
  int in = -1;
  std::uint64_t seed = 0;  ///< With which it began last.
  bool has_begun = false;  ///< With a seed that has not ended.
  std::string rest;        ///< The beginning of a line.
  std::string told;        ///< In a swarm, what it says of the seed under way: nobody else speaks in between.
};

class Runner {
 public:
  explicit Runner(const Options& options)
      : options_(options),
        next_seed_(options.first_seed),
        begin_(std::chrono::steady_clock::now()),
        is_swarm_(options.first_seed != options.last_seed) {
    const std::uint64_t seeds = options.last_seed - options.first_seed + 1;
    children_.resize(std::min(options.jobs, seeds));
  }

  int run() {
    for (Child& child : children_) start(child);
    // A seed that takes long holds up no other one, nor the word that one has failed.
    for (;;) {
      std::vector<pollfd> ends;
      for (const Child& child : children_) ends.push_back({child.in, POLLIN, 0});
      if (std::all_of(ends.begin(), ends.end(), [](const pollfd& end) { return end.fd < 0; })) break;
      ::poll(ends.data(), ends.size(), -1);
      for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i].fd >= 0 && ends[i].revents != 0) hear(children_[i]);
      }
    }
    return is_swarm_ ? print_table() : (failed_ > 0 ? 1 : 0);
  }

 private:
  void start(Child& child) {
    int ends[2];
    if (next_seed_.peek() > options_.last_seed || ::pipe(ends) != 0) return;
    std::fflush(nullptr);
    child.process = ::fork();
    if (child.process == 0) {
      ::close(ends[0]);
      std::FILE* const out = ::fdopen(ends[1], "w");
      const rlimit memory = {memory_bytes_max, memory_bytes_max};
      ::setrlimit(RLIMIT_DATA, &memory);
      for (;;) {
        if (options_.seconds > 0 && microseconds_since(begin_) / 1'000'000 >= std::int64_t(options_.seconds)) break;
        const std::uint64_t seed = next_seed_.take();
        if (seed > options_.last_seed) break;
        run_in_child(options_, seed, out);
      }
      std::fclose(out);
      ::_exit(0);
    }
    ::close(ends[1]);
    child.in = ends[0];
  }

  void hear(Child& child) {
    char bytes[65536];
    const ssize_t count = ::read(child.in, bytes, sizeof(bytes));
    if (count <= 0) return end_child(child);
    child.rest.append(bytes, static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end; (end = child.rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
      on_line(child, std::string_view(child.rest).substr(begin, end - begin));
    }
    child.rest.erase(0, begin);
  }

  void on_line(Child& child, std::string_view line) {
    if (line.starts_with("BEGIN ")) {
      child.has_begun = true;
      child.seed = parse_number(line.substr(6)).value_or(0);
    } else if (line.starts_with("END ")) {
      child.has_begun = false;
      end_seed(child, line == "END PASS");
    } else if (line.starts_with("COUNT ")) {
      const std::size_t space = line.find(' ', 6);
      totals_[std::string(line.substr(space + 1))] += parse_number(line.substr(6, space - 6)).value_or(0);
    } else if (line.starts_with("HASH ")) {
      const std::size_t space = line.find(' ', 5);
      hashes_[parse_number(line.substr(5, space - 5)).value_or(0)] = line.substr(space + 1);
    } else if (line.starts_with("OPS ")) {
      const std::size_t space = line.find(' ', 4);
      operations_.push_back(parse_number(line.substr(4, space - 4)).value_or(0));
      simulated_ms_ += parse_number(line.substr(space + 1)).value_or(0);
    } else if (line.starts_with("RECOVERY ")) {
      const std::size_t space = line.find(' ', 9);
      recoveries_.add(parse_number(line.substr(9, space - 9)).value_or(RecoveryTable::columns),
                      parse_number(line.substr(space + 1)).value_or(0));
    } else if (!is_swarm_ || !line.starts_with("PASS ")) {
      child.told.append(line).append("\n");
      if (!is_swarm_) say(child);
    }
  }

  static void say(Child& child) { std::fputs(std::exchange(child.told, {}).c_str(), stdout); }

  /// The child is gone; if it died within a seed, that seed has failed and the rest goes on in another child.
  void end_child(Child& child) {
    ::close(std::exchange(child.in, -1));
    if (!child.rest.empty()) child.told += std::exchange(child.rest, {}) + "\n";
    say(child);
    int status = 0;
    ::waitpid(child.process, &status, 0);
    if (!std::exchange(child.has_begun, false)) return;
    const unsigned long long seed = child.seed;
    std::printf(
        "FAIL seed=%llu oracle=assertion at=?\n  the process ended by signal %d\n  reproduce: ./dev sim --seed "
        "%llu --trace\n",
        seed, WIFSIGNALED(status) ? WTERMSIG(status) : 0, seed);
    end_seed(child, false);
    start(child);
  }

  void end_seed(Child& child, bool has_passed) {
    say(child);
    ++ended_;
    if (!has_passed) ++failed_;
    if (is_swarm_ && ended_ % 100 == 0) {
      std::fprintf(stderr, "%llu seeds, %llu failed, %llds\n", ended_, failed_,
                   static_cast<long long>(microseconds_since(begin_) / 1'000'000));
    }
  }

  int print_table() {
    for (const auto& [seed, hash] : hashes_) {
      std::printf("seed=%llu hash=%s\n", static_cast<unsigned long long>(seed), hash.c_str());
    }
    std::uint64_t zeros = 0;
    for (const auto& [name, total] : totals_) {
      std::printf("%12llu  %s%s\n", static_cast<unsigned long long>(total), name.c_str(),
                  total == 0 ? "  <- never" : "");
      if (total == 0) ++zeros;
    }
    std::fputs(recoveries_.text().c_str(), stdout);
    for (const char* name : absent) std::printf("%12s  %s  <- absent\n", "", name);
    std::sort(operations_.begin(), operations_.end());
    const std::uint64_t median = operations_.empty() ? 0 : operations_[operations_.size() / 2];
    std::printf("%s seeds=%llu failed=%llu never=%llu ops=%llu median_ops=%llu sim_hours=%llu wall_seconds=%s\n",
                failed_ + zeros == 0 ? "PASS" : "FAIL", ended_, failed_, static_cast<unsigned long long>(zeros),
                std::accumulate(operations_.begin(), operations_.end(), 0ULL), static_cast<unsigned long long>(median),
                static_cast<unsigned long long>(simulated_ms_ / 3'600'000),
                milliseconds_as_seconds(microseconds_since(begin_) / 1000).c_str());
    return failed_ + zeros == 0 ? 0 : 1;
  }

  Options options_;
  NextSeed next_seed_;
  std::chrono::steady_clock::time_point begin_;
  bool is_swarm_;
  std::vector<Child> children_;
  std::map<std::string, std::uint64_t> totals_;
  std::map<std::uint64_t, std::string> hashes_;
  std::vector<std::uint64_t> operations_;  ///< Answered, by seed.
  std::uint64_t simulated_ms_ = 0;         ///< Of all seeds together.
  RecoveryTable recoveries_;
  unsigned long long ended_ = 0;
  unsigned long long failed_ = 0;
};

/// The exit status, if these are the words of a tool.
std::optional<int> run_tool(std::vector<std::string_view> words) {
  namespace sim = metastore::sim;
  const auto take = [&words](std::string_view word) { return std::erase(words, word) > 0; };
  const auto has = [&words](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (words.empty()) return std::nullopt;
  const std::string_view command = words.front();
  int (*tool)(const sim::ToolOptions&) = nullptr;
  words.erase(words.begin());
  if (command == "shrink") tool = sim::shrink_run;
  if (command == "report") tool = sim::report_run;
  if (command == "compare") tool = sim::compare_runs;
  if (command == "run") {
    if (words.size() == 1 && take("--speed")) return sim::run_speed();
    if (has("--plan")) tool = sim::run_scenario;
    if (has("--until-event")) tool = sim::print_panels;
    if (take("--hashes")) tool = sim::print_hashes;
    if (take("--print-plan")) tool = sim::print_plan;
  }
  if (tool == nullptr) return std::nullopt;
  if (const auto options = sim::parse_tool_options(words)) return tool(*options);
  std::fputs(usage.data(), stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  // Whoever reads along hears of a failed seed at once.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (const auto status = run_tool(words)) return *status;
  const bool is_swarm = !words.empty() && words[0] == "swarm";
  if (words.empty() || (words[0] != "run" && !is_swarm)) {
    std::fputs(usage.data(), stderr);
    return 2;
  }
  const auto options = parse({words.begin() + 1, words.end()}, is_swarm);
  if (!options) {
    std::fputs(usage.data(), stderr);
    return 2;
  }
  return Runner(*options).run();
}
