// What a request costs a member in things that no clock is needed to count: allocations (the libraries' included),
// bytes allocated, writes to the log and to the socket. One member runs over ports in memory, in one thread; this
// executable replaces malloc. A bound that a change exceeds is to be looked at, not raised.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/http2_client.h"
#include "api/testing/ports.h"
#include "core/base/encoder.h"
#include "server/member.h"
#include "storage/files_memory.h"

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
}

namespace {

struct Counters {
  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t log_writes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t log_syncs = 0;
  std::uint64_t socket_writes = 0;
  std::uint64_t socket_bytes = 0;
};

Counters counters;
bool counting = false;

void count(std::size_t size) {
  if (!counting) return;
  ++counters.allocations;
  counters.allocated_bytes += size;
}

}  // namespace

void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count(number * size);
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count(size);
  return __libc_realloc(memory, size);
}

namespace metastore {
namespace {

/// What the test's own ports allocate is not the member's.
class Uncounted {
 public:
  Uncounted() : was_(std::exchange(counting, false)) {}
  ~Uncounted() { counting = was_; }
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;

 private:
  const bool was_;
};

class CountedFile final : public port::File {
 public:
  explicit CountedFile(std::unique_ptr<port::File> file) : file_(std::move(file)) {}
  port::StorageResult<std::uint64_t> size() override { return file_->size(); }
  port::StorageResult<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    return file_->read_at(offset, out);
  }
  port::StorageStatus write_at(std::uint64_t offset, std::span<const BytesView> parts) override {
    const Uncounted uncounted;
    ++counters.log_writes;
    for (const BytesView part : parts) counters.log_bytes += part.size();
    return file_->write_at(offset, parts);
  }
  port::StorageStatus sync() override {
    ++counters.log_syncs;
    return file_->sync();
  }
  port::StorageStatus truncate(std::uint64_t size) override { return file_->truncate(size); }

 private:
  std::unique_ptr<port::File> file_;
};

class CountedFiles final : public port::Files {
 public:
  port::StorageResult<std::unique_ptr<port::File>> open(std::string_view path, port::OpenMode mode) override {
    auto file = files_.open(path, mode);
    if (!file) return file.error();
    return std::unique_ptr<port::File>(new CountedFile(std::move(file).value()));
  }
  bool exists(std::string_view path) override { return files_.exists(path); }
  port::StorageResult<std::vector<std::string>> list(std::string_view path) override { return files_.list(path); }
  port::StorageStatus create_directory(std::string_view path) override { return files_.create_directory(path); }
  port::StorageStatus rename(std::string_view from, std::string_view to) override { return files_.rename(from, to); }
  port::StorageStatus remove(std::string_view path) override { return files_.remove(path); }
  port::StorageStatus sync_directory(std::string_view path) override { return files_.sync_directory(path); }

 private:
  storage::MemoryFiles files_;
};

/// Jobs to be done when the test says so, in the same thread. Those of an engine do not count.
struct HandJob {
  port::Job& job;
  bool counts;
};

class HandWorker final : public port::Worker {
 public:
  HandWorker(std::deque<HandJob>& jobs, bool counts) : jobs_(jobs), counts_(counts) {}
  void submit(port::Job& job) override {
    const Uncounted uncounted;
    jobs_.push_back({job, counts_});
  }

 private:
  std::deque<HandJob>& jobs_;
  const bool counts_;
};

/// The one connection, and what the member wrote to it.
struct Wire {
  port::ConnectionUser* user = nullptr;
  std::string written;
  bool writing = false;
};

class WireConnection final : public port::Connection {
 public:
  explicit WireConnection(Wire& wire) : wire_(wire) {}
  void set_user(port::ConnectionUser& user) override { wire_.user = &user; }
  void write(std::string bytes) override {
    const Uncounted uncounted;
    ++counters.socket_writes;
    counters.socket_bytes += bytes.size();
    wire_.writing = true;
    wire_.written += bytes;
  }
  void pause_reading(bool) override {}
  void shut_down() override {}
  std::string_view remote_address() const override { return "127.0.0.1:1"; }

 private:
  Wire& wire_;
};

struct OpenListener final : port::Listener {
  void accept() override {}
};

class HandNetwork final : public port::Network {
 public:
  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen(std::string_view, int,
                                                                     port::Acceptor& acceptor) override {
    acceptor_ = &acceptor;
    return std::unique_ptr<port::Listener>(std::make_unique<OpenListener>());
  }
  std::unique_ptr<port::ConnectAttempt> connect(std::string_view, int, port::Connector&) override { UNREACHABLE(); }
  void connect(Wire& wire) { acceptor_->on_accepted(std::make_unique<WireConnection>(wire)); }

 private:
  port::Acceptor* acceptor_ = nullptr;
};

/// Takes every checkpoint and keeps nothing: what an engine costs is not a request's.
class ForgetfulEngines final : public port::Engines {
 public:
  port::StorageResult<std::unique_ptr<port::Engine>> open() override {
    return std::unique_ptr<port::Engine>(new Forgetful);
  }

 private:
  struct Forgetful final : port::Engine {
    port::StorageStatus write(const Checkpoint&) override { return Done{}; }
    port::StorageStatus read(Table, port::RowVisitor&) override { return Done{}; }
    std::uint64_t file_bytes() override { return 0; }
    port::StorageResult<std::string> defragment() override { return std::string(); }
    port::StorageResult<std::unique_ptr<port::Engine>> stage() override { UNREACHABLE(); }
    port::StorageResult<std::unique_ptr<port::Engine>> staged() override { UNREACHABLE(); }
    port::StorageStatus check() override { UNREACHABLE(); }
    port::StorageStatus install(std::unique_ptr<port::Engine>) override { UNREACHABLE(); }
    port::StorageStatus drop_staged() override { return Done{}; }
  };
};

struct Silence final : port::TraceSink, port::Supervisor {
  void trace(const std::vector<TraceLine>&) override {}
  void member_failed(const port::StorageError& error) override { FAIL(error.message); }
  void member_removed() override { FAIL("removed"); }
};

std::string varint(std::uint64_t value) {
  std::string bytes;
  append_varint(bytes, value);
  return bytes;
}

std::string field(char tag, const std::string& bytes) { return tag + varint(bytes.size()) + bytes; }

/// One member with one client, and bursts of requests from it.
class Guarded {
 public:
  Guarded() {
    server::MemberOptions options;
    options.config.name = "m1";
    options.config.client_urls = {"http://127.0.0.1:2379"};
    options.new_cluster = server::MemberOptions::NewCluster{
        MemberId(1), ClusterId(1), {{.id = MemberId(1), .name = "m1", .peer_urls = {"http://127.0.0.1:2380"}}}};
    options.client_addresses = {{"127.0.0.1", 2379}};
    std::optional<server::StoragePorts> storage;
    storage.emplace(server::StoragePorts{.files = files_,
                                         .engines = engines_,
                                         .log_worker = std::make_unique<HandWorker>(jobs_, true),
                                         .engine_worker = std::make_unique<HandWorker>(jobs_, false)});
    auto booted = server::LocalMember::boot(
        options,
        {.loop = loop_, .storage = std::move(storage), .network = network_, .trace = silence_, .supervisor = silence_});
    REQUIRE(booted.ok());
    member_ = std::move(booted).value();
    while (!member_->replica().status().is_published) {
      loop_.advance(Duration::milliseconds(10));
      turn();
    }
    network_.connect(wire_);
  }

  void put(int key, std::size_t value_bytes) {
    call("/etcdserverpb.KV/Put", field('\12', name(key)) + field('\22', std::string(value_bytes, 'v')));
  }
  void range(int key) { call("/etcdserverpb.KV/Range", field('\12', name(key))); }

  /// Lets the member answer all calls, and counts what that takes.
  void answer() {
    const std::size_t asked = client_.calls_open();
    std::vector<api::CallResult> results;
    while (results.size() < asked) {
      std::string request;
      client_.write_to(request, std::size_t{1} << 30, results);
      counting = true;
      for (std::size_t at = 0; at < request.size(); at += socket_read_bytes) {
        wire_.user->on_bytes(BytesView(request).substr(at, socket_read_bytes));
      }
      turn();
      counting = false;
      client_.receive(std::exchange(wire_.written, {}), results);
    }
    for (const api::CallResult& result : results) REQUIRE_MESSAGE(result.code == StatusCode::ok, result.text);
  }

 private:
  static constexpr std::size_t socket_read_bytes = 64 * 1024;

  static std::string name(int key) { return "/registry/" + std::to_string(10'000'000 + key); }
  void call(std::string_view path, const std::string& message) {
    client_.call(path, Bytes::copy_of(message), std::nullopt);
  }
  void turn() {
    do {
      loop_.advance(Duration());
      while (!jobs_.empty()) {
        const HandJob next = jobs_.front();
        jobs_.pop_front();
        const bool was_counting = std::exchange(counting, counting && next.counts);
        next.job.run();
        counting = was_counting;
        next.job.done();
      }
      if (std::exchange(wire_.writing, false)) wire_.user->on_drained();
      loop_.advance(Duration());
    } while (!jobs_.empty() || wire_.writing);
  }

  api::testing::HandLoop loop_;
  CountedFiles files_;
  ForgetfulEngines engines_;
  HandNetwork network_;
  Silence silence_;
  std::deque<HandJob> jobs_;
  Wire wire_;
  std::unique_ptr<server::LocalMember> member_;
  api::Http2Client client_{{}};
};

constexpr int in_flight = 64;
constexpr int bursts = 64;
constexpr int warm_up = 16;

struct Cost {
  double allocations;
  double allocated_bytes;
  double log_bytes;
  double socket_bytes;
};
struct BurstCost {
  double log_writes;
  double log_syncs;
  double socket_writes;
};

/// The mean over many bursts of requests, of which one is what `ask` asks for.
template <typename Ask>
std::pair<Cost, BurstCost> cost_of(Guarded& guarded, Ask ask) {
  for (int burst = 0; burst < warm_up + bursts; ++burst) {
    if (burst == warm_up) counters = {};
    for (int i = 0; i < in_flight; ++i) ask(burst * in_flight + i);
    guarded.answer();
  }
  const auto a_burst = [](std::uint64_t total) { return static_cast<double>(total) / bursts; };
  const auto a_request = [&](std::uint64_t total) { return a_burst(total) / in_flight; };
  const Cost cost{a_request(counters.allocations), a_request(counters.allocated_bytes), a_request(counters.log_bytes),
                  a_request(counters.socket_bytes)};
  const BurstCost burst_cost{a_burst(counters.log_writes), a_burst(counters.log_syncs),
                             a_burst(counters.socket_writes)};
  MESSAGE("a request: ", cost.allocations, " allocations of ", cost.allocated_bytes, " bytes in all, ", cost.log_bytes,
          " bytes to the log, ", cost.socket_bytes, " bytes to the socket; a burst: ", burst_cost.log_writes,
          " log writes, ", burst_cost.log_syncs, " syncs, ", burst_cost.socket_writes, " socket writes");
  return {cost, burst_cost};
}

TEST_CASE("a put costs few allocations, one frame and its place in the log, and shares its sync and its socket write") {
  Guarded guarded;
  const auto [cost, burst] = cost_of(guarded, [&](int i) { guarded.put(i, 256); });
  CHECK(cost.allocations <= 11.5);
  // The checkpoint's block included, and the room in which it was gathered.
  CHECK(cost.allocated_bytes <= 3'450);
  // A frame of some 290 bytes, over zeros that were written ahead of it.
  CHECK(cost.log_bytes <= 600);
  CHECK(cost.socket_bytes <= 50);
  CHECK(burst.log_writes <= 1.5);
  CHECK(burst.log_syncs <= 1.1);
  CHECK(burst.socket_writes == 1);
}

TEST_CASE("a linearizable range costs few allocations and no log write, and shares its socket write") {
  Guarded guarded;
  for (int i = 0; i < 1'000; ++i) guarded.put(i, 256);
  guarded.answer();
  const auto [cost, burst] = cost_of(guarded, [&](int i) { guarded.range(i * 7 % 1'000); });
  CHECK(cost.allocations <= 11.5);
  // Of them 176 are its event, which has room for the largest message between members.
  CHECK(cost.allocated_bytes <= 3'400);
  CHECK(cost.log_bytes == 0);
  CHECK(cost.socket_bytes <= 350);
  CHECK(burst.socket_writes == 1);
}

TEST_CASE("a large value that is put gets four buffers: request, log entry, record, checkpoint") {
  Guarded guarded;
  constexpr std::size_t value_bytes = 16'384;
  const auto [cost, burst] = cost_of(guarded, [&](int i) { guarded.put(i, value_bytes); });
  CHECK(cost.allocated_bytes <= 4.3 * value_bytes);
  CHECK(cost.log_bytes <= 2.05 * value_bytes);
  CHECK(burst.log_syncs <= 2.1);
}

TEST_CASE("a large value that is read gets a buffer for its reply, and one that grows for the socket") {
  Guarded guarded;
  constexpr std::size_t value_bytes = 16'384;
  for (int i = 0; i < 100; ++i) guarded.put(i, value_bytes);
  guarded.answer();
  const auto [cost, burst] = cost_of(guarded, [&](int i) { guarded.range(i * 7 % 100); });
  CHECK(cost.allocated_bytes <= 3.3 * value_bytes);
  // 64 replies are a mebibyte, and a write is a quarter of one.
  CHECK(burst.socket_writes <= 5);
}

}  // namespace
}  // namespace metastore
