#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/replica/cluster_driver_test.h"
#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using etcdserverpb::WatchResponse;
using testing::Cluster;
using testing::Driver;
using testing::encoded;
using testing::put;
using testing::test_config;

constexpr RequestId watching(100);

Bytes watch(const std::string& key, const std::string& end, std::int64_t start_revision = 0) {
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key(key);
  request.mutable_create_request()->set_range_end(end);
  request.mutable_create_request()->set_start_revision(start_revision);
  return encoded(request);
}

/// "key=value@revision" of each event for that watcher.
std::string events(const std::vector<WatchResponse>& responses, std::int64_t watch_id = 0) {
  std::string line;
  for (const WatchResponse& response : responses) {
    if (response.watch_id() != watch_id) continue;
    for (const mvccpb::Event& event : response.events()) {
      line += event.kv().key() + "=" + event.kv().value() + "@" + std::to_string(event.kv().mod_revision()) + " ";
    }
  }
  return line;
}

TEST_CASE("a watcher gets what is put after it, and what was put since its revision") {
  Driver driver;
  driver.lead();
  driver.turn({driver.request(1, kv::Method::put, put("a", "1"))});
  driver.settle();
  driver.turn({StreamOpened{watching, kv::Method::watch}, StreamRequest{watching, watch("a", "z")},
               StreamRequest{watching, watch("a", "", 2)}});
  const auto created = driver.received<WatchResponse>(watching);
  REQUIRE(created.size() == 3);
  CHECK(created[0].created());
  CHECK(created[1].created());
  CHECK(created[1].watch_id() == 1);
  CHECK(events(created, 1) == "a=1@2 ");

  driver.turn({driver.request(2, kv::Method::put, put("a", "2")), driver.request(3, kv::Method::put, put("b", "3"))});
  driver.settle();
  const auto responses = driver.received<WatchResponse>(watching);
  CHECK(events(responses, 0) == "a=2@3 b=3@4 ");
  CHECK(events(responses, 1) == "a=2@3 ");
}

TEST_CASE("a watcher resumes behind a restart from any revision that is not compacted") {
  Driver before;
  before.lead();
  for (int i = 0; i < 5; ++i) {
    before.turn({before.request(1 + i, kv::Method::put, put("k", std::to_string(i)))});
    before.settle();
  }
  Driver after(test_config(), before.recovered());
  after.lead();
  after.turn({StreamOpened{watching, kv::Method::watch}, StreamRequest{watching, watch("k", "", 4)}});
  after.settle();
  CHECK(events(after.received<WatchResponse>(watching)) == "k=2@4 k=3@5 k=4@6 ");
}

TEST_CASE("every stream ends once, and for the right reason") {
  Driver driver;
  const auto open = [&](std::uint64_t id, bool require_leader = false, Instant deadline = Instant::never()) {
    return StreamOpened{RequestId(id), kv::Method::watch, deadline, require_leader};
  };
  // No leader is known yet.
  driver.turn({open(1, true), open(2)});
  CHECK(driver.stream_ends == std::vector<StreamEnd>{{RequestId(1), ErrorCode::no_leader}});
  driver.lead();
  driver.stream_ends.clear();

  driver.turn({StreamClosed{RequestId(2)}, open(3), StreamRequest{RequestId(3), Bytes::copy_of("\xff")}});
  CHECK(driver.stream_ends == std::vector<StreamEnd>{{RequestId(3), ErrorCode::undecodable}});
  driver.stream_ends.clear();

  driver.turn({open(4, false, driver.now + Duration::seconds(1)), open(5), open(6)});
  CHECK(driver.wake_at <= driver.now + Duration::seconds(1));
  driver.now = driver.now + Duration::seconds(1);
  driver.turn();
  CHECK(driver.stream_ends == std::vector<StreamEnd>{{RequestId(4), ErrorCode::deadline_exceeded}});
  driver.stream_ends.clear();

  driver.turn({StreamClosed{RequestId(5)}, StreamDrained{RequestId(5), 10}, Stopping{}, open(7)});
  CHECK(driver.stream_ends ==
        std::vector<StreamEnd>{{RequestId(6), ErrorCode::stopped}, {RequestId(7), ErrorCode::stopped}});
}

TEST_CASE("a stream that requires a leader ends as soon as none has been known for three election timeouts") {
  Cluster cluster(3);
  cluster.begin();
  const std::uint64_t alone = cluster.follower();
  const Driver& member = cluster.at(alone);
  const auto has_leader = [&] { return member.replica.status().leader != MemberId(); };
  const auto lose_leader = [&] {
    cluster.isolated.insert(alone);
    REQUIRE(cluster.run_until([&] { return !has_leader(); }));
  };
  cluster.post(alone, StreamOpened{RequestId(1), kv::Method::watch, Instant::never(), true});
  cluster.post(alone, StreamOpened{RequestId(2), kv::Method::watch});
  lose_leader();
  cluster.run(test_config().election_timeout * 2);
  cluster.isolated.clear();
  REQUIRE(cluster.run_until(has_leader, test_config().election_timeout));
  cluster.run(test_config().election_timeout * 2);
  CHECK(member.stream_ends.empty());

  lose_leader();
  const Instant lost = cluster.now();
  REQUIRE(cluster.run_until([&] { return !member.stream_ends.empty(); }));
  CHECK(cluster.now() == lost + test_config().election_timeout * 3);
  CHECK(member.stream_ends == std::vector<StreamEnd>{{RequestId(1), ErrorCode::no_leader}});
}

TEST_CASE("a client that has asked for all it wants still gets its events") {
  Driver driver;
  driver.lead();
  driver.turn({StreamOpened{watching, kv::Method::watch}, StreamRequest{watching, watch("k", "")},
               StreamRequestsEnded{watching}, driver.request(1, kv::Method::put, put("k", "1"))});
  driver.settle();
  CHECK(driver.stream_ends.empty());
  CHECK(events(driver.received<WatchResponse>(watching)) == "k=1@2 ");
}

TEST_CASE("what a stream does not drain is not sent ahead, and nothing is lost by that") {
  Config config = test_config();
  config.limits.stream_credit_bytes = 200;
  Driver driver(config);
  driver.lead();
  driver.turn({StreamOpened{watching, kv::Method::watch}, StreamRequest{watching, watch("k", "")}});
  std::uint64_t undrained = 0;
  std::string got;
  const auto receive = [&] {
    for (const Chunk& chunk : driver.chunks) undrained += chunk.message_bytes;
    got += events(driver.received<WatchResponse>(watching));
  };
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    driver.turn({driver.request(1 + i, kv::Method::put, put("k", std::to_string(i)))});
    driver.settle();
    expected += "k=" + std::to_string(i) + "@" + std::to_string(2 + i) + " ";
    receive();
  }
  CHECK(undrained < 300);
  CHECK(got.size() < expected.size());
  while (undrained > 0) {
    driver.turn({StreamDrained{watching, std::exchange(undrained, 0)}});
    driver.settle();
    receive();
  }
  CHECK(got == expected);
}

}  // namespace
}  // namespace metastore
