// The member over the real ports: sockets, files, threads. Also built with ThreadSanitizer.
#include "server/member.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <set>

#include "api/http2_client.h"
#include "core/replica/member_id.h"
#include "net/loop_asio.h"
#include "net/network_asio.h"
#include "net/worker_asio.h"
#include "storage/engine_lmdb.h"
#include "storage/files_posix.h"
#include "storage/temp_directory_posix.h"

namespace metastore::server {
namespace {

using boost::asio::ip::tcp;

/// Notes the port that the system chose.
class NotingNetwork final : public port::Network {
 public:
  explicit NotingNetwork(net::LoopAsio& loop) : real_(loop) {}
  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen(std::string_view host, int port,
                                                                     port::Acceptor& acceptor) override {
    auto listener = real_.listen(host, port, acceptor);
    if (listener) chosen_ = static_cast<net::ListenerAsio&>(*listener.value()).port();
    return listener;
  }
  std::unique_ptr<port::ConnectAttempt> connect(std::string_view host, int port, port::Connector& connector) override {
    return real_.connect(host, port, connector);
  }
  int chosen() const { return chosen_; }

 private:
  net::NetworkAsio real_;
  int chosen_ = 0;
};

struct Lines final : port::TraceSink {
  void trace(const std::vector<TraceLine>& more) override { all.insert(all.end(), more.begin(), more.end()); }
  long count(std::string_view message) const {
    return std::count_if(all.begin(), all.end(), [&](const TraceLine& line) { return line.message == message; });
  }
  std::vector<TraceLine> all;
};

struct Failures final : port::Supervisor {
  void member_failed(const port::StorageError& error) override { FAIL(error.message); }
  void member_removed() override { FAIL("removed"); }
};

struct Flag final : port::Task {
  void run() override { ++raised; }
  int raised = 0;
};

/// A client on a socket of its own, in the same thread.
class Client {
 public:
  explicit Client(int port) : socket_(context_), session_({}) {
    socket_.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)));
    socket_.non_blocking(true);
  }

  void put(const std::string& key, const std::string& value) {
    send("/etcdserverpb.KV/Put", field('\12', key) + field('\22', value));
  }
  void get(const std::string& key) { send("/etcdserverpb.KV/Range", field('\12', key)); }

  /// Sends and receives what can be without waiting.
  void turn() {
    session_.write_to(out_, 1 << 20, results);
    boost::system::error_code error;
    if (!out_.empty()) out_.erase(0, socket_.write_some(boost::asio::buffer(out_), error));
    std::array<char, 65536> bytes;
    error = {};
    const std::size_t size = socket_.read_some(boost::asio::buffer(bytes), error);
    if (size > 0) session_.receive(BytesView(bytes.data(), size), results);
    if (error && error != boost::asio::error::would_block && !closed_) {
      closed_ = true;
      session_.close(results);
    }
  }
  bool usable() const { return session_.usable(); }
  std::size_t open() const { return session_.calls_open(); }

  std::vector<api::CallResult> results;

 private:
  /// One protobuf field of bytes. Requires: shorter than 128.
  static std::string field(char tag, const std::string& bytes) {
    return std::string{tag, static_cast<char>(bytes.size())} + bytes;
  }
  void send(std::string_view path, const std::string& message) {
    session_.call(path, Bytes::copy_of(message), std::nullopt);
  }

  boost::asio::io_context context_;
  tcp::socket socket_;
  api::Http2Client session_;
  std::string out_;
  bool closed_ = false;
};

struct Fixture {
  storage::TempDirectory directory;
  net::LoopAsio loop;
  NotingNetwork network{loop};
  Lines lines;
  Failures failures;
  bool keeps_state = true;
  std::unique_ptr<storage::PosixFiles> files;
  std::unique_ptr<storage::EnginesLmdb> engines;
  std::unique_ptr<LocalMember> member;

  static MemberOptions options(bool new_cluster = true) {
    MemberOptions options;
    options.config.name = "m1";
    options.config.client_urls = {"http://127.0.0.1:2379"};
    options.config.limits.wal_segment_bytes = 65'536;
    options.client_addresses = {{"127.0.0.1", 0}};
    const MemberId self = member_id({"http://localhost:2380"}, "etcd-cluster");
    if (new_cluster) {
      options.new_cluster = MemberOptions::NewCluster{
          self, cluster_id({self}), {{.id = self, .name = "m1", .peer_urls = {"http://localhost:2380"}}}};
    }
    return options;
  }

  Status<BootError> try_boot(const MemberOptions& options) {
    files.reset();
    auto opened = storage::PosixFiles::open_exclusively(directory.path() + "/data");
    REQUIRE(opened.ok());
    files = std::move(opened).value();
    engines = std::make_unique<storage::EnginesLmdb>(
        *files, directory.path() + "/data",
        storage::EngineOptions{.file_bytes_max = options.config.limits.engine_file_bytes_max});
    std::optional<StoragePorts> storage;
    if (keeps_state) {
      storage.emplace(StoragePorts{.files = *files,
                                   .engines = *engines,
                                   .log_worker = std::make_unique<net::WorkerAsio>(loop),
                                   .engine_worker = std::make_unique<net::WorkerAsio>(loop)});
    }
    auto booted = LocalMember::boot(
        options,
        {.loop = loop, .storage = std::move(storage), .network = network, .trace = lines, .supervisor = failures});
    if (!booted) return booted.error();
    member = std::move(booted).value();
    return Done{};
  }
  void boot() {
    const Status<BootError> status = try_boot(options());
    REQUIRE_MESSAGE(status.ok(), status.error().message);
  }

  template <typename Condition>
  void run_until(Client& client, Condition condition) {
    while (!condition()) {
      loop.context().run_one_for(std::chrono::milliseconds(1));
      loop.context().poll();
      client.turn();
    }
  }
  void run_until_answered(Client& client) {
    run_until(client, [&] { return client.open() == 0; });
  }
};

TEST_CASE_FIXTURE(Fixture, "a new member serves at once, and after a restart it has what it acknowledged") {
  boot();
  {
    Client client(network.chosen());
    client.put("a", "1");
    run_until_answered(client);
    REQUIRE(client.results.size() == 1);
    CHECK(client.results[0].code == StatusCode::ok);
  }
  CHECK(lines.count("starting a new member") == 1);
  CHECK(lines.count("ready to serve client requests") == 1);
  CHECK(member->replica().members().all().begin()->second.client_urls == options().config.client_urls);

  member.reset();
  boot();
  Client client(network.chosen());
  client.get("a");
  run_until_answered(client);
  REQUIRE(client.results.size() == 1);
  CHECK(client.results[0].message.view().find("\12\1a\20\2\30\2\40\1\52\0011") != BytesView::npos);
  CHECK(lines.count("restarting a member") == 1);
  CHECK(lines.count("ready to serve client requests") == 2);
}

TEST_CASE_FIXTURE(Fixture, "a member that nobody leads lets no client in, as etcd does") {
  MemberOptions of_three = options();
  for (const char* url : {"http://127.0.0.1:1", "http://127.0.0.1:2"}) {
    of_three.new_cluster->members.push_back({.id = member_id({url}, "etcd-cluster"), .peer_urls = {url}});
  }
  REQUIRE(try_boot(of_three).ok());
  Client client(network.chosen());
  client.get("a");
  int turns = 0;
  run_until(client, [&] { return ++turns > 100; });
  CHECK(client.results.empty());
  CHECK(lines.count("ready to serve client requests") == 0);
}

TEST_CASE_FIXTURE(Fixture, "a port in use is named with the flag to change, and leaves no trace in the directory") {
  Fixture other;
  other.boot();
  MemberOptions second = options();
  second.client_addresses = {{"127.0.0.1", other.network.chosen()}};
  const Status<BootError> status = try_boot(second);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message == "cannot listen on 127.0.0.1:" + std::to_string(other.network.chosen()) +
                                      ": Address already in use; stop what uses it, or change --listen-client-urls");
  CHECK_FALSE(files->exists("member"));
}

TEST_CASE_FIXTURE(Fixture, "without a new cluster an empty directory is refused, and a full one is not") {
  const Status<BootError> status = try_boot(options(false));
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message.find("the data directory is empty") == 0);
  boot();
  member.reset();
  CHECK(try_boot(options(false)).ok());
}

TEST_CASE_FIXTURE(Fixture, "a member that drains answers what is owed, says goodbye and tells when it is done") {
  boot();
  Client client(network.chosen());
  client.put("first", "1");
  run_until_answered(client);
  for (int i = 0; i < 100; ++i) client.put("k" + std::to_string(i), "v");
  client.turn();
  run_until(client, [&] { return client.results.size() > 1; });

  Flag drained;
  member->drain(drained);
  CHECK(drained.raised == 0);
  run_until(client, [&] { return drained.raised > 0; });
  run_until(client, [&] { return !client.usable() && client.open() == 0; });
  CHECK(client.results.size() == 101);
  // The server read all of them before it began to drain, so none may be lost or left open.
  for (const api::CallResult& result : client.results) {
    CHECK((result.code == StatusCode::ok || result.text == "etcdserver: server stopped"));
  }
  loop.context().poll();
  CHECK(drained.raised == 1);
}

TEST_CASE_FIXTURE(Fixture, "an idle member drains though its clients do not leave") {
  boot();
  tcp::socket silent(loop.context());
  silent.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), static_cast<unsigned short>(network.chosen())));
  Client client(network.chosen());
  client.put("a", "1");
  run_until_answered(client);
  Flag drained;
  const Instant start = loop.now();
  member->drain(drained);
  while (drained.raised == 0) loop.context().run_one();
  CHECK(loop.now() - start < Duration::milliseconds(1'400));
}

TEST_CASE_FIXTURE(Fixture, "a member that is destroyed under load keeps everything that it acknowledged") {
  std::set<std::string> acknowledged;
  for (int round = 0; round < 5; ++round) {
    boot();
    Client client(network.chosen());
    std::vector<std::string> keys;
    for (int i = 0; i < 400; ++i) {
      keys.push_back("r" + std::to_string(round) + "k" + std::to_string(i));
      client.put(keys.back(), std::string(100, 'v'));
    }
    // Its streams are numbered 1, 3, 5 ... in the order of asking. Somewhere in the middle the member goes.
    const std::size_t enough = 37 + static_cast<std::size_t>(round) * 60;
    run_until(client, [&] { return client.results.size() >= enough; });
    for (const api::CallResult& result : client.results) {
      REQUIRE(result.code == StatusCode::ok);
      acknowledged.insert(keys[static_cast<std::size_t>(result.stream.value()) / 2]);
    }
    member.reset();
  }
  boot();
  Client client(network.chosen());
  for (const std::string& key : acknowledged) client.get(key);
  run_until_answered(client);
  REQUIRE(client.results.size() == acknowledged.size());
  for (const api::CallResult& result : client.results) {
    CHECK(result.message.view().find(std::string(100, 'v')) != BytesView::npos);
  }
}

}  // namespace
}  // namespace metastore::server
