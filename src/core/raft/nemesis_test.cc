// Clusters of three and five under drawn faults: messages lost, repeated and reordered, links cut, members crashed with
// writes under way, disks slow or stalled, clocks late, leadership handed over, members added, promoted and removed one
// by one or several at once, logs replaced by snapshots. cluster_test.h checks safety after every step; each seed ends
// healed, and then the cluster must come to one leader and one log.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/base/assert.h"
#include "core/base/prng.h"
#include "core/proto/raft.pb.h"
#include "core/raft/cluster_test.h"
#include "core/raft/quorum.h"

namespace metastore::raft {
namespace {

Config drawn_config(Prng& prng) {
  Config config;
  config.pre_vote = !prng.chance(1, 4);
  config.limits.append_message_bytes_max = static_cast<std::uint64_t>(prng.between(1, 400));
  config.limits.append_window_bytes_max = static_cast<std::uint64_t>(prng.between(1, 2000));
  // Few entries stay in memory in some seeds, so that whoever was away needs a snapshot.
  if (prng.chance(1, 2)) config.limits.log_entries_kept = static_cast<std::uint64_t>(prng.between(0, 20));
  config.limits.log_held_bytes_max = static_cast<std::uint64_t>(prng.between(100, 5000));
  config.limits.mark_entries = static_cast<std::uint64_t>(prng.between(1, 100));
  config.limits.promotion_lag_entries_max = static_cast<std::uint64_t>(prng.between(0, 10));
  config.limits.raft_messages_held_max = static_cast<std::uint64_t>(prng.between(2, 50));
  return config;
}

class Nemesis {
 public:
  Nemesis(std::uint64_t seed, std::uint64_t members, std::uint64_t voters)
      : prng_(seed, "nemesis"), cluster_(members, voters, seed, drawn_config(prng_)) {
    for (std::uint32_t& weight : weights_) weight = static_cast<std::uint32_t>(prng_.between(1, 12));
    // Whole classes of faults are off in some seeds, so that the others get further.
    for (const std::size_t fault : {lose, repeat, crash, cut, stall, transfer, change, unreachable}) {
      weights_[fault] = prng_.chance(1, 3) ? 0 : static_cast<std::uint32_t>(prng_.between(1, fault == repeat ? 20 : 4));
    }
    weights_[deliver] = 200;
    weights_[image] = static_cast<std::uint32_t>(prng_.between(1, 20));
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
  std::uint64_t handed_over() const { return handed_over_; }
  std::uint64_t changed() const { return changed_; }
  std::uint64_t installed() const { return installed_; }

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
    stall,
    transfer,
    change,
    unreachable,
    image,
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
        if (under_way > 0 && !stalled_.contains(id)) cluster_.write(id, 1 + prng_.below(under_way));
        return;
      }
      case pass_time:
        cluster_.now = cluster_.now + prng_.between(Duration(), Duration::milliseconds(120));
        for (const auto& [id, node] : cluster_.nodes) {
          if (cluster_.is_up(id) && node.raft->wake_at() <= cluster_.now && prng_.chance(3, 4)) cluster_.wake(id);
        }
        return;
      case propose:
        // Of two leaders, one is deposed and does not know it yet: it must be asked too.
        for (const MemberId id : leaders()) {
          ++requests_;
          const bool accepts = cluster_.node(id).raft->accepts_proposals();
          ASSERT(cluster_.propose(id, std::to_string(requests_)) == accepts);
        }
        return;
      case read:
        for (const auto& [id, node] : cluster_.nodes) {
          if (!cluster_.is_up(id) || (node.raft->role() != Role::leader && prng_.chance(1, 2))) continue;
          const bool has_leader = node.raft->leader() != MemberId();
          ASSERT(cluster_.read(id, ++requests_) == has_leader);
        }
        return;
      case transfer:
        for (const MemberId id : leaders()) {
          if (cluster_.transfer(id, any_member())) ++handed_over_;
        }
        return;
      case change:
        for (const MemberId id : leaders()) propose_membership(id);
        return;
      case unreachable: {
        const MemberId id = any_member();
        if (cluster_.is_up(id)) cluster_.unreachable(id, any_member());
        return;
      }
      case image:
        return end_images(prng_.chance(3, 4));
      case stall: {
        const MemberId id = any_member();
        if (stalled_.erase(id) == 0) stalled_.insert(id);
        return;
      }
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

  std::vector<MemberId> leaders() const {
    std::vector<MemberId> ids;
    for (const auto& [id, node] : cluster_.nodes) {
      if (cluster_.is_up(id) && node.raft->role() == Role::leader) ids.push_back(id);
    }
    return ids;
  }

  /// One or several members become voters, learners or strangers; a learner votes only once it has caught up.
  void propose_membership(MemberId leader) {
    raftpb::ConfChangeV2 proposed;
    const std::vector<PeerStatus> peers = cluster_.node(leader).raft->peers();
    for (std::uint64_t count = prng_.chance(1, 3) ? prng_.below(3) : 1; count > 0; --count) {
      const MemberId id = any_member();
      const bool is_promotable = std::any_of(
          peers.begin(), peers.end(), [id](const PeerStatus& peer) { return peer.id == id && peer.is_caught_up; });
      raftpb::ConfChangeSingle& single = *proposed.add_changes();
      single.set_node_id(id.value());
      single.set_type(prng_.chance(1, 4) ? raftpb::ConfChangeRemoveNode
                      : is_promotable    ? raftpb::ConfChangeAddNode
                                         : raftpb::ConfChangeAddLearnerNode);
    }
    const Bytes data = Bytes::copy_of(proposed.SerializeAsString());
    if (cluster_.propose(leader, EntryType::conf_change_v2, data)) ++changed_;
  }

  void end_images(bool is_whole) {
    for (const auto& [from, node] : cluster_.nodes) {
      for (const auto& [to, mark] : std::map<MemberId, Mark>(node.images)) {
        const bool was_installing = cluster_.node(to).installs_at.has_value();
        cluster_.end_image(from, to, is_whole);
        if (!was_installing && cluster_.node(to).installs_at) ++installed_;
      }
    }
  }

  std::string status() const {
    std::string lines;
    for (const auto& [id, node] : cluster_.nodes) lines += status_text(node) + "\n" + log_text(node) + "\n";
    return lines;
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
    stalled_.clear();
    for (const auto& [id, node] : cluster_.nodes) {
      if (!cluster_.is_up(id)) cluster_.restart(id);
    }
    const Instant limit = cluster_.now + Duration::seconds(20);
    while (!cluster_.is_settled()) {
      REQUIRE_MESSAGE(cluster_.now < limit, "a dead cluster:\n" << status());
      for (bool was_busy = true; was_busy;) {
        was_busy = !cluster_.network.empty();
        while (!cluster_.network.empty()) deliver_one(0);
        for (const auto& [id, node] : cluster_.nodes) {
          if (node.writes.empty()) continue;
          cluster_.write(id, node.writes.size());
          was_busy = true;
        }
      }
      end_images(true);
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
  std::set<MemberId> stalled_;
  std::uint64_t requests_ = 0;
  std::uint64_t handed_over_ = 0;
  std::uint64_t changed_ = 0;
  std::uint64_t installed_ = 0;
};

TEST_CASE("no drawn faults break safety, and a healed cluster always recovers") {
  std::size_t terms_led = 0;
  std::uint64_t committed = 0;
  std::size_t reads = 0;
  std::uint64_t handed_over = 0;
  std::uint64_t changed = 0;
  std::uint64_t installed = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    const std::uint64_t members = seed % 2 == 0 ? 3 : 5;
    Nemesis nemesis(seed, members, seed % 3 == 0 ? 3 : members);
    nemesis.run(6000);
    terms_led += nemesis.cluster().oracle().terms_led();
    committed += nemesis.cluster().oracle().committed().value();
    reads += nemesis.cluster().reads_ready.size();
    handed_over += nemesis.handed_over();
    changed += nemesis.changed();
    installed += nemesis.installed();
  }
  // Seeds in which nothing happens would prove nothing.
  CHECK(terms_led > 1200);
  CHECK(committed > 10'000);
  CHECK(reads > 15'000);
  CHECK(handed_over > 800);
  CHECK(changed > 800);
  CHECK(installed > 80);
  MESSAGE(handed_over << " handed over, " << changed << " changes, " << installed << " snapshots");
  MESSAGE(terms_led << " leaders, " << committed << " entries committed, " << reads << " reads confirmed");
}

}  // namespace
}  // namespace metastore::raft
