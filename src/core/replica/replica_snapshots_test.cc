// Members that were away for more than the others keep of the log: they are sent a snapshot, whatever happens to it.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "core/replica/cluster_driver_test.h"

namespace metastore {
namespace {

using etcdserverpb::WatchResponse;
using testing::Cluster;
using testing::encoded;
using testing::grant;
using testing::put;
using testing::test_config;

/// Little is kept of the log, and a snapshot has many parts.
Config small_config() {
  Config config = test_config();
  config.limits.log_entries_kept = 5;
  config.limits.mark_entries = 3;
  config.limits.snapshot_part_bytes = 500;
  config.limits.snapshot_window_bytes = 1'500;
  config.limits.snapshot_bytes_a_step = 700;
  config.limits.snapshot_keys_a_step = 7;
  return config;
}

/// Three members and who sends what of snapshots.
struct Group : Cluster {
  explicit Group(const Config& config = small_config()) : Cluster(3, config) {
    loses = [this](const raft::Envelope& envelope) {
      const bool is_lost = loses_also && loses_also(envelope);
      if (const auto* part = std::get_if<raft::SnapshotPart>(&envelope.message)) {
        ++parts;
        images.insert(part->image);
        CHECK(part->rows.size() <= 700);
      }
      return is_lost;
    };
    begin();
    away = follower();
  }

  /// `count` changes, some of them deletions, through the leader.
  void change(int count) {
    for (; count > 0; --count) {
      const std::string key = "k" + std::to_string(changes % 40);
      if (changes % 7 == 3) {
        etcdserverpb::DeleteRangeRequest request;
        request.set_key(key);
        ask(leader(), ++last_id, kv::Method::delete_range, encoded(request));
      } else {
        ask(leader(), ++last_id, kv::Method::put, put(key, std::string(40, 'v') + std::to_string(changes)));
      }
      ++changes;
      run(Duration::milliseconds(10));
    }
  }
  void compact(std::int64_t revision) {
    etcdserverpb::CompactionRequest request;
    request.set_revision(revision);
    ask(leader(), ++last_id, kv::Method::compact, encoded(request));
    run(Duration::milliseconds(10));
  }
  Revision revision() { return at(leader()).replica.status().revision; }

  /// Whether all who are up have the same state within a time.
  bool agree(Duration most = Duration::seconds(30)) {
    return run_until(
        [this] {
          std::set<std::pair<LogIndex, std::uint64_t>> states;
          for (const std::uint64_t n : up()) {
            const ReplicaStatus status = at(n).replica.status();
            states.emplace(status.applied_index, at(n).replica.hash());
            if (status.applied_index != status.commit_index) return false;
          }
          return states.size() == 1 && leader() != 0;
        },
        most);
  }

  std::uint64_t away = 0;
  std::uint64_t last_id = 0;
  int changes = 0;
  std::size_t parts = 0;           ///< Sent, to whomever.
  std::set<std::uint64_t> images;  ///< Of which they were.
  std::function<bool(const raft::Envelope&)> loses_also;
};

TEST_CASE("a member that was away for more than the log keeps catches up, and goes on from there") {
  Group group;
  group.change(5);
  group.isolated.insert(group.away);
  group.change(60);
  group.compact(group.revision().value() - 20);
  group.change(60);
  CHECK(group.parts == 0);
  group.isolated.clear();
  REQUIRE(group.agree());
  CHECK(group.parts > 5);
  CHECK(group.images.size() == 1);
  CHECK(group.at(group.away).replica.members().all() == group.at(group.leader()).replica.members().all());
  CHECK(group.at(group.away).replica.status().cluster_version ==
        group.at(group.leader()).replica.status().cluster_version);

  const std::size_t parts = group.parts;
  group.change(20);
  REQUIRE(group.agree());
  group.crash(group.away);
  group.change(3);
  group.restart(group.away);
  REQUIRE(group.agree());
  CHECK(group.parts == parts);
  // It can lead with what it was sent.
  group.isolated.insert(group.leader());
  REQUIRE(group.run_until([&] { return group.leader() != 0; }));
  group.change(20);
  group.isolated.clear();
  REQUIRE(group.agree());
}

TEST_CASE("a snapshot goes on where its connection broke, and nothing is read anew") {
  Group group;
  group.isolated.insert(group.away);
  group.change(200);
  std::size_t arrived = 0;
  bool is_broken = false;
  group.loses_also = [&](const raft::Envelope& envelope) {
    if (std::holds_alternative<raft::SnapshotPart>(envelope.message) && !is_broken) ++arrived;
    return is_broken && (envelope.from == MemberId(group.away) || envelope.to == MemberId(group.away));
  };
  group.isolated.clear();
  REQUIRE(group.run_until([&] { return arrived == 6; }));
  is_broken = true;
  group.run(Duration::seconds(5));
  is_broken = false;
  REQUIRE(group.agree());
  CHECK(group.images.size() == 1);
  CHECK(arrived > 10);
  // What was under way then was sent again, and no more.
  const std::size_t needed = arrived - 3;
  CHECK(group.parts <= needed + 10);
}

TEST_CASE("parts that are lost, repeated and late make the same state") {
  Group group;
  group.isolated.insert(group.away);
  group.change(150);
  group.isolated.clear();
  group.repeats = true;
  int count = 0;
  group.loses_also = [&](const raft::Envelope& envelope) {
    return std::holds_alternative<raft::SnapshotPart>(envelope.message) && ++count % 5 == 0;
  };
  REQUIRE(group.agree(Duration::seconds(60)));
  CHECK(group.images.size() == 1);
}

TEST_CASE("when the leader dies while it sends a snapshot, its successor sends one") {
  Group group;
  group.isolated.insert(group.away);
  group.change(150);
  const std::uint64_t former = group.leader();
  group.isolated.clear();
  REQUIRE(group.run_until([&] { return group.parts == 6; }));
  group.crash(former);
  REQUIRE(group.run_until([&] { return group.leader() != 0; }));
  CHECK(group.leader() != group.away);
  REQUIRE(group.agree());
  group.restart(former);
  REQUIRE(group.agree());
  group.change(10);
  REQUIRE(group.agree());
}

TEST_CASE("a receiver that crashes at any step has its old state or the new one, and catches up") {
  bool is_complete = false;
  for (std::size_t steps = 0; !is_complete; ++steps) {
    CAPTURE(steps);
    Group group;
    group.change(5);
    group.run(Duration::seconds(1));
    const std::uint64_t former_hash = group.at(group.away).replica.hash();
    group.isolated.insert(group.away);
    group.change(45);
    const std::uint64_t hash = group.at(group.leader()).replica.hash();
    group.at(group.away).image_steps_allowed = steps;
    group.isolated.clear();
    is_complete = group.agree(Duration::seconds(2));
    CHECK(group.at(group.away).replica.hash() == (is_complete ? hash : former_hash));
    group.crash(group.away);
    group.restart(group.away);
    const std::uint64_t restarted = group.at(group.away).replica.hash();
    CHECK((restarted == hash || restarted == former_hash));
    if (is_complete) CHECK(restarted == hash);
    REQUIRE(group.agree());
    group.change(5);
    REQUIRE(group.agree());
    REQUIRE(steps < 100);
  }
}

TEST_CASE("a watch on a member that gets a snapshot is sent what came between, in order and once") {
  Group group;
  const RequestId stream(1'000'000);
  etcdserverpb::WatchRequest watch;
  watch.mutable_create_request()->set_key("k");
  watch.mutable_create_request()->set_range_end("l");
  group.post(group.away, StreamOpened{stream, kv::Method::watch});
  group.post(group.away, StreamRequest{stream, encoded(watch)});
  std::vector<std::int64_t> seen;
  const auto listen = [&] {
    for (const WatchResponse& response : group.at(group.away).received<WatchResponse>(stream)) {
      CHECK_FALSE(response.canceled());
      for (const mvccpb::Event& event : response.events()) seen.push_back(event.kv().mod_revision());
    }
  };
  group.change(10);
  listen();
  CHECK(seen.size() >= 8);
  group.isolated.insert(group.away);
  group.change(80);
  group.isolated.clear();
  REQUIRE(group.agree());
  CHECK(group.images.size() == 1);
  group.change(10);
  group.run(Duration::seconds(1));
  listen();
  std::vector<std::int64_t> expected;
  for (std::int64_t revision = 2; revision <= group.revision().value(); ++revision) expected.push_back(revision);
  CHECK(seen == expected);
}

TEST_CASE("a watch whose next events are compacted in the snapshot is canceled with that revision") {
  Group group;
  const RequestId stream(1'000'000);
  etcdserverpb::WatchRequest watch;
  watch.mutable_create_request()->set_key("k");
  watch.mutable_create_request()->set_range_end("l");
  group.post(group.away, StreamOpened{stream, kv::Method::watch});
  group.post(group.away, StreamRequest{stream, encoded(watch)});
  watch.mutable_create_request()->set_start_revision(1'000);
  group.post(group.away, StreamRequest{stream, encoded(watch)});
  group.change(10);
  group.isolated.insert(group.away);
  group.change(60);
  group.at(group.away).received<WatchResponse>(stream);
  const std::int64_t compacted = group.revision().value() - 5;
  group.compact(compacted);
  group.change(30);
  group.isolated.clear();
  REQUIRE(group.agree());
  group.run(Duration::milliseconds(100));
  const auto responses = group.at(group.away).received<WatchResponse>(stream);
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].watch_id() == 0);
  CHECK(responses[0].canceled());
  CHECK(responses[0].compact_revision() == compacted);
}

TEST_CASE("leases come with a snapshot, with their keys, and end when their new leader says so") {
  Group group;
  group.isolated.insert(group.away);
  for (const std::int64_t id : {71, 72}) {
    group.ask(group.leader(), ++group.last_id, kv::Method::lease_grant, grant(id, id == 71 ? 3 : 3'000));
    group.run(Duration::milliseconds(10));
    etcdserverpb::PutRequest leased;
    leased.set_key("leased" + std::to_string(id));
    leased.set_lease(id);
    group.ask(group.leader(), ++group.last_id, kv::Method::put, encoded(leased));
  }
  group.change(60);
  group.isolated.clear();
  REQUIRE(group.agree());
  CHECK(group.images.size() == 1);
  etcdserverpb::MoveLeaderRequest move;
  move.set_targetid(group.away);
  group.ask(group.leader(), ++group.last_id, kv::Method::move_leader, encoded(move));
  REQUIRE(group.run_until([&] { return group.leader() == group.away; }));
  group.run(Duration::seconds(6));
  for (const std::uint64_t n : group.up()) {
    for (const auto& [key, count] : {std::pair("leased71", 0), {"leased72", 1}}) {
      group.ask(n, ++group.last_id, kv::Method::range, testing::range(key));
      group.run(Duration::milliseconds(300));
      const auto response = group.answer<etcdserverpb::RangeResponse>(n, group.last_id);
      REQUIRE(response.has_value());
      CHECK(response->kvs_size() == count);
    }
  }
}

TEST_CASE("a proposal whose fate lies in entries that a snapshot stands for is not made again") {
  Group group;
  // It reaches the leader, and then nothing more reaches the member.
  group.loses_also = [&](const raft::Envelope& envelope) { return envelope.to == MemberId(group.away); };
  group.ask(group.away, 900'000, kv::Method::put, put("once", "v"));
  group.run(Duration::milliseconds(50));
  group.change(50);
  group.loses_also = nullptr;
  REQUIRE(group.agree());
  CHECK(group.images.size() == 1);
  group.ask(group.away, 900'001, kv::Method::put, put("later", "v"));
  group.run(Duration::seconds(10));
  CHECK(group.at(group.away).error(900'000).has_value());
  CHECK(outcome(*group.at(group.away).error(900'000)) == Outcome::unknown);
  CHECK(group.answer<etcdserverpb::PutResponse>(group.away, 900'001).has_value());
  group.ask(group.away, 900'002, kv::Method::range, testing::range("once"));
  group.run(Duration::seconds(1));
  const auto response = group.answer<etcdserverpb::RangeResponse>(group.away, 900'002);
  REQUIRE(response.has_value());
  REQUIRE(response->kvs_size() == 1);
  CHECK(response->kvs(0).version() == 1);
}

TEST_CASE("a compaction waits for a snapshot that reads what it gives up, and goes on without it after a time") {
  for (const bool is_stuck : {false, true}) {
    Config config = small_config();
    config.limits.snapshot_hold_ms = 3'000;
    Group group(config);
    CAPTURE(is_stuck);
    group.isolated.insert(group.away);
    group.change(150);
    bool stops = is_stuck;
    group.loses_also = [&](const raft::Envelope& envelope) {
      return stops && std::holds_alternative<raft::SnapshotPart>(envelope.message);
    };
    group.isolated.clear();
    REQUIRE(group.run_until([&] { return group.parts >= 3; }));
    const std::uint64_t leader = group.leader();
    const std::uint64_t freed = group.at(leader).replica.metrics().records_compacted;
    etcdserverpb::CompactionRequest request;
    request.set_revision(group.revision().value());
    request.set_physical(true);
    group.ask(leader, ++group.last_id, kv::Method::compact, encoded(request));
    if (is_stuck) {
      group.run(Duration::seconds(1));
      CHECK(group.at(leader).replica.metrics().records_compacted == freed);
      group.run(Duration::seconds(5));
      CHECK(group.at(leader).replica.metrics().records_compacted > freed);
      stops = false;
    }
    REQUIRE(group.agree(Duration::seconds(60)));
    CHECK(group.images.size() == (is_stuck ? 2 : 1));
    CHECK(group.at(leader).replica.metrics().records_compacted > freed);
  }
}

TEST_CASE("a member serves its former state for as long as it takes to receive another") {
  Group group;
  group.change(40);
  group.isolated.insert(group.away);
  group.change(60);
  group.isolated.clear();
  group.at(group.away).image_steps_allowed = 0;
  group.run(Duration::seconds(1));
  etcdserverpb::RangeRequest all;
  all.set_key("k");
  all.set_range_end("l");
  all.set_serializable(true);
  group.ask(group.away, 900'000, kv::Method::range, encoded(all));
  group.ask(group.away, 900'001, kv::Method::range, testing::range("k1"));
  group.run(Duration::milliseconds(100));
  CHECK(group.answer<etcdserverpb::RangeResponse>(group.away, 900'000).has_value());
  // Of one that must be current the answer waits.
  CHECK_FALSE(group.answer<etcdserverpb::RangeResponse>(group.away, 900'001).has_value());
  group.at(group.away).image_steps_allowed = 1'000;
  REQUIRE(group.agree());
  group.run(Duration::seconds(1));
  CHECK(group.answer<etcdserverpb::RangeResponse>(group.away, 900'001).has_value());
}

}  // namespace
}  // namespace metastore
