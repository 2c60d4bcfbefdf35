#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <optional>
#include <string>

#include "net/network_asio.h"

namespace metastore::net {
namespace {

using boost::asio::ip::tcp;

/// The accepting side of a test: it keeps every connection and notes what it is told.
struct Server final : port::Acceptor, port::ConnectionUser {
  void on_accepted(std::unique_ptr<port::Connection> accepted) override {
    connection = std::move(accepted);
    ++connections;
    connection->set_user(*this);
  }
  void on_bytes(BytesView bytes) override {
    received += bytes;
    if (act_on_bytes) act_on_bytes();
  }
  void on_drained() override { ++drained; }
  void on_closed() override { ++closed; }

  std::unique_ptr<port::Connection> connection;
  std::string received;
  std::function<void()> act_on_bytes;
  int connections = 0;
  int drained = 0;
  int closed = 0;
};

struct Fixture {
  LoopAsio loop;
  NetworkAsio network{loop};
  Server server;
  std::unique_ptr<port::Listener> listener;
  boost::asio::io_context client_context;
  tcp::socket client{client_context};

  void listen(const char* host = "127.0.0.1") {
    auto listening = network.listen(host, 0, server);
    REQUIRE(listening.ok());
    listener = std::move(listening).value();
    listener->accept();
  }
  unsigned short port() const { return static_cast<unsigned short>(static_cast<ListenerAsio&>(*listener).port()); }
  void connect(const char* host = "127.0.0.1") {
    client.connect(tcp::endpoint(boost::asio::ip::make_address(host), port()));
  }
  void say(const std::string& bytes) { boost::asio::write(client, boost::asio::buffer(bytes)); }
  template <typename Condition>
  void run_until(Condition condition) {
    while (!condition()) loop.context().run_one();
  }
};

TEST_CASE_FIXTURE(Fixture, "bytes go both ways, and a write is drained once it has left") {
  listen();
  connect();
  say("hello");
  run_until([&] { return server.received == "hello"; });
  CHECK(server.connection->remote_address() == "127.0.0.1:" + std::to_string(client.local_endpoint().port()));
  server.connection->write("good day");
  CHECK(server.drained == 0);
  run_until([&] { return server.drained == 1; });
  std::array<char, 8> answer;
  boost::asio::read(client, boost::asio::buffer(answer));
  CHECK(std::string(answer.data(), answer.size()) == "good day");
}

TEST_CASE_FIXTURE(Fixture, "localhost is served on both families, on the same port") {
  listen("localhost");
  connect("127.0.0.1");
  run_until([&] { return server.connections == 1; });
  tcp::socket other(client_context);
  boost::system::error_code error;
  other.connect(tcp::endpoint(boost::asio::ip::address_v6::loopback(), port()), error);
  if (error == boost::asio::error::address_family_not_supported ||
      error == boost::system::errc::address_not_available) {
    MESSAGE("this machine has no IPv6");
    return;
  }
  REQUIRE(!error);
  run_until([&] { return server.connections == 2; });
  CHECK(server.connection->remote_address().substr(0, 6) == "[::1]:");
}

TEST_CASE_FIXTURE(Fixture, "who comes before anybody is let in waits, and loses nothing of what was said") {
  auto listening = network.listen("127.0.0.1", 0, server);
  REQUIRE(listening.ok());
  listener = std::move(listening).value();
  connect();
  say("early");
  for (int turn = 0; turn < 10; ++turn) loop.context().poll();
  CHECK(server.connections == 0);
  listener->accept();
  run_until([&] { return server.received == "early"; });
  CHECK(server.connections == 1);
}

TEST_CASE_FIXTURE(Fixture, "a port in use is refused with the address and the system's words") {
  listen();
  const auto second = network.listen("127.0.0.1", port(), server);
  REQUIRE(!second.ok());
  CHECK(second.error().message == "cannot listen on 127.0.0.1:" + std::to_string(port()) + ": Address already in use");
  const auto nowhere = network.listen("192.0.2.1", 1, server);
  REQUIRE(!nowhere.ok());
  CHECK(nowhere.error().message == "cannot listen on 192.0.2.1:1: Cannot assign requested address");
}

TEST_CASE_FIXTURE(Fixture, "while reading is paused the peer feels it, and nothing is lost") {
  listen();
  connect();
  run_until([&] { return server.connections == 1; });
  server.connection->pause_reading(true);
  client.non_blocking(true);
  const std::string piece(65536, 'x');
  std::size_t sent = 0;
  boost::system::error_code error;
  // The kernel's buffers fill up; one piece that was being read already may be held.
  while (!error) {
    sent += client.write_some(boost::asio::buffer(piece), error);
    loop.context().poll();
  }
  CHECK(error == boost::asio::error::would_block);
  CHECK(server.received.empty());
  server.connection->pause_reading(false);
  CHECK(server.received.empty());
  run_until([&] { return server.received.size() == sent; });
}

TEST_CASE_FIXTURE(Fixture, "shutting down lets the last write leave, and the peer's end closes the connection") {
  listen();
  connect();
  run_until([&] { return server.connections == 1; });
  const std::string much(4 << 20, 'y');
  server.connection->write(much);
  server.connection->shut_down();
  std::string got;
  std::array<char, 65536> part;
  client.non_blocking(true);
  boost::system::error_code error;
  while (error != boost::asio::error::eof) {
    got.append(part.data(), client.read_some(boost::asio::buffer(part), error));
    loop.context().poll();
  }
  CHECK(got == much);
  CHECK(server.closed == 0);
  client.close();
  run_until([&] { return server.closed == 1; });
}

TEST_CASE_FIXTURE(Fixture, "a connection may be destroyed from within its own callback") {
  listen();
  connect();
  server.act_on_bytes = [&] { server.connection.reset(); };
  say("bye");
  run_until([&] { return server.connection == nullptr && server.connections == 1; });
  std::array<char, 1> part;
  boost::system::error_code error;
  client.read_some(boost::asio::buffer(part), error);
  CHECK(error);
  loop.context().poll();
  CHECK(server.closed == 0);
}

TEST_CASE_FIXTURE(Fixture, "a destroyed listener accepts nobody") {
  listen();
  const unsigned short old_port = port();
  listener.reset();
  boost::system::error_code error;
  client.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), old_port), error);
  CHECK(error == boost::asio::error::connection_refused);
}

TEST_CASE_FIXTURE(Fixture, "without descriptors the listener waits instead of spinning, then serves who waited") {
  listen();
  client.open(tcp::v4());
  rlimit before;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next_free = dup(0);
  REQUIRE(next_free >= 0);
  close(next_free);
  rlimit none_left = before;
  none_left.rlim_cur = static_cast<rlim_t>(next_free);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none_left) == 0);

  connect();
  const Instant start = loop.now();
  // Each round is one failed accept and one pause.
  for (int handlers = 0; handlers < 4; ++handlers) loop.context().run_one();
  const Duration taken = loop.now() - start;
  CHECK(server.connections == 0);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(taken >= Duration::milliseconds(190));
  run_until([&] { return server.connections == 1; });
}

struct Asker final : port::Connector {
  void on_connected(std::unique_ptr<port::Connection> made) override { connection = std::move(made); }
  void on_connect_failed(const port::ConnectError& error) override { failure = error; }
  bool knows() const { return connection != nullptr || failure.has_value(); }
  std::unique_ptr<port::Connection> connection;
  std::optional<port::ConnectError> failure;
};

TEST_CASE_FIXTURE(Fixture, "a connection is made by address and by localhost, and carries bytes both ways") {
  listen();
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    Asker asker;
    const auto attempt = network.connect(host, port(), asker);
    CHECK(!asker.knows());
    run_until([&] { return asker.knows(); });
    REQUIRE(asker.connection != nullptr);
    CHECK(asker.connection->remote_address() == "127.0.0.1:" + std::to_string(port()));
    server.received.clear();
    asker.connection->set_user(server);
    asker.connection->write("hello");
    run_until([&] { return server.received == "hello"; });
  }
}

TEST_CASE_FIXTURE(Fixture, "a refused connection is told apart from one that cannot be") {
  listen();
  const unsigned short old_port = port();
  listener.reset();
  Asker refused, refused_twice, nameless;
  const auto first = network.connect("127.0.0.1", old_port, refused);
  const auto second = network.connect("localhost", old_port, refused_twice);
  // Too long for a name: no server is asked.
  const auto third = network.connect(std::string(64, 'x'), 1, nameless);
  run_until([&] { return refused.knows() && refused_twice.knows() && nameless.knows(); });
  CHECK(refused.failure->kind == port::ConnectError::Kind::refused);
  CHECK(refused.failure->message == "Connection refused");
  CHECK(nameless.failure->kind == port::ConnectError::Kind::unreachable);
}

TEST_CASE_FIXTURE(Fixture, "an attempt that is given up tells nothing") {
  listen();
  Asker given_up, asker;
  network.connect("127.0.0.1", port(), given_up).reset();
  const auto attempt = network.connect("127.0.0.1", port(), asker);
  run_until([&] { return asker.knows(); });
  loop.context().poll();
  CHECK(!given_up.knows());
}

}  // namespace
}  // namespace metastore::net
