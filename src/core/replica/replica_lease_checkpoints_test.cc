#include <doctest/doctest.h>

#include "core/replica/cluster_driver_test.h"

namespace metastore {
namespace {

using etcdserverpb::LeaseKeepAliveResponse;
using testing::Cluster;
using testing::encoded;
using testing::grant;
using testing::test_config;

constexpr RequestId renewing(1'000'000);

/// What remains of a lease is noted every two seconds.
Config noting() {
  Config config = test_config();
  config.limits.lease_checkpoint_ms = 2'000;
  return config;
}

struct Leases : Cluster {
  explicit Leases(const Config& config = noting()) : Cluster(3, config) {
    begin();
    for (const std::uint64_t n : up()) post(n, StreamOpened{.id = renewing, .method = kv::Method::lease_keep_alive});
  }

  void grant_lease(std::int64_t id, std::int64_t ttl) {
    const std::uint64_t n = follower();
    ask(n, ++last, kv::Method::lease_grant, grant(id, ttl));
    REQUIRE(run_until([&] { return answer<etcdserverpb::LeaseGrantResponse>(n, last).has_value(); }));
  }
  void keep_alive(std::uint64_t n, std::int64_t id) {
    etcdserverpb::LeaseKeepAliveRequest request;
    request.set_id(id);
    post(n, StreamRequest{renewing, encoded(request)});
  }
  /// The times to live that member `n` was told for its client.
  std::vector<std::int64_t> told(std::uint64_t n) {
    std::vector<std::int64_t> seconds;
    for (const auto& response : at(n).received<LeaseKeepAliveResponse>(renewing)) seconds.push_back(response.ttl());
    return seconds;
  }
  std::int64_t time_to_live(std::int64_t id) {
    etcdserverpb::LeaseTimeToLiveRequest request;
    request.set_id(id);
    const std::uint64_t n = leader();
    ask(n, ++last, kv::Method::lease_time_to_live, encoded(request));
    REQUIRE(run_until([&] { return answer<etcdserverpb::LeaseTimeToLiveResponse>(n, last).has_value(); }));
    return answer<etcdserverpb::LeaseTimeToLiveResponse>(n, last)->ttl();
  }
  /// The leader vanishes, until another one leads.
  std::uint64_t depose() {
    const std::uint64_t former = leader();
    isolated.insert(former);
    REQUIRE(run_until([&] { return leader() != 0 && leader() != former; }));
    return former;
  }
  std::uint64_t revoked(std::uint64_t n) { return at(n).replica.metrics().leases.revoked; }

  std::uint64_t last = 0;
};

using Told = std::vector<std::int64_t>;

TEST_CASE("a new leader gives a lease what remained of it, and not all of it again") {
  Leases cluster;
  cluster.grant_lease(7, 20);
  cluster.run(Duration::seconds(11));
  cluster.depose();
  // Noted after ten seconds; one for the grace, and a few since.
  CHECK(cluster.time_to_live(7) <= 11);
  CHECK(cluster.time_to_live(7) >= 7);
  cluster.run(Duration::seconds(12));
  for (const std::uint64_t n : cluster.up()) CHECK(cluster.revoked(n) == (cluster.isolated.contains(n) ? 0 : 1));
}

TEST_CASE("what was noted outlives a restart of everybody, from the checkpoint and from the log") {
  Leases cluster;
  cluster.grant_lease(7, 20);
  cluster.run(Duration::seconds(11));
  for (const std::uint64_t n : cluster.up()) {
    testing::Driver& driver = cluster.at(n);
    testing::Driver again(driver.config, driver.recovered_with_image(), cluster.now());
    CHECK(again.replica.hash() == driver.replica.hash());
  }
  for (const std::uint64_t n : {1, 2, 3}) cluster.crash(n);
  for (const std::uint64_t n : {1, 2, 3}) cluster.restart(n);
  cluster.begin();
  CHECK(cluster.time_to_live(7) <= 11);
}

TEST_CASE("a lease that was renewed is whole for the next leader too, whenever the former one dies") {
  for (const std::int64_t tenths : {0, 5, 12, 19}) {
    CAPTURE(tenths);
    Leases cluster;
    cluster.grant_lease(7, 20);
    cluster.run(Duration::milliseconds(5'000 + 100 * tenths));
    const std::uint64_t follower = cluster.follower();
    cluster.keep_alive(follower, 7);
    REQUIRE(cluster.run_until([&] { return !cluster.at(follower).chunks.empty(); }));
    CHECK(cluster.told(follower) == Told{20});
    cluster.depose();
    CHECK(cluster.time_to_live(7) >= 18);
  }
}

TEST_CASE("many keep-alives of one lease that was noted are answered in their turn") {
  Leases cluster;
  cluster.grant_lease(7, 20);
  cluster.grant_lease(8, 3);
  cluster.run(Duration::milliseconds(2'500));
  const std::uint64_t follower = cluster.follower();
  const std::uint64_t leader = cluster.leader();
  for (const std::uint64_t n : {follower, leader}) {
    for (const std::int64_t id : {7, 99, 8, 7}) cluster.keep_alive(n, id);
  }
  cluster.run(Duration::milliseconds(200));
  CHECK(cluster.told(follower) == Told{20, 0, 3, 20});
  CHECK(cluster.told(leader) == Told{20, 0, 3, 20});
}

TEST_CASE("where nothing is renewed and nothing noted the log stays as it is") {
  Config config = noting();
  config.limits.lease_checkpoint_ms = 0;
  Leases cluster(config);
  cluster.grant_lease(7, 100);
  const LogIndex before = cluster.at(1).replica.status().commit_index;
  cluster.run(Duration::seconds(30));
  CHECK(cluster.at(1).replica.status().commit_index <= before.next());
}

TEST_CASE("a deposed leader can neither renew a lease nor revoke it") {
  Leases cluster;
  cluster.grant_lease(7, 3);
  cluster.run(Duration::milliseconds(2'500));
  // Its lease ends while it still believes that it leads, and its clients go on asking it.
  const std::uint64_t former = cluster.leader();
  cluster.isolated.insert(former);
  cluster.keep_alive(former, 7);
  cluster.run(Duration::milliseconds(700));
  REQUIRE(cluster.at(former).replica.status().is_leader);
  CHECK(cluster.at(former).replica.metrics().leases.expired == 1);
  CHECK(cluster.told(former).empty());
  REQUIRE(cluster.run_until([&] { return cluster.leader() != 0 && cluster.leader() != former; }));
  const std::uint64_t other = cluster.follower();
  for (int second = 0; second < 10; ++second) {
    if (second == 3) cluster.isolated.clear();
    cluster.keep_alive(other, 7);
    cluster.run(Duration::seconds(1));
    CHECK(cluster.told(other) == Told{3});
  }
  for (const std::uint64_t n : cluster.up()) CHECK(cluster.revoked(n) == 0);
  // What it was asked while it was alone, it answers once it knows who leads.
  CHECK(cluster.told(former) == Told{3});
  cluster.run(Duration::seconds(5));
  for (const std::uint64_t n : cluster.up()) CHECK(cluster.revoked(n) == 1);
}

}  // namespace
}  // namespace metastore
