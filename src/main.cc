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
#include "net/signals_asio.h"
#include "net/worker_asio.h"
#include "server/configuration.h"
#include "server/flags.h"
#include "server/identity_openssl.h"
#include "server/log_posix.h"
#include "server/member.h"
#include "server/process_posix.h"
#include "storage/engine_lmdb.h"
#include "storage/files_posix.h"
#include "storage/wal_dump.h"

namespace metastore::server {
namespace {

int leave(const Exit& exit) {
  std::fputs(exit.to_stdout.c_str(), stdout);
  std::fputs(exit.to_stderr.c_str(), stderr);
  return exit.status;
}

int cannot_start(const std::string& sentence) { return leave({1, {}, "metastore: " + sentence + "\n"}); }

/// What ends the process: a member that has drained, or one that cannot go on.
class Ending final : public port::Supervisor, public port::Task {
 public:
  Ending(net::LoopAsio& loop, port::TraceSink& log) : loop_(loop), log_(log) {}

  void run() override {
    log_.trace({{TraceLevel::info, "closed the member", {}}});
    loop_.stop();
  }

  void member_failed(const port::StorageError& error) override {
    log_.trace({{TraceLevel::error, "storage failed; stopping at once", {{"error", error.message}}}});
    status_ = 1;
    loop_.stop();
  }

  int status() const { return status_; }

 private:
  net::LoopAsio& loop_;
  port::TraceSink& log_;
  int status_ = 0;
};

MemberOptions::NewCluster new_cluster_of(const Configuration& configuration) {
  MemberOptions::NewCluster cluster;
  std::vector<MemberId> ids;
  for (const InitialMember& member : configuration.initial_cluster) {
    ids.push_back(member_id(member.peer_urls, configuration.cluster_token));
    cluster.members.push_back({.id = ids.back(), .name = member.name, .peer_urls = member.peer_urls});
    if (member.name == configuration.name) cluster.self = ids.back();
  }
  cluster.cluster = cluster_id(ids);
  return cluster;
}

MemberOptions options_of(const Configuration& configuration) {
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
  options.config.limits = configuration.limits;
  options.sessions = {.limits = net::with_room_for_files(configuration.limits),
                      .keepalive_min_time = configuration.keepalive_min_time,
                      .keepalive_interval = configuration.keepalive_interval,
                      .keepalive_timeout = configuration.keepalive_timeout};
  if (configuration.has_extensive_metrics) options.metrics_detail = MetricsDetail::extensive;
  for (const Url& url : configuration.listen_client_urls) options.client_addresses.push_back({url.host, url.port});
  for (const Url& url : configuration.listen_metrics_urls) options.metrics_addresses.push_back({url.host, url.port});
  for (const Url& url : configuration.listen_peer_urls) options.peer_addresses.push_back({url.host, url.port});
  if (configuration.starts_new_cluster) options.new_cluster = new_cluster_of(configuration);
  return options;
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
  auto member = LocalMember::boot(options_of(configuration), std::move(ports));
  if (!member) return cannot_start(member.error().message);
  for (const std::string& warning : warnings) {
    log.trace({{TraceLevel::warn, "part of the environment is ignored", {{"warning", warning}}}});
  }
  const net::SignalsAsio signals(loop, [&](int number) {
    log.trace({{TraceLevel::info,
                "received signal; shutting down",
                {{"signal", std::string(number == SIGINT ? "interrupt" : "terminated")}}}});
    member.value()->drain(ending);
  });
  loop.run();
  return ending.status();
}

}  // namespace
}  // namespace metastore::server

int main(int argc, char** argv) {
  using namespace metastore::server;
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
