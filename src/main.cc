// The composition root: gives one member the real clock, sockets, files and threads, and the process its exit status.
// The only file that names both the core and the outside world.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/descriptors_posix.h"
#include "net/loop_asio.h"
#include "net/network_asio.h"
#include "net/peer_inquiry.h"
#include "net/signals_asio.h"
#include "net/worker_asio.h"
#include "server/beginning.h"
#include "server/configuration.h"
#include "server/flags.h"
#include "server/log_posix.h"
#include "server/member.h"
#include "server/process_posix.h"
#include "storage/engine_lmdb.h"
#include "storage/files_posix.h"
#include "storage/recovery.h"
#include "storage/wal_dump.h"

namespace metastore::server {
namespace {

int leave(const Exit& exit) {
  std::fputs(exit.to_stdout.c_str(), stdout);
  std::fputs(exit.to_stderr.c_str(), stderr);
  return exit.status;
}

int cannot_start(const std::string& sentence) { return leave({1, {}, "metastore: " + sentence + "\n"}); }

/// What ends the process: a member that has drained, that was removed, or that cannot go on.
class Ending final : public port::Supervisor, public port::Task {
 public:
  Ending(net::LoopAsio& loop, port::TraceSink& log) : loop_(loop), log_(log) {}

  void run() override {
    log_.trace({{TraceLevel::info, "closed the member", {}}});
    loop_.stop();
  }

  void begin_with(LocalMember& member) { member_ = &member; }

  /// At the first call.
  void drain() {
    if (!std::exchange(is_draining_, true)) member_->drain(*this);
  }

  void member_removed() override { drain(); }

  void member_failed(const port::StorageError& error) override {
    log_.trace({{TraceLevel::error, "storage failed; stopping at once", {{"error", error.message}}}});
    status_ = 1;
    loop_.stop();
  }

  int status() const { return status_; }

 private:
  net::LoopAsio& loop_;
  port::TraceSink& log_;
  LocalMember* member_ = nullptr;
  bool is_draining_ = false;
  int status_ = 0;
};

MemberOptions options_of(const Configuration& configuration, Beginning beginning) {
  MemberOptions options;
  options.config.name = configuration.name;
  options.config.client_urls = configuration.advertise_client_urls;
  options.config.heartbeat_interval = configuration.heartbeat_interval;
  options.config.election_timeout = configuration.election_timeout;
  options.config.pre_vote = configuration.pre_vote;
  options.config.quota_bytes = configuration.quota_bytes;
  options.config.watch_progress_interval = configuration.watch_progress_interval;
  options.config.checkpoint_interval = configuration.checkpoint_interval;
  options.config.retention = configuration.retention;
  options.config.strict_reconfig_check = configuration.strict_reconfig_check;
  options.config.max_learners = configuration.max_learners;
  options.config.limits = configuration.limits;
  options.sessions = {.limits = net::with_room_for_files(configuration.limits),
                      .keepalive_min_time = configuration.keepalive_min_time,
                      .keepalive_interval = configuration.keepalive_interval,
                      .keepalive_timeout = configuration.keepalive_timeout};
  if (configuration.has_extensive_metrics) options.metrics_detail = MetricsDetail::extensive;
  for (const Url& url : configuration.listen_client_urls) options.client_addresses.push_back({url.host, url.port});
  for (const Url& url : configuration.listen_metrics_urls) options.metrics_addresses.push_back({url.host, url.port});
  for (const Url& url : configuration.listen_peer_urls) options.peer_addresses.push_back({url.host, url.port});
  options.forces_new_cluster = configuration.forces_new_cluster;
  options.config.acquaintances = std::move(beginning.acquaintances);
  options.new_cluster = std::move(beginning.new_cluster);
  return options;
}

/// Asks the other members who belongs to the cluster, if there are any: the loop runs until they have answered.
std::optional<net::Roster> ask_others(net::LoopAsio& loop, net::NetworkAsio& network,
                                      std::optional<net::PeerInquiry::Subject> subject) {
  if (!subject.has_value()) return std::nullopt;
  struct Stop final : port::Task {
    explicit Stop(net::LoopAsio& stopped) : loop(stopped) {}
    void run() override { loop.stop(); }
    net::LoopAsio& loop;
  };
  Stop stop(loop);
  const net::PeerInquiry inquiry(loop, network, *std::move(subject), stop);
  loop.run();
  return inquiry.roster();
}

/// The data directory and what lies in it.
struct Directory {
  Directory(std::unique_ptr<storage::PosixFiles> files_, const Configuration& configuration)
      : files(std::move(files_)),
        engines(*files, configuration.data_dir, {.file_bytes_max = configuration.limits.engine_file_bytes_max}) {}

  const std::unique_ptr<storage::PosixFiles> files;
  storage::EnginesLmdb engines;
};

int dump_wal(const std::string& directory) {
  const auto files = storage::PosixFiles::open_existing(directory);
  if (!files) return cannot_start(files.error().message);
  auto dump = storage::WalDump::open(*files.value());
  if (!dump) return cannot_start(dump.error().message);
  for (;;) {
    std::string text;
    const auto more = dump.value().next(text);
    std::fputs(text.c_str(), stdout);
    if (!more) return cannot_start(more.error().message);
    if (!more.value()) return 0;
  }
}

int serve(const Configuration& configuration, const std::vector<std::string>& warnings) {
  // A file that may not grow (ulimit -f) is an error of the write, not a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  net::LoopAsio loop;
  LogPosix log(loop, configuration.log_level, STDERR_FILENO);
  net::NetworkAsio network(loop);
  const ProcessPosix process;
  Ending ending(loop, log);

  std::unique_ptr<Directory> directory;
  MemberPorts ports{
      .loop = loop, .storage = {}, .network = network, .trace = log, .supervisor = ending, .process = &process};
  if (configuration.keeps_state) {
    auto files = storage::PosixFiles::open_exclusively(configuration.data_dir);
    if (!files) return cannot_start(files.error().message);
    directory = std::make_unique<Directory>(std::move(files).value(), configuration);
    ports.storage.emplace(StoragePorts{.files = *directory->files,
                                       .engines = directory->engines,
                                       .log_worker = std::make_unique<net::WorkerAsio>(loop),
                                       .engine_worker = std::make_unique<net::WorkerAsio>(loop)});
  }
  port::StorageResult<bool> has_data = false;
  if (directory != nullptr) has_data = storage::holds_member(*directory->files);
  if (!has_data) return cannot_start(has_data.error().message);
  auto roster = ask_others(loop, network, inquiry(configuration, has_data.value()));
  auto beginning = begin(configuration, has_data.value(), roster);
  if (!beginning) return cannot_start(beginning.error());
  auto member = LocalMember::boot(options_of(configuration, std::move(beginning).value()), std::move(ports));
  if (!member) return cannot_start(member.error().message);
  for (const std::string& warning : warnings) {
    log.trace({{TraceLevel::warn, "part of the environment is ignored", {{"warning", warning}}}});
  }
  ending.begin_with(*member.value());
  const net::SignalsAsio signals(loop, [&](int number) {
    log.trace({{TraceLevel::info,
                "received signal; shutting down",
                {{"signal", std::string(number == SIGINT ? "interrupt" : "terminated")}}}});
    ending.drain();
  });
  loop.run();
  return ending.status();
}

}  // namespace
}  // namespace metastore::server

int main(int argc, char** argv) {
  using namespace metastore::server;
  hold_freed_memory();
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "wal") {
    if (arguments.size() == 3 && arguments[1] == "dump") return dump_wal(argv[3]);
    return leave({2, {}, "usage: metastore wal dump DIR\n"});
  }
  std::vector<std::string_view> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  const auto flags = parse_flags(arguments, environment);
  if (!flags) return leave(flags.error());
  const auto configuration = configure(flags.value());
  if (!configuration) return leave(configuration.error());
  return serve(configuration.value(), flags.value().warnings);
}
