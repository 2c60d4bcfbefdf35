#include <doctest/doctest.h>

#include "core/replica/cluster_driver_test.h"

namespace metastore {
namespace {

using testing::Cluster;
using testing::encoded;
using testing::grant;
using testing::put;
using testing::range;
using testing::test_config;

std::optional<etcdserverpb::RangeResponse> read(Cluster& cluster, std::uint64_t n, std::uint64_t id,
                                                const std::string& key) {
  cluster.ask(n, id, kv::Method::range, range(key));
  cluster.run_until([&] { return cluster.answer<etcdserverpb::RangeResponse>(n, id).has_value(); });
  return cluster.answer<etcdserverpb::RangeResponse>(n, id);
}

bool put_at(Cluster& cluster, std::uint64_t n, std::uint64_t id, const std::string& key, const std::string& value) {
  cluster.ask(n, id, kv::Method::put, put(key, value));
  return cluster.run_until([&] { return cluster.answer<etcdserverpb::PutResponse>(n, id).has_value(); });
}

TEST_CASE("three members elect one leader, publish themselves, and tell the same of the cluster") {
  Cluster cluster(3);
  cluster.begin();
  cluster.run(Duration::seconds(1));
  std::set<std::uint64_t> hashes;
  for (const std::uint64_t n : cluster.up()) {
    const ReplicaStatus status = cluster.at(n).replica.status();
    CHECK(status.leader.value() == cluster.leader());
    CHECK(status.is_leader == (n == cluster.leader()));
    CHECK(status.cluster_version == cluster.at(1).replica.status().cluster_version);
    CHECK_FALSE(status.cluster_version.empty());
    CHECK(status.commit_index == cluster.at(1).replica.status().commit_index);
    hashes.insert(cluster.at(n).replica.hash());
    for (const auto& [id, member] : cluster.at(n).replica.members().all()) {
      CHECK(member.name == "m" + std::to_string(id.value()));
      CHECK(member.client_urls == std::vector<std::string>{"http://c" + std::to_string(id.value())});
    }
    CHECK(cluster.at(n).peers.size() == 2);
  }
  CHECK(hashes.size() == 1);
}

TEST_CASE("a put through a follower is read through every member") {
  Cluster cluster(3);
  cluster.begin();
  std::uint64_t id = 0;
  for (const std::uint64_t n : cluster.up()) {
    REQUIRE(put_at(cluster, n, ++id, "k", "v" + std::to_string(n)));
    for (const std::uint64_t reader : cluster.up()) {
      const auto response = read(cluster, reader, ++id, "k");
      REQUIRE(response.has_value());
      REQUIRE(response->kvs_size() == 1);
      CHECK(response->kvs(0).value() == "v" + std::to_string(n));
      CHECK(response->header().member_id() == reader);
    }
  }
}

TEST_CASE("what is handed on happens once though every message comes twice") {
  Cluster cluster(3);
  cluster.repeats = true;
  cluster.begin();
  const std::uint64_t follower = cluster.follower();
  for (std::uint64_t id = 1; id <= 5; ++id) cluster.ask(follower, id, kv::Method::put, put("k", std::to_string(id)));
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::PutResponse>(follower, 5).has_value(); }));
  const auto response = read(cluster, follower, 9, "k");
  REQUIRE(response.has_value());
  CHECK(response->kvs(0).version() == 5);
}

TEST_CASE("what the dying leader never had is handed to its successor, and happens once") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t follower = cluster.follower();
  cluster.isolated.insert(leader);
  cluster.ask(follower, 1, kv::Method::put, put("k", "v"));
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::PutResponse>(follower, 1).has_value(); }));
  CHECK(cluster.leader() != leader);
  cluster.isolated.clear();
  cluster.begin();
  const auto response = read(cluster, leader, 2, "k");
  REQUIRE(response.has_value());
  CHECK(response->kvs(0).version() == 1);
}

TEST_CASE("what a deposed leader had appended alone is proposed anew by its successor's grace, once") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  cluster.isolated.insert(leader);
  cluster.ask(leader, 1, kv::Method::put, put("k", "v"));
  REQUIRE(cluster.run_until([&] { return cluster.leader() != 0 && cluster.leader() != leader; }));
  CHECK_FALSE(cluster.answer<etcdserverpb::PutResponse>(leader, 1).has_value());
  cluster.isolated.clear();
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::PutResponse>(leader, 1).has_value(); }));
  const auto response = read(cluster, leader, 2, "k");
  REQUIRE(response.has_value());
  CHECK(response->kvs(0).version() == 1);
}

TEST_CASE("a partitioned former leader answers no linearizable read with old data") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t former = cluster.leader();
  REQUIRE(put_at(cluster, former, 1, "k", "old"));
  cluster.isolated.insert(former);
  cluster.ask(former, 2, kv::Method::range, range("k"));
  REQUIRE(cluster.run_until([&] { return cluster.leader() != 0 && cluster.leader() != former; }));
  REQUIRE(put_at(cluster, cluster.leader(), 3, "k", "new"));
  cluster.ask(former, 4, kv::Method::range, range("k"));
  cluster.run(Duration::seconds(10));
  CHECK(cluster.at(former).error(2) == ErrorCode::timeout);
  CHECK(cluster.at(former).error(4) == ErrorCode::timeout);

  // One whose deadline is later than the partition is answered with what is new.
  cluster.ask(former, 5, kv::Method::range, range("k"));
  cluster.run(Duration::seconds(1));
  cluster.isolated.clear();
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::RangeResponse>(former, 5).has_value(); }));
  CHECK(cluster.answer<etcdserverpb::RangeResponse>(former, 5)->kvs(0).value() == "new");
}

TEST_CASE("a proposal that was refused at its deadline does not happen when a leader comes back") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t alone = cluster.follower();
  cluster.isolated.insert(alone);
  // It goes into the void, and so does what waits for a leader afterwards.
  cluster.ask(alone, 1, kv::Method::put, put("k", "v"));
  cluster.run(Duration::seconds(3));
  cluster.ask(alone, 2, kv::Method::put, put("k", "v"));
  cluster.run(Duration::seconds(10));
  CHECK(cluster.at(alone).error(1) == ErrorCode::timeout);
  CHECK(cluster.at(alone).error(2) == ErrorCode::timeout);
  cluster.isolated.clear();
  cluster.begin();
  REQUIRE(cluster.leader() != 0);
  const auto response = read(cluster, leader, 3, "k");
  REQUIRE(response.has_value());
  CHECK(response->kvs_size() == 0);
}

TEST_CASE("who has waited in vain is told why, as far as that can be guessed") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t follower = cluster.follower();
  const auto lose = [&](std::uint64_t id) {
    cluster.isolated.insert(follower);
    cluster.ask(follower, id, kv::Method::put, put("k", "v"));
    cluster.run(Duration::milliseconds(300));
    cluster.isolated.clear();
  };
  cluster.post(follower, PeerConnected{MemberId(leader)});
  cluster.run(Duration::milliseconds(10));
  lose(1);
  cluster.run(Duration::seconds(8));
  CHECK(cluster.at(follower).error(1) == ErrorCode::timeout);
  lose(2);
  cluster.run(Duration::seconds(3));
  cluster.post(follower, PeerUnreachable{MemberId(leader)});
  cluster.post(follower, PeerConnected{MemberId(leader)});
  cluster.run(Duration::seconds(8));
  CHECK(cluster.at(follower).error(2) == ErrorCode::connection_lost);
  REQUIRE(cluster.leader() == leader);

  // They are asked while the former leader is gone, and one of them hears of the next one and nothing more.
  cluster.isolated.insert(leader);
  std::uint64_t left = 0;
  for (const std::uint64_t n : cluster.up()) cluster.ask(n, 3, kv::Method::put, put("k", "v"));
  REQUIRE(cluster.run_until([&] {
    for (const std::uint64_t n : cluster.up()) {
      const ReplicaStatus status = cluster.at(n).replica.status();
      if (!status.is_leader && status.leader != MemberId() && status.leader != MemberId(leader)) left = n;
    }
    return left != 0;
  }));
  cluster.isolated.insert(left);
  cluster.run(Duration::seconds(8));
  CHECK(cluster.at(left).error(3) == ErrorCode::leader_failed);
}

TEST_CASE("nothing that was acknowledged is lost when members restart one after another") {
  Cluster cluster(3);
  cluster.begin();
  std::uint64_t id = 0;
  for (int round = 0; round < 3; ++round) {
    for (const std::uint64_t n : {1, 2, 3}) {
      ++id;
      REQUIRE(put_at(cluster, cluster.follower(), id, "k" + std::to_string(id), "v"));
      cluster.crash(n);
      REQUIRE(cluster.run_until([&] { return cluster.leader() != 0; }));
      REQUIRE(put_at(cluster, cluster.leader(), 100 + id, "l" + std::to_string(id), "v"));
      cluster.restart(n);
      cluster.begin();
    }
  }
  for (const std::uint64_t n : cluster.up()) {
    for (std::uint64_t i = 1; i <= id; ++i) {
      for (const char* prefix : {"k", "l"}) {
        const auto response =
            read(cluster, n, 1'000 * n + 10 * i + (*prefix == 'k' ? 1 : 2), prefix + std::to_string(i));
        REQUIRE(response.has_value());
        CHECK(response->kvs_size() == 1);
      }
    }
  }
  std::set<std::uint64_t> hashes;
  cluster.run(Duration::seconds(1));
  for (const std::uint64_t n : cluster.up()) hashes.insert(cluster.at(n).replica.hash());
  CHECK(hashes.size() == 1);
}

TEST_CASE("a follower that has no room raises the alarm for itself") {
  Config config = test_config();
  config.quota_bytes = 20'000;
  Cluster cluster(3, config);
  cluster.begin();
  const std::uint64_t follower = cluster.follower();
  for (std::uint64_t id = 1; id <= 40; ++id) {
    cluster.ask(follower, id, kv::Method::put, put("k" + std::to_string(id), std::string(1'000, 'v')));
    cluster.run(Duration::milliseconds(50));
  }
  CHECK(cluster.at(follower).error(40) == ErrorCode::no_space);
  for (const std::uint64_t n : cluster.up()) {
    bool has_alarm_of_follower = false;
    for (const kv::Alarm& alarm : cluster.at(n).replica.status().alarms) {
      has_alarm_of_follower = has_alarm_of_follower || alarm.member == MemberId(follower);
    }
    CHECK(has_alarm_of_follower);
  }
}

TEST_CASE("leases are counted down by the leader alone, and end on all members") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t follower = cluster.follower();
  cluster.ask(follower, 1, kv::Method::lease_grant, grant(77, 2));
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::LeaseGrantResponse>(follower, 1).has_value(); }));
  cluster.run(Duration::seconds(1));
  for (const std::uint64_t n : cluster.up()) CHECK(cluster.at(n).replica.metrics().leases.granted == 1);
  cluster.run(Duration::seconds(4));
  for (const std::uint64_t n : cluster.up()) CHECK(cluster.at(n).replica.metrics().leases.revoked == 1);
}

TEST_CASE("a lease is kept alive through a follower, and a follower tells how long it has left") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t follower = cluster.follower();
  cluster.ask(follower, 1, kv::Method::lease_grant, grant(77, 4));
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::LeaseGrantResponse>(follower, 1).has_value(); }));
  const RequestId stream(2);
  cluster.post(follower, StreamOpened{.id = stream, .method = kv::Method::lease_keep_alive});
  etcdserverpb::LeaseKeepAliveRequest keep_alive;
  keep_alive.set_id(77);
  std::size_t answers = 0;
  for (int second = 0; second < 20; ++second) {
    cluster.post(follower, StreamRequest{stream, encoded(keep_alive)});
    cluster.run(Duration::seconds(1));
    for (const auto& response : cluster.at(follower).received<etcdserverpb::LeaseKeepAliveResponse>(stream)) {
      CHECK(response.id() == 77);
      CHECK(response.ttl() == 4);
      CHECK(response.header().member_id() == follower);
      ++answers;
    }
  }
  CHECK(answers == 20);
  etcdserverpb::LeaseTimeToLiveRequest question;
  question.set_id(77);
  cluster.ask(follower, 3, kv::Method::lease_time_to_live, encoded(question));
  cluster.run(Duration::milliseconds(100));
  const auto left = cluster.answer<etcdserverpb::LeaseTimeToLiveResponse>(follower, 3);
  REQUIRE(left.has_value());
  CHECK(left->grantedttl() == 4);
  CHECK(left->ttl() == 3);
  CHECK(left->header().member_id() == follower);
  cluster.run(Duration::seconds(6));
  CHECK(cluster.at(follower).replica.metrics().leases.revoked == 1);
}

TEST_CASE("a keep-alive that the leader died over is answered by its successor") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t follower = cluster.follower();
  cluster.ask(follower, 1, kv::Method::lease_grant, grant(77, 30));
  REQUIRE(cluster.run_until([&] { return cluster.answer<etcdserverpb::LeaseGrantResponse>(follower, 1).has_value(); }));
  for (const std::uint64_t n : {leader, follower}) {
    cluster.post(n, StreamOpened{.id = RequestId(2), .method = kv::Method::lease_keep_alive});
  }
  etcdserverpb::LeaseKeepAliveRequest keep_alive;
  keep_alive.set_id(77);
  cluster.isolated.insert(leader);
  for (const std::uint64_t n : {leader, follower}) cluster.post(n, StreamRequest{RequestId(2), encoded(keep_alive)});
  cluster.run(Duration::seconds(4));
  CHECK(cluster.at(follower).received<etcdserverpb::LeaseKeepAliveResponse>(RequestId(2)).size() == 1);
  CHECK(cluster.at(leader).received<etcdserverpb::LeaseKeepAliveResponse>(RequestId(2)).empty());
  cluster.isolated.clear();
  cluster.run(Duration::seconds(2));
  CHECK(cluster.at(leader).received<etcdserverpb::LeaseKeepAliveResponse>(RequestId(2)).size() == 1);
}

TEST_CASE("a keep-alive that comes to the leader again, long after it was answered, keeps nothing alive") {
  Cluster cluster(3);
  cluster.begin();
  const MemberId leader(cluster.leader());
  const MemberId follower(cluster.follower());
  cluster.ask(leader.value(), 1, kv::Method::lease_grant, grant(77, 4));
  cluster.run(Duration::milliseconds(100));
  etcdserverpb::LeaseKeepAliveRequest keep_alive;
  keep_alive.set_id(77);
  const raft::LeaderCall call{.term = cluster.at(leader.value()).replica.status().term,
                              .id = 1'000,
                              .method = Bytes::copy_of(kv::name(kv::Method::lease_keep_alive)),
                              .message = encoded(keep_alive)};
  cluster.post(leader.value(), PeerMessage{{follower, leader, call}});
  cluster.run(Duration::seconds(3));
  const auto leases = [&] { return cluster.at(leader.value()).replica.metrics().leases; };
  CHECK(leases().renewed == 1);
  cluster.post(leader.value(), PeerMessage{{follower, leader, call}});
  cluster.run(Duration::seconds(2));
  CHECK(leases().renewed == 1);
  CHECK(leases().revoked == 1);
}

Bytes move_to(std::uint64_t target) {
  etcdserverpb::MoveLeaderRequest request;
  request.set_targetid(target);
  return encoded(request);
}

TEST_CASE("leadership moves where an operator wants it, and nothing that is under way fails") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t target = cluster.follower();
  cluster.ask(target, 1, kv::Method::move_leader, move_to(target));
  cluster.ask(leader, 2, kv::Method::move_leader, move_to(99));
  cluster.ask(leader, 3, kv::Method::move_leader, move_to(leader));
  cluster.run(Duration::milliseconds(10));
  CHECK(cluster.at(target).error(1) == ErrorCode::not_leader);
  CHECK(cluster.at(leader).error(2) == ErrorCode::bad_leader_transferee);
  CHECK(cluster.answer<etcdserverpb::MoveLeaderResponse>(leader, 3).has_value());
  CHECK(cluster.leader() == leader);

  for (const std::uint64_t n : cluster.up()) cluster.ask(n, 4, kv::Method::put, put("k" + std::to_string(n), "v"));
  cluster.ask(leader, 5, kv::Method::move_leader, move_to(target));
  for (const std::uint64_t n : cluster.up()) cluster.ask(n, 6, kv::Method::put, put("l" + std::to_string(n), "v"));
  const Instant before = cluster.now();
  REQUIRE(cluster.run_until([&] {
    return cluster.answer<etcdserverpb::MoveLeaderResponse>(leader, 5).has_value() && cluster.leader() == target;
  }));
  cluster.run(Duration::milliseconds(300));
  for (const std::uint64_t n : cluster.up()) {
    CHECK(cluster.answer<etcdserverpb::PutResponse>(n, 4).has_value());
    CHECK(cluster.answer<etcdserverpb::PutResponse>(n, 6).has_value());
  }
  CHECK(cluster.now() - before < Duration::milliseconds(500));
}

TEST_CASE("a leader that is told to stop hands over first") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t follower = cluster.follower();
  const Term term = cluster.at(leader).replica.status().term;
  for (const std::uint64_t n : {leader, follower})
    cluster.ask(n, 1, kv::Method::put, put("k" + std::to_string(n), "v"));
  cluster.post(leader, Stopping{});
  cluster.ask(leader, 2, kv::Method::put, put("late", "v"));
  const Instant before = cluster.now();
  REQUIRE(cluster.run_until([&] { return cluster.leader() != 0 && cluster.leader() != leader; }));
  CHECK(cluster.now() - before < Duration::milliseconds(500));
  cluster.run(Duration::milliseconds(300));
  CHECK(cluster.at(follower).replica.status().term == term.next());
  CHECK_FALSE(cluster.at(leader).replica.status().is_handing_over);
  CHECK(cluster.answer<etcdserverpb::PutResponse>(leader, 1).has_value());
  CHECK(cluster.answer<etcdserverpb::PutResponse>(follower, 1).has_value());
  CHECK(cluster.at(leader).error(2) == ErrorCode::stopped);
}

}  // namespace
}  // namespace metastore
