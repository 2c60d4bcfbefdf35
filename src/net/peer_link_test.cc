#include "net/peer_link.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "sim/loop_sim.h"
#include "sim/network_sim.h"
#include "sim/world.h"

namespace metastore::net {
namespace {

using sim::LoopSim;
using sim::NetworkFaults;
using sim::NetworkSim;
using sim::World;

constexpr NetworkFaults calm = {Duration::microseconds(50), Duration::microseconds(500), 0, 0, Duration(), 65'536};
constexpr NetworkFaults chopping = {Duration::microseconds(50), Duration::milliseconds(3), 700, 0, Duration(), 65'536};

constexpr NetworkFaults slow = {Duration::milliseconds(1), Duration::milliseconds(20), 0, 0, Duration(), 65'536};

constexpr int port_of(std::uint64_t member) { return static_cast<int>(2'380 + member); }

/// What one member hears and says about its peers.
struct Member final : port::Inbox, port::TraceSink {
  Member(World& world, NetworkSim& network, PeerIdentity self, const Limits& limits = {})
      : network_(network),
        loop(world, Prng(self.incarnation, raft::describe(self.member))),
        link(self, limits, self.incarnation, {loop, network, *this, *this}) {}

  void listen(int port) {
    listener = std::move(network_.listen("127.0.0.1", port, link.door())).value();
    listener->accept();
  }
  void post(Event event) override {
    if (auto* message = std::get_if<PeerMessage>(&event)) {
      messages.push_back(std::move(message->envelope));
      arrived.push_back(loop.now());
    } else {
      events.push_back(std::move(event));
    }
  }
  void storage_failed(const port::StorageError&) override { UNREACHABLE(); }
  void trace(const std::vector<TraceLine>& more) override { lines.insert(lines.end(), more.begin(), more.end()); }

  /// The last field of the lines that state `fact`: why.
  std::vector<std::string> reasons(std::string_view fact) const {
    std::vector<std::string> all;
    for (const TraceLine& line : lines) {
      if (line.message == fact) all.push_back(std::get<std::string>(line.fields.at(1).value));
    }
    return all;
  }

  NetworkSim& network_;
  LoopSim loop;
  std::vector<raft::Envelope> messages;
  std::vector<Instant> arrived;
  std::vector<Event> events;
  std::vector<TraceLine> lines;
  PeerLink link;
  std::unique_ptr<port::Listener> listener;
};

Peer peer(std::uint64_t member, std::uint64_t data_id = 0) {
  return {MemberId(member), {"http://127.0.0.1:" + std::to_string(port_of(member))}, data_id, false};
}

PeerIdentity identity(std::uint64_t member, std::uint64_t incarnation = 1) {
  return {MemberId(member), ClusterId(9), 100 + member, incarnation};
}

raft::Envelope heartbeat(std::uint64_t from, std::uint64_t to, std::uint64_t round) {
  return {MemberId(from), MemberId(to), raft::AppendRequest{.term = Term(2), .read_round = round}};
}

raft::Envelope append(std::uint64_t from, std::uint64_t to, std::uint64_t index, std::size_t bytes) {
  raft::AppendRequest request{.term = Term(2), .previous_index = LogIndex(index - 1), .previous_term = Term(1)};
  request.entries.push_back({Term(2), LogIndex(index), raft::EntryType::normal,
                             Bytes::copy_of(std::string(bytes, static_cast<char>(index)))});
  return {MemberId(from), MemberId(to), std::move(request)};
}

struct Pair {
  explicit Pair(const NetworkFaults& faults = calm, std::uint64_t seed = 1, const Limits& limits = {})
      : network(world, Prng(seed, "network"), faults), one(world, network, identity(1), limits), limits_(limits) {
    one.listen(port_of(1));
    begin_two();
  }
  void begin_two(std::uint64_t incarnation = 1) {
    two = std::make_unique<Member>(world, network, identity(2, incarnation), limits_);
    two->listen(port_of(2));
    two->link.set_peers({peer(1, 101)});
  }
  void meet() {
    one.link.set_peers({peer(2, 102)});
    run(Duration::milliseconds(200));
    REQUIRE(one.events == std::vector<Event>{PeerConnected{MemberId(2)}});
    REQUIRE(two->events == std::vector<Event>{PeerConnected{MemberId(1)}});
  }
  void run(Duration duration) {
    struct Alarm final : port::Task {
      void run() override { is_over = true; }
      bool is_over = false;
    } alarm;
    world.after(duration, alarm);
    while (!alarm.is_over) REQUIRE(world.step());
  }

  World world;
  NetworkSim network;
  Member one;
  std::unique_ptr<Member> two;
  Limits limits_;
};

TEST_CASE("messages come as they were sent and in their order, however the network cuts the bytes") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Pair pair(chopping, seed);
    pair.meet();
    Prng prng(seed, "sizes");
    std::vector<raft::Envelope> sent;
    for (std::uint64_t index = 1; index <= 30; ++index) {
      sent.push_back(append(1, 2, index, prng.below(prng.chance(1, 10) ? 300'000 : 300)));
      pair.one.link.send({sent.back()});
      if (prng.chance(1, 3)) pair.run(prng.between(Duration(), Duration::milliseconds(20)));
    }
    pair.run(Duration::seconds(2));
    // Large or small, on whichever connection: entries never overtake each other once a large one is on its way.
    std::vector<std::uint64_t> order;
    for (const raft::Envelope& message : pair.two->messages) {
      order.push_back(std::get<raft::AppendRequest>(message.message).entries.front().index.value());
    }
    CHECK(pair.two->messages.size() == sent.size());
    std::sort(order.begin(), order.end());
    CHECK(order.back() == 30);
    for (const raft::Envelope& message : pair.two->messages) {
      CHECK(std::find(sent.begin(), sent.end(), message) != sent.end());
    }
    pair.two->link.send({heartbeat(2, 1, 7)});
    pair.run(Duration::milliseconds(100));
    CHECK(pair.one.messages == std::vector<raft::Envelope>{heartbeat(2, 1, 7)});
    CHECK(pair.one.lines.size() == 1);
  }
}

TEST_CASE("small entries wait behind large ones that are on their way, and take the short way again later") {
  // Late by 1 to 20 ms: what takes another way overtakes often.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Pair pair(slow, seed);
    pair.meet();
    for (std::uint64_t index = 1; index <= 40; ++index) {
      pair.one.link.send({append(1, 2, index, index % 20 == 1 ? 500'000 : 10)});
      pair.run(Duration::milliseconds(index % 20 == 0 ? 200 : 2));
    }
    REQUIRE(pair.two->messages.size() == 40);
    for (std::uint64_t index = 1; index <= 40; ++index) {
      CHECK(std::get<raft::AppendRequest>(pair.two->messages[index - 1].message).entries.front().index.value() ==
            index);
    }
  }
}

TEST_CASE("heartbeats are not delayed behind 10 MB of bulk") {
  Pair pair(slow);
  pair.meet();
  for (std::uint64_t index = 1; index <= 10; ++index) pair.one.link.send({append(1, 2, index, 1'000'000)});
  std::uint64_t in_time = 0;
  for (std::uint64_t round = 1; round <= 20; ++round) {
    const std::size_t before = pair.two->messages.size();
    pair.one.link.send({heartbeat(1, 2, round)});
    pair.run(Duration::milliseconds(5));
    for (std::size_t i = before; i < pair.two->messages.size(); ++i) {
      const auto& append = std::get<raft::AppendRequest>(pair.two->messages[i].message);
      // They keep their order; each is as late as one way through the network makes it.
      if (!append.entries.empty()) continue;
      CHECK(append.read_round == ++in_time);
      CHECK(round - append.read_round <= 4);
    }
  }
  CHECK(in_time >= 16);
  CHECK(pair.two->messages.size() < 28);
  pair.run(Duration::seconds(1));
  CHECK(pair.two->messages.size() == 30);
}

TEST_CASE("the parts of a snapshot keep their order, and no heartbeat waits behind them, however small they are") {
  Pair pair(slow);
  pair.meet();
  for (std::uint64_t number = 0; number < 20; ++number) {
    const raft::SnapshotPart part{.number = number,
                                  .rows = Bytes::copy_of(std::string(number < 10 ? 1'000'000 : 9, 'r'))};
    pair.one.link.send({{MemberId(1), MemberId(2), part}});
  }
  pair.one.link.send({heartbeat(1, 2, 1)});
  pair.run(Duration::milliseconds(20));
  CHECK(pair.two->messages.size() < 10);
  CHECK(std::any_of(pair.two->messages.begin(), pair.two->messages.end(), [](const raft::Envelope& message) {
    return std::holds_alternative<raft::AppendRequest>(message.message);
  }));
  pair.run(Duration::seconds(2));
  std::uint64_t next = 0;
  for (const raft::Envelope& message : pair.two->messages) {
    if (const auto* part = std::get_if<raft::SnapshotPart>(&message.message)) CHECK(part->number == next++);
  }
  CHECK(next == 20);
}

TEST_CASE("a process that ends is told of once, and found again when it is back") {
  Pair pair;
  pair.meet();
  pair.two.reset();
  pair.run(Duration::seconds(10));
  CHECK(pair.one.events == std::vector<Event>{PeerConnected{MemberId(2)}, PeerUnreachable{MemberId(2)}});
  CHECK(pair.one.reasons("peer became inactive") == std::vector<std::string>{"the connection broke"});
  CHECK(!pair.one.link.is_connected(MemberId(2)));
  const std::uint64_t calls = pair.network.counts().refused;
  CHECK(calls >= 20);
  CHECK(calls <= 60);
  pair.begin_two(2);
  pair.run(Duration::seconds(2));
  REQUIRE(pair.one.events.size() == 3);
  CHECK(pair.one.events.back() == Event{PeerConnected{MemberId(2)}});
  CHECK(pair.one.link.is_connected(MemberId(2)));
}

TEST_CASE("what breaks all the time is mended all the time") {
  NetworkFaults faults = chopping;
  faults.reset_chance = 1'000;
  faults.reset_after_max = Duration::milliseconds(300);
  Pair pair(faults, 4);
  pair.one.link.set_peers({peer(2, 102)});
  for (std::uint64_t round = 1; round <= 500; ++round) {
    pair.one.link.send({heartbeat(1, 2, round)});
    pair.run(Duration::milliseconds(10));
  }
  CHECK(pair.two->messages.size() > 300);
  pair.network.heal();
  pair.run(Duration::seconds(2));
  CHECK(pair.one.link.is_connected(MemberId(2)));
  CHECK(pair.two->link.is_connected(MemberId(1)));
}

/// Accepts and says nothing, or what it is told to.
struct Mute final : port::Acceptor, port::ConnectionUser {
  void on_accepted(std::unique_ptr<port::Connection> accepted) override {
    connections.push_back(std::move(accepted));
    connections.back()->set_user(*this);
    if (!says.empty()) connections.back()->write(says);
    if (is_deaf) connections.back()->pause_reading(true);
  }
  void on_bytes(BytesView) override {}
  void on_drained() override {}
  void on_closed() override {}
  std::vector<std::unique_ptr<port::Connection>> connections;
  std::string says;
  bool is_deaf = false;
};

TEST_CASE("a peer that is only silent is given up and called again, but not called unreachable") {
  World world;
  NetworkSim network(world, Prng(1, "network"), calm);
  Mute mute;
  append_frame(mute.says, FrameKind::welcome, encode(Welcome{identity(2)}));
  const auto listener = std::move(network.listen("", port_of(2), mute)).value();
  listener->accept();
  Member one(world, network, identity(1));
  one.link.set_peers({peer(2)});
  while (one.reasons("peer became inactive").empty()) REQUIRE(world.step());
  CHECK(one.events == std::vector<Event>{PeerConnected{MemberId(2)}, PeerLost{MemberId(2)}});
  CHECK(one.reasons("peer became inactive") == std::vector<std::string>{"no word for too long"});
}

TEST_CASE("messages to a peer that takes none are bounded") {
  const Limits limits = {
      .peer_urgent_bytes_max = 10'000, .peer_bulk_bytes_max = 3'000'000, .peer_silence_ms = 1'000'000};
  World world;
  NetworkSim network(world, Prng(1, "network"), calm);
  Mute mute;
  mute.is_deaf = true;
  append_frame(mute.says, FrameKind::welcome, encode(Welcome{identity(2)}));
  const auto listener = std::move(network.listen("", port_of(2), mute)).value();
  listener->accept();
  Member one(world, network, identity(1), limits);
  one.link.set_peers({peer(2)});
  while (!one.link.is_connected(MemberId(2))) REQUIRE(world.step());
  for (std::uint64_t i = 1; i <= 200; ++i) {
    one.link.send({heartbeat(1, 2, i), append(1, 2, i, 1'000'000)});
    for (int event = 0; event < 100; ++event) world.step();
  }
  CHECK(one.link.counts().messages_dropped >= 200 - 1 - 5 - 100);
  CHECK(one.link.counts().messages_sent + one.link.counts().messages_dropped <= 400);
  CHECK(one.link.counts().messages_sent + one.link.counts().messages_dropped >= 400 - 80 - 4);
}

TEST_CASE("of entries that have no room the first arrive, large or small, and a peer that lacks much catches up") {
  for (const std::size_t bytes : {100u, 100'000u}) {
    Pair pair(calm, 1, {.peer_urgent_bytes_max = 1'000, .peer_bulk_bytes_max = 400'000});
    pair.meet();
    std::uint64_t arrived = 0;
    for (int round = 0; round < 40 && arrived < 50; ++round) {
      for (std::uint64_t i = arrived + 1; i <= 50; ++i) pair.one.link.send({append(1, 2, i, bytes)});
      pair.run(Duration::milliseconds(200));
      for (const raft::Envelope& message : std::exchange(pair.two->messages, {})) {
        const auto& entries = std::get<raft::AppendRequest>(message.message).entries;
        if (entries.front().index.value() == arrived + 1) ++arrived;
      }
    }
    CHECK(arrived == 50);
    CHECK(pair.one.link.counts().messages_dropped > 0);
  }
}

struct RefusalCase {
  const char* sentence;
  PeerIdentity caller;
  std::uint64_t called = 1;
};

TEST_CASE("who does not belong is refused with a sentence, which both sides log once") {
  const std::vector<RefusalCase> cases = {
      {"member 2 is of cluster 8, and this is cluster 9; correct its --initial-cluster or its --data-dir",
       {MemberId(2), ClusterId(8), 102, 1}},
      {"member 2 runs on another data directory than the one it joined with; remove it and add it again",
       {MemberId(2), ClusterId(9), 55, 1}},
      {"member 7 is not in this cluster; add it with 'member add'", {MemberId(7), ClusterId(9), 107, 1}},
      {"member 3 has been removed for good; delete its data directory and add it again as a new member",
       {MemberId(3), ClusterId(9), 103, 1}},
      {"member 2 calls member 5, and this is 1; correct the peer URLs of one of them",
       {MemberId(2), ClusterId(9), 102, 1},
       5},
  };
  for (const RefusalCase& refused : cases) {
    World world;
    NetworkSim network(world, Prng(1, "network"), chopping);
    Member one(world, network, identity(1));
    one.listen(port_of(1));
    Peer removed = peer(3);
    removed.is_removed = true;
    one.link.set_peers({peer(2, 102), removed});
    Member caller(world, network, refused.caller);
    Peer called = peer(1);
    called.id = MemberId(refused.called);
    caller.link.set_peers({called});
    const Instant end = one.loop.now() + Duration::seconds(130);
    while (one.loop.now() < end) REQUIRE(world.step());
    CHECK(caller.reasons("no connection to a peer: refused") == std::vector<std::string>{refused.sentence});
    CHECK(one.reasons("rejected connection on peer endpoint") == std::vector<std::string>{refused.sentence});
    // Whoever was removed hears of it, to leave.
    const bool is_removed = refused.caller.member == removed.id;
    CHECK(caller.events == (is_removed ? std::vector<Event>{Expelled{MemberId(1)}} : std::vector<Event>()));
    CHECK(one.messages.empty());
  }
}

TEST_CASE("a member that is removed while it is connected is refused at once") {
  Pair pair;
  pair.meet();
  Peer removed = peer(2, 102);
  removed.is_removed = true;
  pair.one.link.set_peers({removed});
  pair.run(Duration::seconds(1));
  CHECK(pair.two->reasons("no connection to a peer: refused").size() == 1);
  CHECK(std::count(pair.two->events.begin(), pair.two->events.end(), Event{Expelled{MemberId(1)}}) == 1);
  pair.two->link.send({heartbeat(2, 1, 1)});
  pair.run(Duration::seconds(1));
  CHECK(pair.one.messages.empty());
}

TEST_CASE("a member that was added while this one was away is let in once somebody known tells of it") {
  Pair pair;
  pair.meet();
  Member third(pair.world, pair.network, identity(3));
  third.listen(port_of(3));
  pair.two->link.set_peers({peer(1, 101), peer(3, 103)});
  third.link.set_peers({peer(1, 101), peer(2, 102)});
  pair.run(Duration::seconds(3));
  CHECK(pair.one.link.is_connected(MemberId(3)));
  CHECK(third.link.is_connected(MemberId(1)));
  CHECK(pair.one.reasons("rejected connection on peer endpoint").size() == 1);

  // Its own replica knows better.
  Peer removed = peer(3, 103);
  removed.is_removed = true;
  pair.one.link.set_peers({peer(2, 102), removed});
  pair.run(Duration::seconds(3));
  CHECK_FALSE(pair.one.link.is_connected(MemberId(3)));
  CHECK_FALSE(third.link.is_connected(MemberId(1)));
}

TEST_CASE("a wiped member is told so by whoever it calls, and by whoever calls it") {
  Pair pair;
  pair.one.link.set_peers({peer(2, 99)});
  pair.run(Duration::seconds(5));
  CHECK(pair.one.reasons("no connection to a peer: refused") ==
        std::vector<std::string>{"it runs on another data directory than the one it joined with; remove it and add it "
                                 "again"});
  CHECK(pair.two->reasons("no connection to a peer: refused").size() == 1);
  CHECK(pair.one.messages.empty());
}

TEST_CASE("an earlier run of a member is refused once a later one has been here") {
  Pair pair;
  pair.begin_two(5);
  pair.meet();
  pair.begin_two(4);
  pair.run(Duration::seconds(5));
  CHECK(pair.one.reasons("rejected connection on peer endpoint").size() == 1);
  CHECK(pair.two->reasons("no connection to a peer: refused").size() == 1);
}

/// One connection to the peer port, by somebody who is no peer.
struct Stranger final : port::ConnectionUser {
  Stranger(NetworkSim& network, int port, std::string says) : connection(network.connect(port)) {
    connection->set_user(*this);
    if (!says.empty()) connection->write(std::move(says));
  }
  void on_bytes(BytesView bytes) override { heard.append(bytes); }
  void on_drained() override {}
  void on_closed() override { is_closed = true; }
  std::string heard;
  bool is_closed = false;
  std::unique_ptr<port::Connection> connection;
};

TEST_CASE("garbage, clients and liars are refused, hold little, and make one line a minute") {
  Pair pair;
  pair.meet();
  std::string lie;
  append_frame(lie, FrameKind::hello, std::string(2'000, 'x'));
  std::string hello;
  append_frame(hello, FrameKind::hello, encode(Hello{{MemberId(2), ClusterId(9), 102, 1}, MemberId(1), Lane::bulk}));
  std::string long_message(frame_header_bytes, '\0');
  long_message[3] = '\x7f';
  std::string someone_elses;
  append_frame(someone_elses, FrameKind::message, "no message");
  const std::vector<std::string> says = {
      "GET /version HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(500, '\x01'),
      std::string(100'000, '\0'),
      lie,
      hello + long_message,
      hello + someone_elses,
      "",
  };
  std::uint64_t made = 0;
  const std::size_t lines_before = pair.one.lines.size();
  for (int second = 0; second < 180; ++second) {
    std::vector<std::unique_ptr<Stranger>> strangers;
    for (const std::string& words : says)
      strangers.push_back(std::make_unique<Stranger>(pair.network, port_of(1), words));
    for (std::uint64_t invented = 0; invented < 3; ++invented) {
      std::string other;
      append_frame(other, FrameKind::hello,
                   encode(Hello{{MemberId(1'000 + ++made), ClusterId(made), 1, 1}, MemberId(1), Lane::urgent}));
      strangers.push_back(std::make_unique<Stranger>(pair.network, port_of(1), other));
    }
    pair.run(Duration::seconds(1));
    CHECK(pair.one.link.counts().sent_bytes < 10'000'000);
    for (const auto& stranger : strangers) {
      if (stranger->heard.empty()) continue;
      CHECK(stranger->is_closed);
    }
  }
  // The peer that was pretended to be comes back each time, which is told each time; strangers have one line a minute.
  std::uint64_t rejected = pair.one.reasons("rejected connection on peer endpoint").size();
  CHECK(rejected >= 3);
  CHECK(rejected <= 4);
  CHECK(pair.one.lines.size() - lines_before == rejected);
  CHECK(pair.one.link.is_connected(MemberId(2)));
  pair.two->link.send({heartbeat(2, 1, 5)});
  pair.run(Duration::milliseconds(100));
  CHECK(pair.one.messages == std::vector<raft::Envelope>{heartbeat(2, 1, 5)});
}

TEST_CASE("strangers who say nothing are few, and gone after a while") {
  Pair pair;
  pair.one.link.set_peers({peer(2, 102)});
  std::vector<std::unique_ptr<Stranger>> strangers;
  for (int i = 0; i < 100; ++i) strangers.push_back(std::make_unique<Stranger>(pair.network, port_of(1), ""));
  pair.run(Duration::milliseconds(100));
  const auto closed = [&] {
    return std::count_if(strangers.begin(), strangers.end(), [](const auto& stranger) { return stranger->is_closed; });
  };
  CHECK(closed() >= 68);
  CHECK(closed() <= 70);
  pair.run(Duration::seconds(6));
  CHECK(closed() == 100);
  CHECK(pair.two->link.is_connected(MemberId(1)));
}

}  // namespace
}  // namespace metastore::net
