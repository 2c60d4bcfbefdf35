#include <doctest/doctest.h>

#include <string>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using testing::Driver;
using testing::encoded;
using testing::put;
using testing::test_config;

Bytes hash_at(std::int64_t revision) {
  etcdserverpb::HashKVRequest request;
  request.set_revision(revision);
  return encoded(request);
}

void compact(Driver& driver, std::uint64_t id, std::int64_t revision) {
  etcdserverpb::CompactionRequest request;
  request.set_revision(revision);
  driver.turn({driver.request(id, kv::Method::compact, encoded(request))});
  driver.settle();
}

void put_keys(Driver& driver, int count) {
  for (int i = 0; i < count; ++i) {
    driver.turn({driver.request(1'000 + static_cast<std::uint64_t>(i), kv::Method::put,
                                put("k" + std::to_string(i), std::string(100, 'v')))});
  }
  driver.settle();
}

TEST_CASE("HashKV tells of which revision it is, and the slices of a step do not matter") {
  std::uint32_t expected = 0;
  for (const std::uint64_t slice : {1, 1'000, 2'000, 10'000}) {
    Config config = test_config();
    config.limits.hash_bytes_a_step = slice;
    Driver driver(config);
    driver.lead();
    put_keys(driver, 10);
    driver.turn({driver.request(1, kv::Method::hash_kv, hash_at(0))});
    CHECK(driver.answer<etcdserverpb::HashKVResponse>(1).has_value() == (slice == 10'000));
    // What happens meanwhile is later than what is hashed.
    driver.turn({driver.request(2, kv::Method::put, put("k5", "new")),
                 driver.request(3, kv::Method::put, put("z", "1")),
                 driver.request(4, kv::Method::hash_kv, hash_at(11))});
    driver.settle();
    const auto now = *driver.answer<etcdserverpb::HashKVResponse>(1);
    CHECK(now.hash_revision() == 11);
    CHECK(now.header().revision() == 11);
    CHECK(now.compact_revision() == -1);
    const auto then = *driver.answer<etcdserverpb::HashKVResponse>(4);
    CHECK(then.hash() == now.hash());
    if (expected == 0) expected = now.hash();
    CHECK(now.hash() == expected);
  }
}

TEST_CASE("HashKV that was told is told again after the compaction at its revision, and a restart changes no other") {
  Driver driver;
  driver.lead();
  auto hash_of = [id = std::uint64_t{100}](Driver& asked, std::int64_t revision) mutable {
    asked.turn({asked.request(++id, kv::Method::hash_kv, hash_at(revision))});
    asked.settle();
    return *asked.answer<etcdserverpb::HashKVResponse>(id);
  };
  CHECK(hash_of(driver, 0).hash() != 0);
  put_keys(driver, 3);
  driver.turn({driver.request(1, kv::Method::put, put("k1", "other"))});
  driver.settle();
  const auto before = hash_of(driver, 5);
  CHECK(before.hash() != hash_of(driver, 4).hash());
  compact(driver, 2, 5);
  const auto after = hash_of(driver, 5);
  CHECK(after.hash() == before.hash());
  CHECK(after.compact_revision() == -1);
  // Asked about the newest one, it tells of what there is.
  const auto newest = hash_of(driver, 0);
  CHECK(newest.hash_revision() == 5);
  CHECK(newest.compact_revision() == 5);
  CHECK(newest.hash() != before.hash());

  driver.turn({driver.request(3, kv::Method::hash_kv, hash_at(4)), driver.request(4, kv::Method::hash_kv, hash_at(6))});
  CHECK(driver.error(3) == ErrorCode::compacted);
  CHECK(driver.error(4) == ErrorCode::future_revision);
  // Before all revisions there is nothing, whatever was compacted: the checksum of "key" alone, as etcd has it.
  const auto nothing = hash_of(driver, -10);
  CHECK(nothing.hash() == 1'084'519'789);
  CHECK(nothing.hash_revision() == -10);

  Driver again(test_config(), driver.recovered());
  again.lead();
  CHECK(hash_of(again, 0).hash() == newest.hash());
  CHECK(hash_of(again, 5).hash() == newest.hash());
}

TEST_CASE("HashKV begins anew when a compaction takes something away, and tells what it left") {
  Config config = test_config();
  config.limits.hash_bytes_a_step = 1;
  Driver driver(config);
  driver.lead();
  put_keys(driver, 5);
  put_keys(driver, 5);
  driver.turn({driver.request(1, kv::Method::hash_kv, hash_at(0))});
  driver.turn();
  driver.turn();
  CHECK_FALSE(driver.answer<etcdserverpb::HashKVResponse>(1).has_value());
  compact(driver, 2, 8);
  const auto overtaken = *driver.answer<etcdserverpb::HashKVResponse>(1);
  CHECK(overtaken.compact_revision() == 8);
  driver.turn({driver.request(3, kv::Method::hash_kv, hash_at(0))});
  driver.settle();
  CHECK(driver.answer<etcdserverpb::HashKVResponse>(3)->hash() == overtaken.hash());
}

TEST_CASE("HashKV that a compaction overtakes is told so, and one whose client has left is given up") {
  Config config = test_config();
  config.limits.hash_bytes_a_step = 1;
  Driver driver(config);
  driver.lead();
  put_keys(driver, 5);
  driver.turn({driver.request(1, kv::Method::hash_kv, hash_at(5), driver.now + Duration::milliseconds(5)),
               driver.request(2, kv::Method::hash_kv, hash_at(5))});
  driver.now = driver.now + Duration::milliseconds(5);
  driver.turn();
  CHECK(driver.error(1) == ErrorCode::deadline_exceeded);
  driver.turn();
  CHECK_FALSE(driver.error(2).has_value());
  compact(driver, 3, 6);
  CHECK(driver.error(2) == ErrorCode::compacted);
  CHECK(driver.replica.status().is_idle);
  CHECK(driver.wake_at > driver.now);
}

TEST_CASE("Hash is of the whole state") {
  Driver driver;
  driver.lead();
  auto hash = [&, id = std::uint64_t{100}]() mutable {
    driver.turn({driver.request(++id, kv::Method::hash, Bytes())});
    const auto response = *driver.answer<etcdserverpb::HashResponse>(id);
    CHECK(response.header().revision() == driver.replica.status().revision.value());
    return response.hash();
  };
  const std::uint32_t empty = hash();
  CHECK(hash() == empty);
  put_keys(driver, 1);
  const std::uint32_t one_key = hash();
  CHECK(one_key != empty);
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_id(5);
  driver.turn({driver.request(1, kv::Method::lease_grant, encoded(grant))});
  driver.settle();
  CHECK(hash() != one_key);
}

TEST_CASE("Defragment forgets how large the state has been") {
  Driver driver;
  driver.lead();
  put_keys(driver, 10);
  etcdserverpb::DeleteRangeRequest all;
  all.set_key(std::string(1, '\0'));
  all.set_range_end(std::string(1, '\0'));
  driver.turn({driver.request(1, kv::Method::delete_range, encoded(all))});
  driver.settle();
  compact(driver, 2, 12);
  const ReplicaStatus before = driver.replica.status();
  CHECK(before.size_bytes > before.size_in_use_bytes + 1'000);
  // Who asks again meanwhile waits for the same.
  driver.turn({driver.request(3, kv::Method::defragment, Bytes()), driver.request(4, kv::Method::defragment, Bytes())});
  driver.turn({driver.request(5, kv::Method::defragment, Bytes())});
  CHECK(driver.defragmentations == 1);
  CHECK_FALSE(driver.answer<etcdserverpb::DefragmentResponse>(3).has_value());
  CHECK(driver.replica.status().size_bytes == before.size_bytes);
  driver.turn({Defragmented{"no room"}});
  for (const std::uint64_t id : {3, 4, 5}) CHECK(driver.error(id) == ErrorCode::not_defragmented);
  CHECK(driver.replica.status().size_bytes == before.size_bytes);

  driver.turn({driver.request(6, kv::Method::defragment, Bytes())});
  CHECK(driver.defragmentations == 2);
  driver.turn({Defragmented{}});
  const auto response = driver.answer<etcdserverpb::DefragmentResponse>(6);
  REQUIRE(response.has_value());
  CHECK_FALSE(response->has_header());
  CHECK(driver.replica.status().size_bytes == before.size_in_use_bytes);
  CHECK(driver.replica.status().size_in_use_bytes == before.size_in_use_bytes);
}

TEST_CASE("nothing is downgraded, so there is nothing to cancel and no release to go back to") {
  Driver driver;
  const auto ask = [&](std::uint64_t id, int action, const std::string& version) {
    etcdserverpb::DowngradeRequest request;
    request.set_action(static_cast<etcdserverpb::DowngradeRequest::DowngradeAction>(action));
    request.set_version(version);
    driver.turn({driver.request(id, kv::Method::downgrade, encoded(request))});
    return driver.error(id);
  };
  CHECK(ask(1, 2, "") == ErrorCode::cluster_version_unavailable);
  driver.lead();
  driver.settle();
  std::uint64_t id = 1;
  for (const int action : {0, 1}) {
    for (const char* version : {"", "3", "3.", "3.x", ".6", "v3.6", "3.6.", "3.6.0.1", "3.6x"}) {
      CHECK(ask(++id, action, version) == ErrorCode::wrong_downgrade_version_format);
    }
    for (const char* version : {"3.6", "3.6.0", "3.6.9-rc.1", "3.6.0+build", "9.9"}) {
      CHECK(ask(++id, action, version) == ErrorCode::invalid_downgrade_target_version);
    }
  }
  CHECK(ask(++id, 3, "3.6") == ErrorCode::unknown_method);
  CHECK_FALSE(ask(++id, 2, "").has_value());
  CHECK(driver.answer<etcdserverpb::DowngradeResponse>(id)->version() == "3.7");
}

TEST_CASE("leadership moves to a member that there is: of one, to itself") {
  Driver driver;
  const auto move = [&](std::uint64_t id, std::uint64_t target) {
    etcdserverpb::MoveLeaderRequest request;
    request.set_targetid(target);
    driver.turn({driver.request(id, kv::Method::move_leader, encoded(request))});
  };
  move(1, 7);
  CHECK(driver.error(1) == ErrorCode::not_leader);
  driver.lead();
  move(2, 8);
  CHECK(driver.error(2) == ErrorCode::bad_leader_transferee);
  move(3, 7);
  const auto response = driver.answer<etcdserverpb::MoveLeaderResponse>(3);
  REQUIRE(response.has_value());
  CHECK_FALSE(response->has_header());
}

}  // namespace
}  // namespace metastore
