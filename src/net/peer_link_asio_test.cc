// The link on real sockets: two members in one process, on ports that the kernel gives.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "net/network_asio.h"
#include "net/peer_link.h"

namespace metastore::net {
namespace {

struct Member final : port::Inbox, port::TraceSink {
  Member(LoopAsio& loop, std::uint64_t number, std::uint64_t incarnation = 1)
      : network(loop),
        id(number),
        link({MemberId(number), ClusterId(9), number, incarnation}, Limits(), number, {loop, network, *this, *this}) {}
  void listen(int at = 0) {
    listener = std::move(network.listen("127.0.0.1", at, link.door())).value();
    listener->accept();
    port = static_cast<ListenerAsio&>(*listener).port();
  }
  Peer as_peer() const { return {MemberId(id), {"http://127.0.0.1:" + std::to_string(port)}, id, false}; }
  void post(Event event) override {
    if (auto* message = std::get_if<PeerMessage>(&event)) {
      messages.push_back(std::move(message->envelope));
    } else {
      events.push_back(std::move(event));
    }
  }
  void storage_failed(const port::StorageError&) override { UNREACHABLE(); }
  void trace(const std::vector<TraceLine>&) override {}

  NetworkAsio network;
  std::uint64_t id;
  std::vector<raft::Envelope> messages;
  std::vector<Event> events;
  PeerLink link;
  std::unique_ptr<port::Listener> listener;
  int port = 0;
};

TEST_CASE("two members talk over real sockets, large and small, and find each other again") {
  LoopAsio loop;
  const auto run_until = [&](const std::function<bool()>& condition) {
    while (!condition()) loop.context().run_one();
  };
  Member one(loop, 1);
  auto two = std::make_unique<Member>(loop, 2);
  one.listen();
  two->listen();
  one.link.set_peers({two->as_peer()});
  two->link.set_peers({one.as_peer()});
  run_until([&] { return one.link.is_connected(MemberId(2)) && two->link.is_connected(MemberId(1)); });

  raft::AppendRequest large{.term = Term(1)};
  for (std::uint64_t index = 1; index <= 4; ++index) {
    large.entries.push_back(
        {Term(1), LogIndex(index), raft::EntryType::normal, Bytes::copy_of(std::string(1'000'000, 'x'))});
  }
  const raft::Envelope bulk{MemberId(1), MemberId(2), large};
  const raft::Envelope vote{MemberId(2), MemberId(1), raft::VoteRequest{.term = Term(3)}};
  // The bulk connection may not be there yet, and then a message is lost.
  while (two->messages.empty()) {
    one.link.send({bulk});
    for (int handlers = 0; handlers < 200 && two->messages.empty(); ++handlers) loop.context().run_one();
  }
  CHECK(two->messages.front() == bulk);
  two->link.send({vote});
  run_until([&] { return !one.messages.empty(); });
  CHECK(one.messages == std::vector<raft::Envelope>{vote});

  const int port = two->port;
  two.reset();
  run_until([&] { return one.events.size() == 2; });
  CHECK(one.events.back() == Event{PeerUnreachable{MemberId(2)}});
  two = std::make_unique<Member>(loop, 2, 2);
  two->listen(port);
  two->link.set_peers({one.as_peer()});
  run_until([&] { return one.link.is_connected(MemberId(2)) && two->link.is_connected(MemberId(1)); });
}

}  // namespace
}  // namespace metastore::net
