#include "net/peer_inquiry.h"

#include <doctest/doctest.h>

#include <utility>

#include "net/peer_frame.h"
#include "net/peer_link.h"
#include "sim/loop_sim.h"
#include "sim/network_sim.h"
#include "sim/world.h"

namespace metastore::net {
namespace {

constexpr sim::NetworkFaults chopping = {
    Duration::microseconds(50), Duration::milliseconds(3), 700, 0, Duration(), 65'536};

std::string url(std::uint64_t member) { return "http://127.0.0.1:" + std::to_string(2'380 + member); }

Peer peer(std::uint64_t member, std::uint64_t data_id) {
  Peer made{.id = MemberId(member), .urls = {url(member)}};
  made.data_id = data_id;
  return made;
}

struct Done final : port::Task {
  void run() override { ++times; }
  int times = 0;
};

/// A member whose door is open, in a world where others ask.
struct Asked final : port::Inbox, port::TraceSink {
  Asked() : link({MemberId(1), ClusterId(9), 101, 1}, {}, 1, {loop, network, *this, *this}) {
    listener = std::move(network.listen("127.0.0.1", 2'381, link.door())).value();
    listener->accept();
  }
  void post(Event event) override { CHECK_FALSE(std::holds_alternative<PeerMessage>(event)); }
  void storage_failed(const port::StorageError&) override {}
  void trace(const std::vector<TraceLine>& more) override { lines += more.size(); }

  std::optional<Roster> ask(PeerInquiry::Subject subject) {
    Done done;
    PeerInquiry inquiry(loop, network, std::move(subject), done);
    while (done.times == 0) REQUIRE(world.step());
    CHECK(done.times == 1);
    return inquiry.roster();
  }

  sim::World world;
  sim::NetworkSim network{world, Prng(1, "network"), chopping};
  sim::LoopSim loop{world, Prng(1, "member")};
  std::size_t lines = 0;
  PeerLink link;
  std::unique_ptr<port::Listener> listener;
};

TEST_CASE("a stranger is told who the members are, and nothing of those who were removed") {
  Asked asked;
  Peer removed = peer(3, 7);
  removed.is_removed = true;
  asked.link.set_peers({peer(2, 102), removed});
  // Nobody listens at the second URL.
  const auto roster = asked.ask({.urls = {url(1), url(2)}, .wanted = {url(2)}, .patience = Duration::seconds(10)});
  REQUIRE(roster.has_value());
  CHECK(roster->from == PeerIdentity{MemberId(1), ClusterId(9), 101, 1});
  CHECK(roster->peers == std::vector<Peer>{peer(2, 102), peer(1, 101)});
}

TEST_CASE("who is not in the answer asks again until it is, or until patience ends") {
  Asked asked;
  asked.link.set_peers({peer(2, 102)});
  struct Addition final : port::Task {
    explicit Addition(PeerLink& changed) : link(changed) {}
    void run() override { link.set_peers({peer(2, 102), peer(3, 0)}); }
    PeerLink& link;
  } addition(asked.link);
  PeerInquiry::Subject subject{.urls = {url(1)}, .wanted = {url(3)}, .patience = Duration::seconds(2)};
  const auto former = asked.ask(subject);
  REQUIRE(former.has_value());
  CHECK(former->peers.size() == 2);
  CHECK(asked.loop.now() >= Instant::from_nanoseconds(2'000'000'000));

  asked.world.after(Duration::seconds(1), addition);
  CHECK(asked.ask(subject)->peers.size() == 3);
}

TEST_CASE("where nobody listens an inquiry ends at once, or with its patience") {
  Asked asked;
  const Instant began = asked.loop.now();
  PeerInquiry::Subject subject{.urls = {url(7)}, .wanted = {}, .patience = Duration::seconds(3), .asks_again = false};
  CHECK_FALSE(asked.ask(subject).has_value());
  CHECK(asked.loop.now() < began + Duration::seconds(1));
  subject.asks_again = true;
  CHECK_FALSE(asked.ask(subject).has_value());
  CHECK(asked.loop.now() >= began + Duration::seconds(3));
  subject.urls = {"https://h:1"};
  CHECK_FALSE(asked.ask(subject).has_value());
}

TEST_CASE("every roster comes back from its bytes, and no others do") {
  const Roster roster{{MemberId(1), ClusterId(9), 101, 1}, {peer(2, 102), peer(3, 0)}};
  const std::string bytes = encode(roster);
  CHECK(decode_roster(bytes) == roster);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto shorter = decode_roster(BytesView(bytes).substr(0, size));
    CHECK((!shorter.has_value() || shorter->peers.size() < 2));
  }
  CHECK_FALSE(decode_roster(bytes + "x").has_value());
  CHECK(is_inquiry(encode_inquiry()));
  CHECK_FALSE(is_inquiry(encode_inquiry() + "x"));
}

}  // namespace
}  // namespace metastore::net
