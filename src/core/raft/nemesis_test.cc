// Clusters of three and five under drawn faults: messages lost, repeated and reordered, links cut, members crashed with
// writes under way, disks slow, clocks late. cluster_test.h checks safety after every step; each seed ends healed, and
// then the cluster must come to one leader and one log.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/base/assert.h"
#include "core/base/prng.h"
#include "core/raft/cluster_test.h"

namespace metastore::raft {
namespace {

Config drawn_config(Prng& prng) {
  Config config;
  config.pre_vote = !prng.chance(1, 4);
  config.limits.append_message_bytes_max = static_cast<std::uint64_t>(prng.between(1, 400));
  config.limits.append_window_bytes_max = static_cast<std::uint64_t>(prng.between(1, 2000));
  config.limits.raft_messages_held_max = static_cast<std::uint64_t>(prng.between(2, 50));
  return config;
}

class Nemesis {
 public:
  Nemesis(std::uint64_t seed, std::uint64_t members)
      : prng_(seed, "nemesis"), cluster_(members, members, seed, drawn_config(prng_)) {
    for (std::uint32_t& weight : weights_) weight = static_cast<std::uint32_t>(prng_.between(1, 12));
    // Whole classes of faults are off in some seeds, so that the others get further.
    for (const std::size_t fault : {lose, repeat, crash, cut}) {
      weights_[fault] = prng_.chance(1, 3) ? 0 : static_cast<std::uint32_t>(prng_.between(1, fault == repeat ? 20 : 4));
    }
    weights_[deliver] = 200;
    weights_[pass_time] = static_cast<std::uint32_t>(prng_.between(10, 40));
    weights_[write] = static_cast<std::uint32_t>(prng_.between(20, 100));
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      act(prng_.weighted(weights_, actions));
      if (step % 64 == 0) cluster_.check_invariants();
      if (cluster_.network.size() > 500) lose_some();
    }
    cluster_.check_invariants();
    converge();
  }

  const Cluster& cluster() const { return cluster_; }

 private:
  enum Action : std::size_t {
    deliver,
    write,
    pass_time,
    propose,
    read,
    lose,
    repeat,
    crash,
    restart,
    cut,
    heal,
    actions
  };

  MemberId any_member() { return MemberId(1 + prng_.below(cluster_.nodes.size())); }

  void act(std::size_t action) {
    switch (action) {
      case deliver:
        return deliver_one(prng_.chance(1, 4) ? prng_.below(std::max<std::size_t>(cluster_.network.size(), 1)) : 0);
      case write: {
        const MemberId id = any_member();
        const std::size_t under_way = cluster_.node(id).writes.size();
        if (under_way > 0) cluster_.write(id, 1 + prng_.below(under_way));
        return;
      }
      case pass_time:
        cluster_.now = cluster_.now + prng_.between(Duration(), Duration::milliseconds(120));
        for (const auto& [id, node] : cluster_.nodes) {
          if (cluster_.is_up(id) && node.raft->wake_at() <= cluster_.now && prng_.chance(3, 4)) cluster_.wake(id);
        }
        return;
      case propose:
      case read:
        // Of two leaders, one is deposed and does not know it yet: it must be asked too.
        for (const auto& [id, node] : cluster_.nodes) {
          if (!cluster_.is_up(id) || node.raft->role() != Role::leader) continue;
          ++requests_;
          ASSERT(action == read ? cluster_.read(id, requests_) : cluster_.propose(id, std::to_string(requests_)));
        }
        return;
      case repeat:
        if (!cluster_.network.empty()) {
          cluster_.network.push_back(cluster_.network[prng_.below(cluster_.network.size())]);
        }
        return;
      case lose:
        if (!cluster_.network.empty()) take(prng_.below(cluster_.network.size()));
        return;
      case crash: {
        const MemberId id = any_member();
        if (cluster_.is_up(id)) cluster_.crash(id, prng_.below(cluster_.node(id).writes.size() + 1));
        return;
      }
      case restart:
        for (const auto& [id, node] : cluster_.nodes) {
          if (!cluster_.is_up(id) && prng_.chance(1, 2)) cluster_.restart(id);
        }
        return;
      case cut:
        cut_.insert({any_member(), any_member()});
        return;
      case heal:
        cut_.clear();
        return;
    }
  }

  Envelope take(std::size_t position) {
    Envelope envelope = std::move(cluster_.network[position]);
    cluster_.network.erase(cluster_.network.begin() + static_cast<std::ptrdiff_t>(position));
    return envelope;
  }

  void deliver_one(std::size_t position) {
    if (cluster_.network.empty()) return;
    const Envelope envelope = take(position);
    if (!cut_.contains({envelope.from, envelope.to})) cluster_.deliver(envelope);
  }

  void lose_some() {
    while (cluster_.network.size() > 200) take(prng_.below(cluster_.network.size()));
  }

  void converge() {
    cut_.clear();
    for (const auto& [id, node] : cluster_.nodes) {
      if (!cluster_.is_up(id)) cluster_.restart(id);
    }
    const Instant limit = cluster_.now + Duration::seconds(20);
    while (!cluster_.is_settled()) {
      REQUIRE(cluster_.now < limit);
      for (bool was_busy = true; was_busy;) {
        was_busy = !cluster_.network.empty();
        while (!cluster_.network.empty()) deliver_one(0);
        for (const auto& [id, node] : cluster_.nodes) {
          if (node.writes.empty()) continue;
          cluster_.write(id, node.writes.size());
          was_busy = true;
        }
      }
      Instant next = Instant::never();
      for (const auto& [id, node] : cluster_.nodes) next = std::min(next, node.raft->wake_at());
      cluster_.now = std::max(cluster_.now, next);
      for (const auto& [id, node] : cluster_.nodes) {
        if (node.raft->wake_at() <= cluster_.now) cluster_.wake(id);
      }
    }
    cluster_.check_invariants();
  }

  Prng prng_;
  Cluster cluster_;
  std::uint32_t weights_[actions] = {};
  std::set<std::pair<MemberId, MemberId>> cut_;
  std::uint64_t requests_ = 0;
};

TEST_CASE("no drawn faults break safety, and a healed cluster always recovers") {
  std::size_t terms_led = 0;
  std::uint64_t committed = 0;
  std::size_t reads = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Nemesis nemesis(seed, seed % 2 == 0 ? 3 : 5);
    nemesis.run(6000);
    terms_led += nemesis.cluster().oracle().terms_led();
    committed += nemesis.cluster().oracle().committed().value();
    reads += nemesis.cluster().reads_ready.size();
  }
  // Seeds in which nothing happens would prove nothing.
  CHECK(terms_led > 1200);
  CHECK(committed > 15'000);
  CHECK(reads > 15'000);
  MESSAGE(terms_led << " leaders, " << committed << " entries committed, " << reads << " reads confirmed");
}

}  // namespace
}  // namespace metastore::raft
