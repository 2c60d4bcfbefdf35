#include <doctest/doctest.h>

#include <string>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using testing::Driver;
using testing::encoded;
using testing::grant;
using testing::put;
using testing::range;

Bytes delete_all(const std::string& from) {
  etcdserverpb::DeleteRangeRequest request;
  request.set_key(from);
  request.set_range_end(std::string(1, '\0'));
  return encoded(request);
}

/// Puts two keys where `key` exists, else reads it twice; a put within a nested txn in both.
Bytes txn(const std::string& key) {
  etcdserverpb::TxnRequest request;
  etcdserverpb::Compare& compare = *request.add_compare();
  compare.set_key(key);
  compare.set_target(etcdserverpb::Compare::VERSION);
  compare.set_result(etcdserverpb::Compare::GREATER);
  compare.set_version(0);
  for (const char* name : {"x", "y"}) {
    request.add_success()->mutable_request_put()->set_key(name);
    request.add_failure()->mutable_request_range()->set_key(key);
  }
  for (auto* branch : {request.add_success(), request.add_failure()}) {
    branch->mutable_request_txn()->add_success()->mutable_request_put()->set_key("nested");
  }
  return encoded(request);
}

Bytes compaction(std::int64_t revision) {
  etcdserverpb::CompactionRequest request;
  request.set_revision(revision);
  return encoded(request);
}

struct Leader : Driver {
  Leader() { lead(); }
  std::uint64_t ask(kv::Method method, Bytes message) {
    turn({request(++last, method, std::move(message))});
    settle();
    return last;
  }
  std::uint64_t last = 0;
};

TEST_CASE("requests are counted by what they did, alone or in a transaction") {
  Leader leader;
  leader.ask(kv::Method::txn, txn("a"));
  kv::Counts counts = leader.replica.metrics().requests;
  CHECK(counts.txns == 1);
  CHECK(counts.ranges == 2);
  CHECK(counts.puts == 1);

  leader.ask(kv::Method::put, put("a", "12345"));
  leader.ask(kv::Method::txn, txn("a"));
  leader.ask(kv::Method::range, range("a"));
  leader.ask(kv::Method::range, range("a", true));
  leader.ask(kv::Method::delete_range, delete_all("x"));
  counts = leader.replica.metrics().requests;
  CHECK(counts.txns == 2);
  CHECK(counts.puts == 5);
  CHECK(counts.put_bytes == 2 * std::string("nested").size() + std::string("a12345").size() + 2);
  CHECK(counts.ranges == 4);
  CHECK(counts.deletes == 1);
  CHECK(leader.replica.metrics().keys == 2);

  // What is refused has done nothing.
  leader.ask(kv::Method::put, put("", ""));
  CHECK(leader.replica.metrics().requests.puts == 5);
}

TEST_CASE("leases are counted from their grant to their end, and keys that go with them are deletes") {
  Leader leader;
  leader.ask(kv::Method::lease_grant, grant(1, 5));
  leader.ask(kv::Method::lease_grant, grant(2, 100));
  leader.ask(kv::Method::lease_grant, grant(2, 100));
  etcdserverpb::PutRequest attached;
  attached.set_key("k");
  attached.set_lease(1);
  leader.ask(kv::Method::put, encoded(attached));
  leader.now = leader.now + Duration::seconds(6);
  leader.settle();
  const ReplicaMetrics metrics = leader.replica.metrics();
  CHECK(metrics.leases.granted == 2);
  CHECK(metrics.leases.expired == 1);
  CHECK(metrics.leases.revoked == 1);
  CHECK(metrics.leases.renewed == 0);
  CHECK(metrics.leases.ttl_seconds.view().sum == 105);
  CHECK(metrics.requests.deletes == 1);
  CHECK(metrics.keys == 0);
}

TEST_CASE("a compaction is counted once, with the records that it freed") {
  Leader leader;
  for (int i = 0; i < 3; ++i) leader.ask(kv::Method::put, put("a", "1"));
  CHECK(leader.replica.metrics().compact_revision == Revision(-1));
  CHECK(!leader.replica.metrics().counts.compacted_at.has_value());
  leader.ask(kv::Method::compact, compaction(4));
  const Instant compacted = leader.now;
  leader.ask(kv::Method::put, put("a", "1"));
  const ReplicaMetrics metrics = leader.replica.metrics();
  CHECK(metrics.compact_revision == Revision(4));
  CHECK(metrics.records_compacted == 2);
  CHECK(metrics.counts.compaction_milliseconds.view().counts[0] == 1);
  CHECK(metrics.counts.compacted_at == compacted);
}

TEST_CASE("proposals that wait, that fail, and the leaders that were seen are counted") {
  Driver driver;
  driver.turn({driver.request(1, kv::Method::put, put("a", "1"), driver.now + Duration::milliseconds(1)),
               driver.request(2, kv::Method::put, put("b", "2")),
               driver.request(3, kv::Method::range, range("a"), driver.now + Duration::milliseconds(1))});
  CHECK(driver.replica.metrics().proposals_pending == 2);
  CHECK(driver.replica.metrics().counts.leader_changes == 0);
  driver.now = driver.now + Duration::milliseconds(1);
  driver.turn();
  CHECK(driver.replica.metrics().proposals_pending == 1);
  CHECK(driver.replica.metrics().counts.proposals_failed == 1);
  CHECK(driver.replica.metrics().counts.reads_late == 1);
  driver.lead();
  CHECK(driver.replica.metrics().proposals_pending == 0);
  CHECK(driver.replica.metrics().counts.leader_changes == 1);
  CHECK(driver.replica.metrics().counts.proposals_failed == 1);
}

TEST_CASE("watchers are counted while they are there, and the events that they were sent for good") {
  Leader leader;
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("a");
  leader.turn({StreamOpened{RequestId(100), kv::Method::watch}, StreamRequest{RequestId(100), encoded(request)},
               StreamRequest{RequestId(100), encoded(request)}});
  leader.ask(kv::Method::put, put("a", "1"));
  leader.ask(kv::Method::put, put("b", "1"));
  CHECK(leader.replica.metrics().watch_streams == 1);
  CHECK(leader.replica.metrics().watchers == 2);
  CHECK(leader.replica.metrics().slow_watchers == 0);
  CHECK(leader.replica.metrics().events_sent == 2);
  leader.turn({StreamClosed{RequestId(100)}});
  CHECK(leader.replica.metrics().watch_streams == 0);
  CHECK(leader.replica.metrics().watchers == 0);
  CHECK(leader.replica.metrics().events_sent == 2);
}

}  // namespace
}  // namespace metastore
