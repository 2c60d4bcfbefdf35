#include "core/replica/replica.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "core/kv/command.h"
#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using testing::Driver;
using testing::encoded;
using testing::put;
using testing::range;
using testing::test_config;

TEST_CASE("a single member leads, publishes itself and sets the cluster version") {
  Driver driver;
  driver.lead();
  const ReplicaStatus status = driver.replica.status();
  CHECK(status.term == Term(2));
  CHECK(status.leader == MemberId(7));
  CHECK(status.is_published);
  CHECK(status.cluster_version == "3.7.0");
  CHECK(status.commit_index == LogIndex(4));
  CHECK(status.applied_index == LogIndex(4));
  CHECK(status.revision == Revision(1));
  CHECK(driver.replica.members().find(MemberId(7))->client_urls == std::vector<std::string>{"http://c"});
}

TEST_CASE("a put is acknowledged only once it is durable") {
  Driver driver;
  driver.lead();
  driver.turn({driver.request(1, kv::Method::put, put("a", "1"))});
  driver.turn();
  CHECK(driver.replies.empty());
  CHECK_FALSE(driver.replica.status().is_idle);
  driver.settle();
  const auto response = driver.answer<etcdserverpb::PutResponse>(1);
  REQUIRE(response.has_value());
  CHECK(response->header().revision() == 2);
  CHECK(response->header().member_id() == 7);
  CHECK(response->header().cluster_id() == 9);
  CHECK(response->header().raft_term() == 2);
  CHECK(driver.replica.status().is_idle);
}

TEST_CASE("all proposals of a turn are one log write") {
  Driver driver;
  driver.lead();
  const std::size_t writes = driver.log.size();
  driver.turn({driver.request(1, kv::Method::put, put("a", "1")), driver.request(2, kv::Method::put, put("b", "1")),
               driver.request(3, kv::Method::put, put("c", "1"))});
  REQUIRE(driver.log.size() == writes + 1);
  CHECK(driver.log.back().append.size() == 3);
}

TEST_CASE("a linearizable read sees what was acknowledged before it; a serializable one is answered in its own step") {
  Driver driver;
  driver.turn({driver.request(1, kv::Method::range, range("a", true))});
  CHECK(driver.answer<etcdserverpb::RangeResponse>(1).has_value());
  driver.lead();
  driver.turn({driver.request(2, kv::Method::put, put("a", "1"))});
  driver.settle();
  driver.turn({driver.request(3, kv::Method::range, range("a"))});
  const auto response = driver.answer<etcdserverpb::RangeResponse>(3);
  REQUIRE(response.has_value());
  REQUIRE(response->kvs_size() == 1);
  CHECK(response->kvs(0).value() == "1");
}

TEST_CASE("without a leader requests wait, and are refused at their deadline") {
  Driver driver;
  driver.turn({driver.request(1, kv::Method::put, put("a", "1")),
               driver.request(2, kv::Method::range, range("a"), driver.now + Duration::milliseconds(5)),
               driver.request(3, kv::Method::range, range("a"))});
  CHECK(driver.replies.empty());
  driver.now = driver.now + Duration::milliseconds(5);
  driver.turn();
  CHECK(driver.error(2) == ErrorCode::deadline_exceeded);
  CHECK(driver.replies.size() == 1);

  SUBCASE("once there is one they are served in their order") {
    driver.lead();
    CHECK(driver.answer<etcdserverpb::PutResponse>(1).has_value());
    CHECK(driver.answer<etcdserverpb::RangeResponse>(3).has_value());
  }
  SUBCASE("ours comes after seven seconds, and what was given up is not proposed any more") {
    driver.now = driver.now + Duration::seconds(7);
    driver.turn();
    CHECK(driver.error(1) == ErrorCode::timeout);
    CHECK(driver.error(3) == ErrorCode::timeout);
    driver.lead();
    CHECK(driver.replica.status().revision == Revision(1));
  }
}

TEST_CASE("bad requests are answered at once with etcd's error") {
  Driver driver;
  driver.lead();
  driver.turn({driver.request(1, kv::Method::put, put("", "1")),
               driver.request(2, kv::Method::put, Bytes::copy_of("\xff\xff")),
               driver.request(3, kv::Method::put, put("a", std::string(driver.config.limits.request_bytes_max, 'v')))});
  CHECK(driver.error(1) == ErrorCode::empty_key);
  CHECK(driver.error(2) == ErrorCode::undecodable);
  CHECK(driver.error(3) == ErrorCode::request_too_large);
}

TEST_CASE("what waits is bounded") {
  Config config = test_config();
  config.limits.proposals_pending_max = 2;
  config.limits.reads_pending_max = 3;
  Driver driver(config);
  driver.turn({driver.request(1, kv::Method::put, put("a", "1")), driver.request(2, kv::Method::put, put("b", "1")),
               driver.request(3, kv::Method::put, put("c", "1")), driver.request(4, kv::Method::range, range("a")),
               driver.request(5, kv::Method::range, range("a"))});
  CHECK(driver.error(3) == ErrorCode::too_many_requests);
  CHECK_FALSE(driver.error(4).has_value());
  CHECK(driver.error(5) == ErrorCode::too_many_requests);
}

TEST_CASE("a member that stops takes nothing new and finishes what it owes") {
  Driver driver;
  driver.lead();
  driver.turn({driver.request(1, kv::Method::put, put("a", "1")), Stopping{},
               driver.request(2, kv::Method::put, put("b", "1"))});
  CHECK(driver.error(2) == ErrorCode::stopped);
  driver.settle();
  CHECK(driver.answer<etcdserverpb::PutResponse>(1).has_value());
  CHECK(driver.replica.status().is_idle);
}

TEST_CASE("a physical compaction is answered when the old revisions are gone, a logical one at once") {
  Config config = test_config();
  config.limits.compact_records_a_step = 1;
  Driver driver(config);
  driver.lead();
  for (std::uint64_t i = 1; i <= 10; ++i) driver.turn({driver.request(i, kv::Method::put, put("a", "v"))});
  driver.settle();

  etcdserverpb::CompactionRequest request;
  request.set_revision(11);
  request.set_physical(true);
  driver.turn({driver.request(20, kv::Method::compact, encoded(request))});
  driver.turn({LogWritten{driver.log.back().id}});
  CHECK_FALSE(driver.answer<etcdserverpb::CompactionResponse>(20).has_value());
  CHECK(driver.wake_at <= driver.now);
  driver.settle();
  CHECK(driver.answer<etcdserverpb::CompactionResponse>(20).has_value());
}

TEST_CASE("a log applied again, in slices of any size, gives the same state") {
  Driver driver;
  driver.lead();
  for (std::uint64_t i = 1; i <= 50; ++i) {
    driver.turn({driver.request(i, kv::Method::put, put("k" + std::to_string(i % 7), std::to_string(i)))});
  }
  driver.settle();

  for (const std::uint64_t slice : {std::uint64_t{1}, std::uint64_t{500}, std::uint64_t{1} << 20}) {
    Config config = test_config();
    config.incarnation = 2;
    config.limits.apply_bytes_a_step = slice;
    Driver restarted(config, driver.recovered());
    restarted.lead();
    CHECK(restarted.replica.hash() == driver.replica.hash());
    CHECK(restarted.replica.status().revision == driver.replica.status().revision);
    CHECK(restarted.replica.status().size_in_use_bytes == driver.replica.status().size_in_use_bytes);
    CHECK(restarted.replica.status().term == Term(3));
  }
}

TEST_CASE("member list, status and alarms answer from the real state") {
  Driver driver;
  driver.lead();
  driver.turn({driver.request(1, kv::Method::member_list, Bytes()), driver.request(2, kv::Method::status, Bytes()),
               driver.request(3, kv::Method::alarm, Bytes())});
  driver.settle();
  const auto members = driver.answer<etcdserverpb::MemberListResponse>(1);
  REQUIRE(members.has_value());
  REQUIRE(members->members_size() == 1);
  CHECK(members->members(0).id() == 7);
  CHECK(members->members(0).name() == "m1");
  CHECK(members->members(0).peerurls(0) == "http://p");
  CHECK(members->header().revision() == 0);
  const auto status = driver.answer<etcdserverpb::StatusResponse>(2);
  REQUIRE(status.has_value());
  CHECK(status->leader() == 7);
  CHECK(status->raftterm() == 2);
  CHECK(status->raftindex() == 4);
  CHECK(status->raftappliedindex() == 4);
  CHECK(status->version() == "3.7.1");
  CHECK(status->dbsize() == status->dbsizeinuse());
  CHECK(status->errors_size() == 0);
  const auto alarms = driver.answer<etcdserverpb::AlarmResponse>(3);
  REQUIRE(alarms.has_value());
  CHECK(alarms->header().revision() == 1);
}

TEST_CASE("equal inputs give equal effects, byte for byte") {
  const auto run = [] {
    Driver driver;
    std::string bytes;
    Encoder out(bytes);
    Effects effects;
    for (int i = 0; i < 20; ++i) {
      driver.now = driver.now + Duration::milliseconds(200);
      const Input input{driver.now, driver.request(static_cast<std::uint64_t>(i), kv::Method::put, put("a", "b"))};
      encode(out, input);
      driver.replica.step(input, effects);
      driver.replica.step({driver.now, Woken{}}, effects);
      driver.replica.step({driver.now, BatchEnded{}}, effects);
      if (!effects.log_writes.empty())
        driver.replica.step({driver.now, LogWritten{effects.log_writes.back().id}}, effects);
    }
    encode(out, effects);
    return bytes;
  };
  CHECK(run() == run());
}

}  // namespace
}  // namespace metastore
