// Members that come and go while a cluster serves.
#include <doctest/doctest.h>

#include "core/replica/cluster_driver_test.h"

namespace metastore::testing {
namespace {

using etcdserverpb::MemberAddResponse;
using etcdserverpb::MemberListResponse;
using kv::Method;

Bytes add(const std::string& url, bool is_learner = false) {
  etcdserverpb::MemberAddRequest request;
  request.add_peerurls(url);
  request.set_islearner(is_learner);
  return encoded(request);
}

Bytes remove(MemberId id) {
  etcdserverpb::MemberRemoveRequest request;
  request.set_id(id.value());
  return encoded(request);
}

Bytes promote(MemberId id) {
  etcdserverpb::MemberPromoteRequest request;
  request.set_id(id.value());
  return encoded(request);
}

Bytes update(MemberId id, const std::string& url) {
  etcdserverpb::MemberUpdateRequest request;
  request.set_id(id.value());
  request.add_peerurls(url);
  return encoded(request);
}

Config unchecked() {
  Config config = test_config();
  config.strict_reconfig_check = false;
  return config;
}

void connect_all(Cluster& cluster) {
  for (const std::uint64_t one : cluster.up()) {
    for (const std::uint64_t other : cluster.up()) {
      if (one != other) cluster.post(one, PeerConnected{MemberId(other)});
    }
  }
}

bool has_answered(Cluster& cluster, std::uint64_t n, std::uint64_t request) {
  return cluster.run_until([&] { return cluster.at(n).has_answered(request); });
}

/// Asks for a member and returns its id.
MemberId added(Cluster& cluster, std::uint64_t n, std::uint64_t request, const std::string& url, bool is_learner) {
  cluster.ask(n, request, Method::member_add, add(url, is_learner));
  REQUIRE(has_answered(cluster, n, request));
  const auto answer = cluster.answer<MemberAddResponse>(n, request);
  REQUIRE(answer.has_value());
  CHECK(answer->member().peerurls(0) == url);
  CHECK(answer->member().islearner() == is_learner);
  CHECK(answer->member().name().empty());
  CHECK(answer->header().member_id() == n);
  CHECK(answer->header().revision() == 0);
  return MemberId(answer->member().id());
}

bool puts(Cluster& cluster, std::uint64_t n, std::uint64_t request) {
  cluster.ask(n, request, Method::put, put("k" + std::to_string(request), "v"));
  return has_answered(cluster, n, request) && !cluster.at(n).error(request).has_value();
}

TEST_CASE("a learner that a follower is asked for joins, catches up and is promoted") {
  Cluster cluster(3, unchecked());
  cluster.begin();
  const std::uint64_t follower = cluster.follower();
  for (std::uint64_t i = 0; i < 20; ++i) REQUIRE(puts(cluster, follower, 100 + i));
  const MemberId id = added(cluster, follower, 1, "http://p4:1", true);

  cluster.ask(follower, 2, Method::member_promote, promote(id));
  REQUIRE(has_answered(cluster, follower, 2));
  CHECK(cluster.at(follower).error(2) == ErrorCode::learner_not_ready);

  cluster.join(id);
  REQUIRE(cluster.run_until([&] { return cluster.at(id.value()).replica.status().is_published; }));
  CHECK(cluster.at(id.value()).replica.status().is_learner);
  cluster.ask(follower, 3, Method::member_promote, promote(id));
  REQUIRE(has_answered(cluster, follower, 3));
  const auto answer = cluster.answer<MemberListResponse>(follower, 3);
  REQUIRE(answer.has_value());
  CHECK(answer->members_size() == 4);
  REQUIRE(cluster.run_until([&] { return !cluster.at(id.value()).replica.status().is_learner; }));
  CHECK(cluster.at(id.value()).replica.hash() == cluster.at(follower).replica.hash());
  CHECK(cluster.at(id.value()).replica.members().all() == cluster.at(follower).replica.members().all());
  CHECK(puts(cluster, id.value(), 4));

  cluster.ask(follower, 5, Method::member_promote, promote(id));
  REQUIRE(has_answered(cluster, follower, 5));
  CHECK(cluster.at(follower).error(5) == ErrorCode::member_not_learner);
}

TEST_CASE("who leads is no learner, though its table does not say so yet") {
  Cluster cluster(2, unchecked());
  cluster.begin();
  const MemberId id = added(cluster, cluster.leader(), 1, "http://p3:1", true);
  cluster.join(id);
  REQUIRE(cluster.run_until([&] { return cluster.at(id.value()).replica.status().is_published; }));
  // It is to be the first that loses patience.
  cluster.crash(id.value());
  cluster.config(id.value()).election_timeout = cluster.config(id.value()).election_timeout / 2;
  cluster.restart(id.value());
  cluster.run(Duration::seconds(3));
  const std::uint64_t leader = cluster.leader();
  cluster.ask(leader, 2, Method::member_promote, promote(id));
  const Replica& promoted = cluster.at(id.value()).replica;
  REQUIRE(cluster.run_until([&] { return promoted.raft().conf_state().learners.empty(); }));
  CHECK(promoted.status().is_learner);
  cluster.crash(leader);
  cluster.isolated.insert(3 - leader);
  cluster.run(Duration::seconds(5));
  cluster.isolated.clear();
  REQUIRE(cluster.run_until([&] { return promoted.status().is_leader; }));
  CHECK(promoted.members().find(id)->is_learner);
  CHECK_FALSE(promoted.status().is_learner);
}

TEST_CASE("the last voter stays, whether or not changes are checked strictly") {
  Cluster cluster(1, unchecked());
  cluster.begin();
  added(cluster, 1, 1, "http://p2:1", true);
  cluster.ask(1, 2, Method::member_remove, remove(MemberId(1)));
  REQUIRE(has_answered(cluster, 1, 2));
  CHECK(cluster.at(1).error(2) == ErrorCode::not_enough_started);
  CHECK(cluster.at(1).replica.members().find(MemberId(1)) != nullptr);
  CHECK(puts(cluster, 1, 3));
  cluster.at(1).replica.check_invariants();
}

TEST_CASE("who is alone gets company that has not started yet, and waits for it then") {
  Cluster cluster(1);
  cluster.begin();
  const MemberId id = added(cluster, 1, 1, "http://p2:1", false);
  cluster.ask(1, 2, Method::put, put("a", "1"));
  cluster.run(Duration::seconds(3));
  CHECK_FALSE(cluster.at(1).has_answered(2));

  SUBCASE("it comes") {}
  SUBCASE("it comes though the first one has been killed meanwhile") {
    cluster.crash(1);
    cluster.restart(1);
    cluster.run(Duration::seconds(3));
    CHECK(cluster.leader() == 0);
    CHECK(cluster.at(1).replica.members().find(id) != nullptr);
  }
  cluster.join(id);
  REQUIRE(cluster.run_until([&] { return cluster.at(id.value()).replica.status().is_published; }));
  CHECK(puts(cluster, 1, 3));
  CHECK(cluster.at(id.value()).replica.hash() == cluster.at(1).replica.hash());
}

TEST_CASE("what the leader finds wrong is told to the clients of followers") {
  Cluster cluster(3);
  cluster.begin();
  connect_all(cluster);
  cluster.run(Duration::seconds(6));
  const std::uint64_t follower = cluster.follower();
  const auto error_of = [&](std::uint64_t request, Method method, Bytes message) {
    cluster.ask(follower, request, method, std::move(message));
    REQUIRE(has_answered(cluster, follower, request));
    return cluster.at(follower).error(request);
  };
  CHECK(error_of(1, Method::member_add, add("http://p2")) == ErrorCode::member_bad_urls);
  CHECK(error_of(2, Method::member_remove, remove(MemberId(77))) == ErrorCode::member_not_found);
  CHECK(error_of(3, Method::member_update, update(MemberId(77), "http://x:1")) == ErrorCode::member_not_found);
  CHECK(error_of(4, Method::member_update, update(MemberId(1), "http://p2")) == ErrorCode::peer_url_exists);
  CHECK(error_of(5, Method::member_promote, promote(MemberId(77))) == ErrorCode::member_not_found);
  CHECK(error_of(6, Method::member_update, update(MemberId(1), "http://x:1")) == std::nullopt);
  CHECK(error_of(7, Method::member_add, add("http://x:1")) == ErrorCode::peer_url_exists);
  CHECK(cluster.at(follower).replica.members().find(MemberId(1))->peer_urls.front() == "http://x:1");
  for (const Peer& peer : cluster.at(2).peers) {
    if (peer.id == MemberId(1)) CHECK(peer.urls.front() == "http://x:1");
  }
}

TEST_CASE("changes asked of several members at once are made one behind the other") {
  Cluster cluster(3, unchecked());
  cluster.begin();
  cluster.ask(1, 1, Method::member_add, add("http://p4:1"));
  cluster.ask(2, 1, Method::member_add, add("http://p5:1", true));
  cluster.ask(3, 1, Method::member_update, update(MemberId(1), "http://x:1"));
  etcdserverpb::MemberAddRequest overlapping;
  overlapping.add_peerurls("http://p4:1");
  overlapping.add_peerurls("http://p6:1");
  cluster.ask(3, 2, Method::member_add, encoded(overlapping));
  for (const std::uint64_t n : {1, 2, 3}) REQUIRE(has_answered(cluster, n, 1));
  REQUIRE(has_answered(cluster, 3, 2));
  cluster.run(Duration::seconds(1));
  // One URL was asked for twice, and whose change was second was told so.
  const bool is_first = !cluster.at(1).error(1).has_value();
  CHECK((is_first ? cluster.at(3).error(2) : cluster.at(1).error(1)) == ErrorCode::peer_url_exists);
  for (const std::uint64_t n : {1, 2, 3}) {
    CHECK(cluster.at(n).replica.members().all().size() == 5);
    CHECK(cluster.at(n).replica.members().find(MemberId(1))->peer_urls.front() == "http://x:1");
  }
}

TEST_CASE("a change that a follower is asked for waits for no command that the leader has not applied yet") {
  Config config = unchecked();
  config.limits.apply_bytes_a_step = 1;
  Cluster cluster(3, config);
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t follower = cluster.follower();
  cluster.settles = false;
  for (std::uint64_t i = 0; i < 200; ++i) cluster.ask(leader, 100 + i, Method::put, put("k", "v"));
  REQUIRE(cluster.run_until([&] {
    const ReplicaStatus status = cluster.at(leader).replica.status();
    return status.commit_index.value() > status.applied_index.value() + 100;
  }));
  std::uint64_t refused = 0;
  cluster.loses = [&](const raft::Envelope& envelope) {
    refused += std::holds_alternative<raft::ProposalRefused>(envelope.message) ? 1 : 0;
    return false;
  };
  const Instant asked = cluster.now();
  cluster.ask(follower, 1, Method::member_add, add("http://p4:1"));
  REQUIRE(has_answered(cluster, follower, 1));
  CHECK_FALSE(cluster.at(follower).error(1).has_value());
  CHECK(refused == 0);
  CHECK(cluster.now() == asked);
}

TEST_CASE("a leader that is asked to remove itself answers and goes, and its id never comes back") {
  Cluster cluster(3, unchecked());
  cluster.begin();
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t other = cluster.follower();
  cluster.ask(leader, 1, Method::member_remove, remove(MemberId(leader)));
  REQUIRE(has_answered(cluster, leader, 1));
  CHECK_FALSE(cluster.at(leader).error(1).has_value());
  cluster.isolated.insert(leader);
  REQUIRE(cluster.run_until([&] { return cluster.leader() != 0; }));
  CHECK(puts(cluster, other, 2));
  CHECK(cluster.at(other).replica.members().all().size() == 2);
  const auto& peers = cluster.at(other).peers;
  CHECK(std::any_of(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.is_removed; }));
  cluster.ask(other, 3, Method::member_remove, remove(MemberId(leader)));
  REQUIRE(has_answered(cluster, other, 3));
  CHECK(cluster.at(other).error(3) == ErrorCode::member_not_found);
}

TEST_CASE("a change is refused as long as the asked member has not been connected for five seconds") {
  Cluster cluster(3);
  cluster.begin();
  const auto error_of = [&](std::uint64_t request, Method method, Bytes message) {
    cluster.ask(1, request, method, std::move(message));
    REQUIRE(has_answered(cluster, 1, request));
    return cluster.at(1).error(request);
  };
  connect_all(cluster);
  cluster.run(Duration::seconds(4));
  CHECK(error_of(1, Method::member_add, add("http://p4:1")) == ErrorCode::unhealthy);
  CHECK(error_of(2, Method::member_add, add("http://p4:1", true)) == ErrorCode::unhealthy);
  CHECK(error_of(3, Method::member_remove, remove(MemberId(2))) == ErrorCode::unhealthy);
  cluster.run(Duration::seconds(2));
  CHECK(error_of(4, Method::member_add, add("http://p4:1")) == std::nullopt);
  // Three of four have started: one more could cost the quorum.
  cluster.post(1, PeerLost{MemberId(3)});
  CHECK(error_of(5, Method::member_add, add("http://p5:1")) == ErrorCode::unhealthy);
  cluster.post(1, PeerUnreachable{MemberId(2)});
  CHECK(error_of(6, Method::member_remove, remove(MemberId(1))) == ErrorCode::unhealthy);
}

TEST_CASE("the last member is not removed") {
  Cluster cluster(1);
  cluster.begin();
  cluster.ask(1, 1, Method::member_remove, remove(MemberId(1)));
  REQUIRE(has_answered(cluster, 1, 1));
  CHECK(cluster.at(1).error(1) == ErrorCode::not_enough_started);
}

}  // namespace
}  // namespace metastore::testing
