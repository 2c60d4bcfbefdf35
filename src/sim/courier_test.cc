#include "sim/courier.h"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace metastore::sim {
namespace {

struct Link final : port::PeerExecutor {
  void send(std::vector<raft::Envelope> messages) override {
    for (raft::Envelope& message : messages) got.push_back(std::move(message));
  }
  void set_peers(std::vector<Peer> told) override { peers = std::move(told); }
  std::vector<raft::Envelope> got;
  std::vector<Peer> peers;
};

raft::Envelope message(std::uint64_t number) {
  return {MemberId(1), MemberId(2), raft::ReadIndexRequest{.term = Term(1), .context = number}};
}

/// What came of so many messages, by how often each came.
struct Outcome {
  std::uint64_t never = 0;
  std::uint64_t once = 0;
  std::uint64_t twice = 0;
};

Outcome sent(Courier& courier, World& world, Link& link, std::uint64_t count) {
  courier.open(link);
  for (std::uint64_t number = 0; number < count; ++number) courier.send({message(number)});
  while (world.step()) {
  }
  std::vector<std::uint64_t> times(count);
  for (const raft::Envelope& got : link.got) {
    const std::uint64_t number = std::get<raft::ReadIndexRequest>(got.message).context;
    CHECK(got == message(number));
    ++times[number];
  }
  Outcome outcome;
  for (const std::uint64_t times_of_one : times) {
    REQUIRE(times_of_one <= 2);
    ++(times_of_one == 0 ? outcome.never : times_of_one == 1 ? outcome.once : outcome.twice);
  }
  return outcome;
}

TEST_CASE("a courier without faults hands everything over at once, in order, and passes on who the peers are") {
  World world;
  Courier courier(world, {}, Prng(1, "courier"));
  Link link;
  courier.open(link);
  courier.send({message(1), message(2)});
  REQUIRE(link.got.size() == 2);
  CHECK(link.got.front() == message(1));
  courier.set_peers({{.id = MemberId(7)}});
  CHECK(link.peers.size() == 1);
}

TEST_CASE("messages are lost, repeated and late as often as they should be, and never changed") {
  const Duration late = Duration::seconds(5);
  World world;
  Courier losing(world, {.lost_permille = 200}, Prng(1, "courier"));
  Link lossy;
  CHECK(sent(losing, world, lossy, 1'000).never == losing.counts().lost);
  CHECK(losing.counts().lost > 100);

  Courier repeating(world, {.repeated_permille = 200, .late_max = late}, Prng(1, "courier"));
  Link echoing;
  CHECK(sent(repeating, world, echoing, 1'000).twice == repeating.counts().repeated);
  CHECK(repeating.counts().repeated > 100);

  Courier dawdling(world, {.late_permille = 200, .late_max = late}, Prng(1, "courier"));
  Link slow;
  CHECK(sent(dawdling, world, slow, 1'000).once == 1'000);
  CHECK(dawdling.counts().late > 100);
  CHECK(slow.got.back() != message(999));
}

TEST_CASE("what is late waits for a member that is paused, and comes in its order") {
  World world;
  Link link;
  Courier courier(world, {.late_permille = 1000, .late_max = Duration::seconds(1)}, Prng(1, "courier"));
  courier.open(link);
  for (std::uint64_t number = 0; number < 10; ++number) courier.send({message(number)});
  courier.pause();
  while (world.step()) {
  }
  CHECK(link.got.empty());
  courier.resume();
  CHECK(link.got.size() == 10);
}

TEST_CASE("what is late outlives the run that sent it, and is lost if nobody is there to carry it") {
  World world;
  Courier courier(world, {.late_permille = 1'000, .late_max = Duration::seconds(5)}, Prng(1, "courier"));
  Link first, second;
  courier.open(first);
  courier.send({message(1)});
  courier.close();
  courier.open(second);
  while (world.step()) {
  }
  CHECK(first.got.empty());
  CHECK(second.got.size() == 1);
  courier.send({message(2)});
  courier.close();
  while (world.step()) {
  }
  CHECK(second.got.size() == 1);
}

}  // namespace
}  // namespace metastore::sim
