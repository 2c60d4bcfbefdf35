// ./dev crash: kills a real member with SIGKILL, again and again, under a load of puts, transactions, deletes,
// compactions and leases, and looks each time whether it kept what it had promised. Its limits are so small that a few
// milliseconds see all that it does to its disk. The moments are drawn; most kills wait for a phase that was drawn,
// too, so that none of them is rare. Where a kill landed is seen from outside, when the process stands still.
//
// Usage: crash METASTORE [--kills N] [--seed S] [--engine lmdb]
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/crash/process.h"
#include "tests/crash/session.h"

namespace metastore::crash {

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t microseconds_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
}

/// From so many kills on, each phase must have been met.
constexpr std::uint64_t kills_for_all_phases = 100;
/// Less than this a sync takes only where nothing is synced (a tmpfs): then hardly a look finds anything under way.
constexpr std::int64_t sync_microseconds_min = 4;
constexpr std::uint64_t kills_a_report = 1'000;
constexpr std::uint64_t kills_a_member = 40;
constexpr int looks_max = 200;
constexpr std::int64_t start_microseconds_max = 30'000'000;
constexpr const char* limits =
    "--limits=wal_segment_bytes=32768,wal_files_kept=1,mark_entries=20,log_entries_kept=20,checkpoint_bytes=3000,"
    "compact_records_a_step=5,apply_bytes_a_step=4000,watch_catch_up_records=50";

struct Options {
  std::string binary;
  std::uint64_t kills = 300;
  std::uint64_t seed = 1;
};

/// A loopback address that is this process's alone, and a port on it that the kernel gave.
std::string free_endpoint() {
  const unsigned id = static_cast<unsigned>(::getpid());
  const std::string host = "127." + std::to_string(1 + (id >> 16) % 254) + "." + std::to_string(id >> 8 & 0xff) + "." +
                           std::to_string(1 + id % 254);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  socklen_t size = sizeof address;
  const int one = ::socket(AF_INET, SOCK_STREAM, 0);
  const bool bound = ::bind(one, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(one, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(one);
  if (!bound) bench::die("cannot bind a port on " + host);
  return host + ":" + std::to_string(ntohs(address.sin_port));
}

/// On the disk, unless TMPDIR says otherwise; it stays if the member broke a promise.
std::string new_directory() {
  const char* const place = ::getenv("TMPDIR");
  std::string name = std::string(place == nullptr ? "/tmp" : place) + "/metastore-crash-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) bench::die("cannot make a directory such as " + name);
  return std::filesystem::canonical(name).string();
}

/// What it takes to make four KiB durable in `directory`: the median of some.
std::int64_t sync_microseconds(const std::string& directory) {
  const std::string path = directory + "/probe";
  const std::string block(4096, 'x');
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  std::vector<std::int64_t> took(51);
  for (std::int64_t& one : took) {
    const Clock::time_point began = Clock::now();
    if (::pwrite(file, block.data(), block.size(), 0) < 0 || ::fdatasync(file) != 0) {
      bench::die("cannot write " + path);
    }
    one = microseconds_since(began);
  }
  ::close(file);
  std::filesystem::remove(path);
  std::sort(took.begin(), took.end());
  return took[took.size() / 2];
}

class Crash {
 public:
  explicit Crash(const Options& options)
      : options_(options),
        endpoint_(free_endpoint()),
        peer_endpoint_(free_endpoint()),
        directory_(new_directory()),
        data_directory_(directory_ + "/data"),
        syncs_cost_(sync_microseconds(directory_) >= sync_microseconds_min),
        process_({options.binary, "--data-dir=" + data_directory_, "--listen-client-urls=http://" + endpoint_,
                  "--advertise-client-urls=http://" + endpoint_, "--listen-peer-urls=http://" + peer_endpoint_,
                  "--initial-advertise-peer-urls=http://" + peer_endpoint_,
                  "--initial-cluster=default=http://" + peer_endpoint_, limits},
                 data_directory_),
        prng_(options.seed, "moments"),
        load_(options.seed) {}

  int run() {
    const Clock::time_point began = Clock::now();
    try {
      for (kill_ = 1; kill_ <= options_.kills; ++kill_) {
        one_kill();
        if (kill_ % kills_a_report == 0) std::printf("%llu kills\n", static_cast<unsigned long long>(kill_));
      }
      check_at_last();
    } catch (const std::exception& broken) {
      std::printf("kill %llu of seed %llu: %s\nthe data directory: %s\n", static_cast<unsigned long long>(kill_),
                  static_cast<unsigned long long>(options_.seed), broken.what(), data_directory_.c_str());
      std::printf("the member said:\n%s", process_.said().c_str());
      return 1;
    }
    std::filesystem::remove_all(directory_);
    return report(static_cast<double>(microseconds_since(began)) / 1e6);
  }

 private:
  void one_kill() {
    // The making of a directory is cut short now and then, too.
    if (prng_.chance(1, kills_a_member)) begin_anew();
    const std::size_t drawn = prng_.below(std::size(phases) + 1);
    // One in seven waits for nothing.
    const Phase* const wanted = drawn < std::size(phases) ? &phases[drawn] : nullptr;
    const Clock::time_point began = Clock::now();
    process_.start();
    const bool in_recovery = wanted != nullptr && *wanted == Phase::recovery;
    if (in_recovery && killed_in_recovery()) return;
    wait_ready();
    recovery_microseconds_ = microseconds_since(began);
    Session session(endpoint_, model_);
    session.check(prng_);
    const auto in_flight = static_cast<std::size_t>(prng_.between(1, 24));
    session.load(load_, in_flight, prng_.between(0, 8'000));
    for (int look = 1;; ++look) {
      const std::set<Phase> found = process_.stop_and_look();
      if (wanted == nullptr || in_recovery || found.contains(*wanted) || look == looks_max) {
        process_.kill();
        session.drain();
        count(found);
        return;
      }
      process_.go_on();
      session.load(load_, in_flight, prng_.between(0, 1'000));
    }
  }

  void wait_ready() {
    if (!process_.is_ready_within(start_microseconds_max)) throw Broken("the member does not get ready");
  }

  /// The moment is drawn from as long as it took the last time. False if this one was quicker.
  bool killed_in_recovery() {
    const std::int64_t moment = prng_.between(0, recovery_microseconds_);
    while (!process_.is_ready_within(moment)) {
      const std::set<Phase> found = process_.stop_and_look();
      if (found.contains(Phase::recovery)) {
        process_.kill();
        count(found);
        return true;
      }
      process_.go_on();
    }
    return false;
  }

  void check_at_last() {
    process_.start();
    wait_ready();
    Session(endpoint_, model_).check(prng_);
    process_.kill();
  }

  void begin_anew() {
    check_at_last();
    std::filesystem::remove_all(data_directory_);
    total_ += model_.counts();
    model_ = Model();
  }

  void count(const std::set<Phase>& found) {
    for (const Phase phase : found) ++landed_[phase];
    if (found.empty()) ++landed_elsewhere_;
  }

  int report(double seconds) {
    Model::Counts counts = total_;
    counts += model_.counts();
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "seed %llu: %llu kills in %.1f s; %llu operations acknowledged and all there; of those without an answer "
        "%llu there as a whole, %llu not at all\n",
        number(options_.seed), number(options_.kills), seconds, number(counts.acknowledged), number(counts.whole),
        number(counts.absent));
    bool missed = false;
    for (const Phase phase : phases) {
      std::printf("  %-16s %llu\n", std::string(name(phase)).c_str(), number(landed_[phase]));
      missed = missed || landed_[phase] == 0;
    }
    std::printf("  %-16s %llu\n", "elsewhere", number(landed_elsewhere_));
    if (!missed || options_.kills < kills_for_all_phases) return 0;
    std::printf("no kill landed in one of them\n");
    if (!syncs_cost_) std::printf("that is no failure here: a sync costs nothing in %s\n", directory_.c_str());
    return syncs_cost_ ? 1 : 0;
  }

  const Options options_;
  const std::string endpoint_;
  const std::string peer_endpoint_;
  const std::string directory_;
  const std::string data_directory_;
  const bool syncs_cost_;
  Process process_;
  Prng prng_;
  Load load_;
  Model model_;
  Model::Counts total_;  ///< Of the models before.
  std::uint64_t kill_ = 0;
  std::int64_t recovery_microseconds_ = 10'000;
  std::map<Phase, std::uint64_t> landed_;
  std::uint64_t landed_elsewhere_ = 0;
};

int run(int argc, char** argv) {
  constexpr const char* usage = "usage: crash METASTORE [--kills N] [--seed S] [--engine lmdb]";
  if (argc < 2) bench::die(usage);
  Options options{.binary = argv[1]};
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    if (flag == "--engine") {
      if (value != "lmdb") bench::die("only the engine 'lmdb' keeps anything");
    } else if (flag == "--kills" || flag == "--seed") {
      (flag == "--kills" ? options.kills : options.seed) = std::stoull(value);
    } else {
      bench::die(usage);
    }
  }
  if (argc % 2 != 0) bench::die(usage);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return Crash(options).run();
}

}  // namespace
}  // namespace metastore::crash

int main(int argc, char** argv) { return metastore::crash::run(argc, argv); }
