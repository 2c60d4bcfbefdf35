#include <doctest/doctest.h>

#include <set>

#include "core/kv/command.h"
#include "core/replica/cluster_driver_test.h"

namespace metastore {
namespace {

using testing::Cluster;
using testing::encoded;
using testing::grant;
using testing::put;
using testing::test_config;

constexpr std::uint64_t entries_between = 20;

Config often(std::uint64_t entries = entries_between) {
  Config config = test_config();
  config.limits.state_hash_entries = entries;
  return config;
}

/// One put after another, each answered.
struct Writer {
  Cluster& cluster;
  std::uint64_t last = 0;

  bool put_next() {
    const std::uint64_t n = cluster.leader();
    ++last;
    cluster.ask(n, last, kv::Method::put, put("k" + std::to_string(last), "v"));
    REQUIRE(cluster.run_until([&] {
      return cluster.answer<etcdserverpb::PutResponse>(n, last).has_value() || cluster.at(n).error(last).has_value();
    }));
    return !cluster.at(n).error(last).has_value();
  }
  void put_some(int count) {
    for (int i = 0; i < count; ++i) REQUIRE(put_next());
  }
};

/// The first put of `key` in what `n` has on its disk becomes nothing.
void drop_put(Cluster& cluster, std::uint64_t n, const std::string& key) {
  for (raft::Entry& entry : cluster.disk(n).log.entries) {
    if (entry.data.empty() || entry.type != raft::EntryType::normal) continue;
    const auto command = kv::decode_command(entry.data.view());
    const auto* request = std::get_if<kv::PutRequest>(&command.value().body);
    if (request == nullptr || request->key != key) continue;
    entry.data = Bytes();
    return;
  }
  FAIL("no such put");
}

std::set<std::uint64_t> corrupt(Cluster& cluster, std::uint64_t n) {
  std::set<std::uint64_t> members;
  for (const kv::Alarm& alarm : cluster.at(n).replica.status().alarms) {
    CHECK(alarm.type == kv::AlarmType::corrupt);
    members.insert(alarm.member.value());
  }
  return members;
}

TEST_CASE("a member that has lost one put is named by the alarm before as many entries have followed") {
  Cluster cluster(3, often());
  cluster.begin();
  Writer writer{cluster};
  writer.put_some(30);
  const std::uint64_t damaged = cluster.follower();
  cluster.crash(damaged);
  drop_put(cluster, damaged, "k7");
  cluster.restart(damaged);
  cluster.begin();
  const LogIndex before = cluster.at(1).replica.status().commit_index;
  while (writer.put_next()) {
    REQUIRE(cluster.at(1).replica.status().commit_index.value() < before.value() + 2 * entries_between);
    cluster.run(Duration::milliseconds(10));
  }
  cluster.run(Duration::seconds(1));
  for (const std::uint64_t n : cluster.up()) CHECK(corrupt(cluster, n) == std::set<std::uint64_t>{damaged});
  // The point at which it is found, and the alarm.
  CHECK(cluster.at(1).replica.status().commit_index.value() <= before.value() + entries_between + 5);
  CHECK(cluster.at(cluster.leader()).error(writer.last) == ErrorCode::corrupt);
}

TEST_CASE("a leader that is the one in the wrong accuses itself") {
  Cluster cluster(3, often());
  cluster.begin();
  Writer writer{cluster};
  writer.put_some(10);
  const std::uint64_t damaged = cluster.leader();
  cluster.crash(damaged);
  drop_put(cluster, damaged, "k7");
  REQUIRE(cluster.run_until([&] { return cluster.leader() != 0; }));
  cluster.restart(damaged);
  cluster.begin();
  etcdserverpb::MoveLeaderRequest request;
  request.set_targetid(damaged);
  cluster.ask(cluster.leader(), 1'000, kv::Method::move_leader, encoded(request));
  REQUIRE(cluster.run_until([&] { return cluster.leader() == damaged; }));
  while (writer.put_next()) {
    REQUIRE(writer.last < 100);
    cluster.run(Duration::milliseconds(10));
  }
  CHECK(corrupt(cluster, damaged) == std::set<std::uint64_t>{damaged});
}

TEST_CASE("where no two members are alike all of them get the alarm") {
  Cluster cluster(3, often());
  cluster.begin();
  Writer writer{cluster};
  writer.put_some(10);
  for (const std::uint64_t n : {1, 2}) {
    cluster.crash(n);
    drop_put(cluster, n, "k" + std::to_string(n));
    cluster.restart(n);
  }
  cluster.begin();
  while (writer.put_next()) {
    REQUIRE(writer.last < 100);
    cluster.run(Duration::milliseconds(10));
  }
  cluster.run(Duration::seconds(1));
  for (const std::uint64_t n : cluster.up()) CHECK(corrupt(cluster, n) == std::set<std::uint64_t>{1, 2, 3});
}

TEST_CASE("two that differ wait for the third, though not forever") {
  Cluster cluster(3, often());
  cluster.begin();
  Writer writer{cluster};
  writer.put_some(10);
  cluster.crash(2);
  drop_put(cluster, 2, "k2");
  cluster.restart(2);
  cluster.crash(3);
  cluster.begin();
  writer.put_some(50);
  cluster.run(Duration::seconds(6));
  CHECK(corrupt(cluster, 1).empty());
  cluster.run(Duration::seconds(2));
  CHECK(corrupt(cluster, 1) == std::set<std::uint64_t>{1, 2});
}

TEST_CASE("members that are well raise nothing, whatever they do and however they came to their state") {
  Cluster cluster(3, often(1));
  cluster.begin();
  Writer writer{cluster};
  for (std::uint64_t round = 1; round <= 6; ++round) {
    writer.put_some(5);
    const std::uint64_t n = cluster.follower();
    cluster.ask(n, 1'000 + round, kv::Method::lease_grant, grant(static_cast<std::int64_t>(round), 2 * round));
    etcdserverpb::CompactionRequest compaction;
    compaction.set_revision(static_cast<std::int64_t>(5 * round));
    cluster.ask(n, 2'000 + round, kv::Method::compact, encoded(compaction));
    cluster.run(Duration::seconds(1));
    const std::uint64_t restarted = round % 3 + 1;
    cluster.crash(restarted);
    cluster.restart(restarted);
    cluster.begin();
  }
  cluster.run(Duration::seconds(20));
  for (const std::uint64_t n : cluster.up()) CHECK(corrupt(cluster, n).empty());
}

TEST_CASE("points stand in the log as often as the limit says, and where nobody writes nothing is added") {
  for (const std::uint64_t entries : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, entries_between}) {
    CAPTURE(entries);
    Cluster cluster(3, often(entries));
    cluster.begin();
    Writer writer{cluster};
    writer.put_some(2 * entries_between);
    cluster.run(Duration::seconds(1));
    const LogIndex end = cluster.at(1).replica.status().commit_index;
    cluster.run(Duration::seconds(10));
    CHECK(cluster.at(1).replica.status().commit_index == end);
    const std::uint64_t others = end.value() - writer.last;
    // Beside those, each member's arrival, the term, the publications and the version.
    CHECK(others <= 8 + (entries == 0 ? 0 : end.value() / entries));
    if (entries > 0) CHECK(others >= end.value() / entries / 2 + 4);
  }
}

}  // namespace
}  // namespace metastore
