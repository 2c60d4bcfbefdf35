#include "sim/world.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "sim/loop_sim.h"
#include "sim/network_sim.h"

namespace metastore::sim {
namespace {

struct Note final : port::Task {
  Note(std::string& log, char letter) : log_(log), letter_(letter) {}
  void run() override { log_ += letter_; }
  std::string& log_;
  char letter_;
};

Instant at_ms(std::int64_t ms) { return Instant::from_nanoseconds(ms * 1'000'000); }

TEST_CASE("what is asked for happens in the order of time, then of asking, and time jumps in between") {
  World world;
  std::string log;
  Note a(log, 'a'), b(log, 'b'), c(log, 'c'), d(log, 'd');
  world.at(at_ms(20), a);
  world.at(at_ms(10), b);
  const World::Ticket forgotten = world.at(at_ms(5), d);
  world.at(at_ms(10), c);
  world.cancel(forgotten);
  CHECK_FALSE(world.is_pending(forgotten));
  CHECK(world.step());
  CHECK(world.now() == at_ms(10));
  while (world.step()) {
  }
  CHECK(log == "bca");
  CHECK(world.now() == at_ms(20));
  CHECK(world.events() == 3);
}

TEST_CASE("a ticket whose moment has passed forgets nobody else's") {
  World world;
  std::string log;
  Note a(log, 'a'), b(log, 'b');
  const World::Ticket first = world.at(at_ms(1), a);
  world.step();
  const World::Ticket second = world.at(at_ms(2), b);
  CHECK(first.slot == second.slot);
  world.cancel(first);
  CHECK(world.is_pending(second));
  world.step();
  CHECK(log == "ab");
}

TEST_CASE("a loop runs a task once however often it was asked, keeps its latest deadline, and forgets on cancel") {
  World world;
  LoopSim loop(world, Prng(1, "loop"));
  std::string log;
  Note a(log, 'a'), b(log, 'b'), c(log, 'c');
  loop.run_soon(a);
  loop.run_soon(a);
  loop.run_at(b, loop.now() + Duration::milliseconds(5));
  loop.run_at(b, loop.now() + Duration::milliseconds(9));
  loop.run_soon(c);
  loop.run_at(c, loop.now());
  loop.cancel(c);
  const Instant before = loop.now();
  while (world.step()) {
  }
  CHECK(log == "ab");
  CHECK(loop.now() - before == Duration::milliseconds(9));
}

TEST_CASE("a clock may be fast or slow, and what waits for it is never early by it, nor late by more than a tick") {
  std::int64_t fast = 0;
  std::int64_t slow = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    World world;
    std::string log;
    Note warm_up(log, 'w'), a(log, 'a');
    world.at(at_ms(77'777), warm_up);
    world.step();
    LoopSim loop(world, Prng(seed, "loop"), 100'000);
    const Instant before = loop.now();
    const Instant due = before + Duration::nanoseconds(123'456'789'123);
    loop.run_at(a, due);
    while (world.step()) {
    }
    CHECK(log == "wa");
    CHECK(loop.now() >= due);
    CHECK(loop.now() <= due + Duration::nanoseconds(2));
    const Duration elapsed = world.now() - at_ms(77'777);
    CHECK(elapsed >= Duration::seconds(112));
    CHECK(elapsed <= Duration::seconds(138));
    ++(elapsed < loop.now() - before ? fast : slow);
  }
  CHECK(fast > 20);
  CHECK(slow > 20);
}

TEST_CASE("a loop that is destroyed runs nothing any more") {
  World world;
  std::string log;
  Note a(log, 'a');
  {
    LoopSim loop(world, Prng(1, "loop"));
    loop.run_soon(a);
    loop.run_at(a, loop.now() + Duration::seconds(1));
  }
  CHECK_FALSE(world.step());
  CHECK(log.empty());
}

struct Noted final : port::Job {
  Noted(std::string& log, char letter) : log_(log), letter_(letter) {}
  void run() override { log_ += letter_; }
  void done() override { log_ += static_cast<char>(letter_ - 'a' + 'A'); }
  std::string& log_;
  char letter_;
};

TEST_CASE("a worker does its jobs in order, reports in order, and a destroyed one does neither") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world;
    std::string log;
    Noted a(log, 'a'), b(log, 'b'), c(log, 'c');
    const WorkerLatency latency = {.work_min = Duration::microseconds(10),
                                   .work_max = Duration::microseconds(90),
                                   .report_max = Duration::microseconds(200)};
    {
      WorkerSim worker(world, Prng(seed, "worker"), latency);
      worker.submit(a);
      worker.submit(b);
      CHECK(log.empty());
      while (world.step()) {
      }
      worker.submit(c);
    }
    while (world.step()) {
    }
    std::string worked, reported;
    for (const char letter : log) (letter >= 'a' ? worked : reported) += letter;
    CHECK(worked == "ab");
    CHECK(reported == "AB");
    CHECK(log.find('a') < log.find('A'));
    CHECK(log.find('b') < log.find('B'));
  }
}

/// Writes what it was given, keeps what it got.
struct Talker final : port::ConnectionUser {
  void on_bytes(BytesView bytes) override { got.append(bytes); }
  void on_drained() override { ++drained; }
  void on_closed() override { ++closed; }
  std::string got;
  int drained = 0;
  int closed = 0;
};

struct Door final : port::Acceptor {
  void on_accepted(std::unique_ptr<port::Connection> accepted) override {
    connection = std::move(accepted);
    connection->set_user(talker);
  }
  std::unique_ptr<port::Connection> connection;
  Talker talker;
};

constexpr NetworkFaults chopping = {
    .delay_min = Duration::microseconds(20), .delay_max = Duration::milliseconds(3), .piece_bytes_max = 7};

TEST_CASE("bytes arrive in order and once, in pieces, in both directions, and the end comes behind them") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world;
    NetworkSim network(world, Prng(seed, "network"), chopping);
    Door door;
    const auto listener = std::move(network.listen("127.0.0.1", 2379, door)).value();
    listener->accept();
    CHECK_FALSE(network.listen("127.0.0.1", 2379, door).ok());
    Talker client;
    auto connection = network.connect(2379);
    connection->set_user(client);
    const std::string request(100, 'q');
    connection->write(request + "end");
    while (world.step()) {
    }
    CHECK(door.talker.got == request + "end");
    CHECK(client.drained == 1);
    door.connection->write("reply");
    door.connection->shut_down();
    while (world.step()) {
    }
    CHECK(client.got == "reply");
    CHECK(client.closed == 1);
    CHECK(door.talker.closed == 0);
    connection.reset();
    while (world.step()) {
    }
    CHECK(door.talker.closed == 1);
    CHECK(network.counts().pieces > 14);
  }
}

TEST_CASE("a paused reader holds the writer up, and loses nothing") {
  World world;
  NetworkFaults faults = chopping;
  faults.window_bytes = 50;
  NetworkSim network(world, Prng(1, "network"), faults);
  Door door;
  const auto listener = std::move(network.listen("127.0.0.1", 2379, door)).value();
  listener->accept();
  Talker client;
  auto connection = network.connect(2379);
  connection->set_user(client);
  while (world.step()) {
  }
  door.connection->pause_reading(true);
  connection->write(std::string(200, 'x'));
  while (world.step()) {
  }
  CHECK(door.talker.got.empty());
  CHECK(client.drained == 0);
  door.connection->pause_reading(false);
  while (world.step()) {
  }
  CHECK(door.talker.got == std::string(200, 'x'));
  CHECK(client.drained == 1);
}

TEST_CASE("nobody listens: the connection closes; a reset closes both sides and leaves a beginning of the bytes") {
  World world;
  NetworkFaults faults = chopping;
  faults.reset_chance = 1000;
  faults.reset_after_max = Duration::milliseconds(20);
  NetworkSim network(world, Prng(3, "network"), faults);
  Talker refused;
  auto nowhere = network.connect(1);
  nowhere->set_user(refused);
  while (world.step()) {
  }
  CHECK(refused.closed == 1);
  CHECK(network.counts().refused == 1);

  bool is_cut = false;
  Door door;
  const auto listener = std::move(network.listen("127.0.0.1", 2379, door)).value();
  listener->accept();
  for (int round = 0; round < 50; ++round) {
    door.talker = Talker();
    Talker client;
    auto connection = network.connect(2379);
    connection->set_user(client);
    std::string text;
    for (int i = 0; i < 100; ++i) text += static_cast<char>('a' + i % 26);
    connection->write(text);
    while (world.step()) {
    }
    CHECK(client.closed == 1);
    CHECK(door.talker.got == text.substr(0, door.talker.got.size()));
    is_cut = is_cut || (!door.talker.got.empty() && door.talker.got.size() < text.size());
  }
  CHECK(is_cut);
  CHECK(network.counts().resets > 40);
}

TEST_CASE("who comes before anybody is let in waits, and is refused when the listener goes") {
  World world;
  NetworkSim network(world, Prng(4, "network"), chopping);
  Door door;
  auto listener = std::move(network.listen("127.0.0.1", 2379, door)).value();
  Talker early;
  auto connection = network.connect(2379);
  connection->set_user(early);
  connection->write("early");
  while (world.step()) {
  }
  CHECK(door.connection == nullptr);
  listener->accept();
  while (world.step()) {
  }
  CHECK(door.talker.got == "early");
  CHECK(early.closed == 0);

  listener = std::move(network.listen("127.0.0.1", 2380, door)).value();
  Talker late;
  auto other = network.connect(2380);
  other->set_user(late);
  while (world.step()) {
  }
  CHECK(late.closed == 0);
  listener.reset();
  while (world.step()) {
  }
  CHECK(late.closed == 1);
}

struct Asker final : port::Connector {
  void on_connected(std::unique_ptr<port::Connection> made) override { connection = std::move(made); }
  void on_connect_failed(const port::ConnectError& error) override { failure = error.kind; }
  std::unique_ptr<port::Connection> connection;
  std::optional<port::ConnectError::Kind> failure;
};

TEST_CASE("who asks for a connection learns after a while that there is one, or that nobody listens") {
  World world;
  NetworkSim network(world, Prng(5, "network"), chopping);
  Asker alone;
  auto attempt = network.connect("127.0.0.1", 2380, alone);
  CHECK_FALSE(alone.failure.has_value());
  while (world.step()) {
  }
  CHECK(alone.failure == port::ConnectError::Kind::refused);
  CHECK(alone.connection == nullptr);

  Door door;
  const auto listener = std::move(network.listen("127.0.0.1", 2380, door)).value();
  listener->accept();
  Asker asker;
  attempt = network.connect("127.0.0.1", 2380, asker);
  CHECK(asker.connection == nullptr);
  while (asker.connection == nullptr) REQUIRE(world.step());
  attempt.reset();
  Talker client;
  asker.connection->set_user(client);
  asker.connection->write("hello");
  door.connection->write("who is there?");
  while (world.step()) {
  }
  CHECK(client.got == "who is there?");
  CHECK(door.talker.got == "hello");
}

/// One machine listens at port 2380, and another one talks to it.
struct TwoMachines {
  explicit TwoMachines(std::uint64_t seed) : network(world, Prng(seed, "network"), {}, chopping) {
    listener = std::move(second->listen("127.0.0.1", 2380, door)).value();
    listener->accept();
  }
  void connect() {
    attempt = first->connect("127.0.0.1", 2380, asker);
    settle();
    attempt.reset();
    REQUIRE(asker.connection != nullptr);
    asker.connection->set_user(caller);
  }
  void settle() {
    while (world.step()) {
    }
  }

  World world;
  NetworkSim network;
  std::unique_ptr<port::Network> first = network.at(1);
  std::unique_ptr<port::Network> second = network.at(2);
  Door door;
  std::unique_ptr<port::Listener> listener;
  Asker asker;
  std::unique_ptr<port::ConnectAttempt> attempt;
  Talker caller;
};

TEST_CASE("a way that is cut delivers nothing until it is mended, and the other way goes on") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    TwoMachines machines(seed);
    machines.connect();
    machines.asker.connection->write("on its way");
    machines.network.cut(1, 2);
    machines.settle();
    machines.door.connection->write("heard");
    machines.settle();
    CHECK(machines.door.talker.got.empty());
    CHECK(machines.caller.got == "heard");
    CHECK(machines.network.counts_between_machines().held > 0);
    machines.network.mend_all();
    machines.settle();
    CHECK(machines.door.talker.got == "on its way");
  }
}

TEST_CASE("a connection that is asked for across a cut comes to be once that is mended, unless it was given up") {
  TwoMachines machines(1);
  machines.network.cut(1, 2);
  Asker impatient;
  machines.attempt = machines.first->connect("127.0.0.1", 2380, impatient);
  machines.settle();
  machines.attempt.reset();
  machines.attempt = machines.first->connect("127.0.0.1", 2380, machines.asker);
  machines.settle();
  CHECK(machines.asker.connection == nullptr);
  CHECK(machines.door.connection == nullptr);
  machines.network.mend_all();
  machines.settle();
  CHECK(machines.asker.connection != nullptr);
  CHECK(machines.door.connection != nullptr);
  CHECK(impatient.connection == nullptr);

  // The answer may have to wait, too.
  TwoMachines deaf(2);
  deaf.network.cut(2, 1);
  deaf.attempt = deaf.first->connect("127.0.0.1", 2380, deaf.asker);
  deaf.settle();
  CHECK(deaf.door.connection != nullptr);
  CHECK(deaf.asker.connection == nullptr);
  deaf.network.heal();
  deaf.settle();
  CHECK(deaf.asker.connection != nullptr);
}

TEST_CASE("a process that dies says goodbye, a machine without power says nothing until it is back") {
  TwoMachines machines(3);
  machines.connect();
  machines.door.connection.reset();
  machines.settle();
  CHECK(machines.caller.closed == 1);

  TwoMachines dark(4);
  dark.connect();
  dark.network.darken(2);
  dark.door.connection.reset();
  dark.listener.reset();
  dark.settle();
  CHECK(dark.caller.closed == 0);
  // Nobody answers there, not even to refuse.
  Asker late;
  dark.attempt = dark.first->connect("127.0.0.1", 2380, late);
  dark.settle();
  CHECK_FALSE(late.failure.has_value());
  dark.network.light(2);
  dark.settle();
  CHECK(dark.caller.closed == 1);
  CHECK(late.failure == port::ConnectError::Kind::refused);
}

TEST_CASE("an attempt that is given up tells nothing, and the other side sees the connection end") {
  World world;
  NetworkSim network(world, Prng(6, "network"), chopping);
  Door door;
  const auto listener = std::move(network.listen("127.0.0.1", 2380, door)).value();
  listener->accept();
  Asker early;
  network.connect("127.0.0.1", 2380, early).reset();
  while (world.step()) {
  }
  CHECK(door.talker.closed == 1);

  door.connection.reset();
  Asker late;
  auto attempt = network.connect("127.0.0.1", 2380, late);
  while (door.connection == nullptr) REQUIRE(world.step());
  attempt.reset();
  while (world.step()) {
  }
  CHECK(door.talker.closed == 2);
  CHECK(early.connection == nullptr);
  CHECK(late.connection == nullptr);
}

}  // namespace
}  // namespace metastore::sim
