#include "sim/world.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "sim/network_sim.h"
#include "sim/note_test.h"

namespace metastore::sim {
namespace {

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

TEST_CASE("a process that is paused is greeted and heard by nobody, and misses nothing") {
  World world;
  NetworkSim network(world, Prng(6, "network"), chopping, chopping);
  const auto here = network.at(1);
  const auto there = network.at(2);
  Door door;
  const auto listener = std::move(there->listen("127.0.0.1", 2380, door)).value();
  listener->accept();
  network.freeze(2);
  Asker asker;
  auto attempt = here->connect("127.0.0.1", 2380, asker);
  while (world.step()) {
  }
  // Its system takes the connection.
  REQUIRE(asker.connection != nullptr);
  CHECK(door.connection == nullptr);
  Talker client;
  asker.connection->set_user(client);
  asker.connection->write("hello");
  while (world.step()) {
  }
  network.thaw(2);
  while (world.step()) {
  }
  REQUIRE(door.connection != nullptr);
  CHECK(door.talker.got == "hello");
  network.freeze(1);
  door.connection->write("who is there?");
  door.connection->shut_down();
  while (world.step()) {
  }
  CHECK(client.got.empty());
  CHECK(client.closed == 0);
  network.thaw(1);
  while (world.step()) {
  }
  CHECK(client.got == "who is there?");
  CHECK(client.closed == 1);
  // A client's own way is never cut, but whoever it leads to may be paused.
  network.freeze(2);
  Talker far;
  auto connection = network.connect(2380);
  connection->set_user(far);
  connection->write("ping");
  door.talker.got.clear();
  while (world.step()) {
  }
  CHECK(door.talker.got.empty());
  network.thaw(2);
  while (world.step()) {
  }
  CHECK(door.talker.got == "ping");
}

TEST_CASE("who is let in at the moment at which the other side leaves hears that it has left") {
  World world;
  NetworkSim network(world, Prng(7, "network"), chopping, chopping);
  const auto here = network.at(1);
  Door door;
  const auto listener = std::move(network.at(2)->listen("127.0.0.1", 2380, door)).value();
  listener->accept();
  network.freeze(2);
  Asker asker;
  auto attempt = here->connect("127.0.0.1", 2380, asker);
  while (world.step()) {
  }
  REQUIRE(asker.connection != nullptr);
  network.thaw(2);
  asker.connection.reset();
  attempt.reset();
  while (world.step()) {
  }
  REQUIRE(door.connection != nullptr);
  door.connection->write("is anybody there?");
  while (world.step()) {
  }
  CHECK(door.talker.closed == 1);
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
