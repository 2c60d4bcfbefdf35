// What a slow follower costs: what is on its way to it, in one message and in one turn, and what it holds back itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/raft/cluster_test.h"
#include "core/raft/log.h"

namespace metastore::raft {
namespace {

constexpr MemberId leading_member(1);
constexpr MemberId slow_member(3);
constexpr std::uint64_t small_message = 1'000;
constexpr std::uint64_t small_window = 5'000;

struct SlowGroup {
  SlowGroup() : cluster(3, 3, 1, {.limits = limits()}) {
    cluster.now = cluster.node(leading_member).raft->wake_at();
    cluster.wake(leading_member);
    settle(true);
    REQUIRE(cluster.node(leading_member).raft->role() == Role::leader);
  }

  static Limits limits() {
    Limits limits;
    limits.append_message_bytes_max = small_message;
    limits.append_window_bytes_max = small_window;
    limits.raft_messages_held_max = 20;
    return limits;
  }

  /// Until there is nothing left to do, or nothing but what concerns the slow one.
  void settle(bool has_all = false) {
    for (bool has_worked = true; has_worked;) {
      has_worked = false;
      for (const auto& [id, node] : cluster.nodes) {
        if (node.writes.empty() || (id == slow_member && !has_all)) continue;
        cluster.write(id, node.writes.size());
        has_worked = true;
      }
      const auto is_next = [&](const Envelope& one) {
        return has_all || (one.to != slow_member && one.from != slow_member);
      };
      const auto next = std::find_if(cluster.network.begin(), cluster.network.end(), is_next);
      if (next == cluster.network.end()) continue;
      const Envelope envelope = *next;
      cluster.network.erase(next);
      cluster.deliver(envelope);
      has_worked = true;
    }
  }

  void propose(int count, std::size_t size = 100) {
    for (; count > 0; --count) {
      REQUIRE(cluster.propose(leading_member, std::string(size, 'v')));
      settle();
    }
  }

  /// Of entries on their way to the slow one, each message of which keeps to its size.
  std::uint64_t bytes_in_flight() const {
    std::uint64_t all = 0;
    for (const Envelope& envelope : cluster.network) {
      const auto* append = std::get_if<AppendRequest>(&envelope.message);
      if (append == nullptr || envelope.to != slow_member) continue;
      std::uint64_t bytes = 0;
      for (const Entry& entry : append->entries) bytes += size_bytes(entry);
      CHECK((bytes <= small_message || append->entries.size() == 1));
      all += bytes;
    }
    return all;
  }

  LogIndex match() const { return cluster.nodes.at(leading_member).raft->peers().back().match_index; }

  Cluster cluster;
};

TEST_CASE("entries on their way to a follower that does not answer are no more than a window and a message") {
  SlowGroup group;
  group.propose(500);
  CHECK(group.bytes_in_flight() >= small_window);
  CHECK(group.bytes_in_flight() <= small_window + small_message);

  // One that is larger than all that goes alone, and one at a time.
  SlowGroup large;
  large.propose(3, 4 * small_window);
  CHECK(large.bytes_in_flight() == size_bytes({.data = Bytes::copy_of(std::string(4 * small_window, 'v'))}));
}

TEST_CASE("a follower that was away catches up with a window at a time, in messages of their size") {
  SlowGroup group;
  group.propose(500);
  std::erase_if(group.cluster.network, [](const Envelope& envelope) { return envelope.to == slow_member; });
  group.cluster.unreachable(leading_member, slow_member);
  group.cluster.now = group.cluster.node(leading_member).raft->wake_at();
  group.cluster.wake(leading_member);
  group.settle();
  std::uint64_t turns = 0;
  while (!group.cluster.network.empty()) {
    REQUIRE(++turns < 10'000);
    const Envelope next = group.cluster.network.front();
    group.cluster.network.erase(group.cluster.network.begin());
    const std::uint64_t before = group.bytes_in_flight();
    group.cluster.deliver(next);
    CHECK(group.bytes_in_flight() <= small_window + small_message);
    // One turn of the leader fills what an answer has made free.
    CHECK(group.bytes_in_flight() - std::min(before, group.bytes_in_flight()) <= small_window + small_message);
    if (!group.cluster.node(slow_member).writes.empty()) group.cluster.write(slow_member, 1);
  }
  CHECK(group.match() == group.cluster.node(leading_member).raft->last_index());
  CHECK(turns > 100);
}

TEST_CASE("a follower whose disk does not finish holds back so many answers, and loses the others") {
  SlowGroup group;
  for (int round = 0; round < 60; ++round) {
    group.propose(1);
    for (std::size_t i = 0; i < group.cluster.network.size();) {
      const Envelope envelope = group.cluster.network[i];
      if (envelope.to != slow_member) {
        ++i;
        continue;
      }
      group.cluster.network.erase(group.cluster.network.begin() + static_cast<std::ptrdiff_t>(i));
      group.cluster.deliver(envelope);
    }
  }
  const auto answers = [&] {
    return std::count_if(group.cluster.network.begin(), group.cluster.network.end(),
                         [](const Envelope& envelope) { return envelope.from == slow_member; });
  };
  const auto before = answers();
  group.cluster.write(slow_member, group.cluster.node(slow_member).writes.size());
  CHECK(answers() - before == 20);
  // What was lost with them is known from the next heartbeat on.
  group.settle(true);
  group.cluster.now = group.cluster.node(leading_member).raft->wake_at();
  group.cluster.wake(leading_member);
  group.settle(true);
  CHECK(group.match() == group.cluster.node(leading_member).raft->last_index());
}

}  // namespace
}  // namespace metastore::raft
