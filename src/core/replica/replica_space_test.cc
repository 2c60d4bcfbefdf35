#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using etcdserverpb::AlarmRequest;
using testing::Driver;
using testing::encoded;
using testing::put;
using testing::range;
using testing::test_config;

Config with_quota(std::int64_t bytes) {
  Config config = test_config();
  config.quota_bytes = bytes;
  return config;
}

/// What an empty store takes, and what a put of "k" with a value of 1,000 bytes adds, are no matter of this test.
std::int64_t empty_size() { return static_cast<std::int64_t>(Driver().replica.status().size_in_use_bytes); }

/// A member and a client that waits for each answer.
struct Session : Driver {
  explicit Session(const Config& config_ = test_config(), Recovered recovered_ = testing::founded())
      : Driver(config_, std::move(recovered_)) {
    lead();
  }

  /// The name of the error, or "ok".
  std::string ask(kv::Method method, Bytes message) {
    turn({request(++last, method, std::move(message))});
    settle();
    return outcome(last);
  }
  std::string outcome(std::uint64_t id) {
    for (const Reply& reply : replies) {
      if (reply.id == RequestId(id)) {
        return reply.result.index() == 0 ? "ok" : std::string(name(std::get<ErrorCode>(reply.result)));
      }
    }
    return "waits";
  }

  /// "CORRUPT 7, NOSPACE 9" of the answer.
  std::string alarm(AlarmRequest::AlarmAction action, etcdserverpb::AlarmType type, std::uint64_t member = 7) {
    AlarmRequest message;
    message.set_action(action);
    message.set_alarm(type);
    message.set_memberid(member);
    REQUIRE(ask(kv::Method::alarm, encoded(message)) == "ok");
    std::string text;
    const auto response = *answer<etcdserverpb::AlarmResponse>(last);
    CHECK(response.header().revision() == replica.status().revision.value());
    CHECK(response.header().member_id() == 7);
    for (const auto& one : response.alarms()) {
      text +=
          (text.empty() ? "" : ", ") + etcdserverpb::AlarmType_Name(one.alarm()) + " " + std::to_string(one.memberid());
    }
    return text;
  }
  std::string alarms() { return alarm(AlarmRequest::GET, etcdserverpb::NONE); }

  std::string put_key(const std::string& key, std::size_t size = 1) {
    return ask(kv::Method::put, put(key, std::string(size, 'v')));
  }
  std::string remove(const std::string& key) {
    etcdserverpb::DeleteRangeRequest message;
    message.set_key(key);
    return ask(kv::Method::delete_range, encoded(message));
  }
  std::string compact() {
    etcdserverpb::CompactionRequest message;
    message.set_revision(replica.status().revision.value());
    return ask(kv::Method::compact, encoded(message));
  }
  std::string grant(std::int64_t id) {
    etcdserverpb::LeaseGrantRequest message;
    message.set_id(id);
    message.set_ttl(100);
    return ask(kv::Method::lease_grant, encoded(message));
  }
  std::string revoke(std::int64_t id) {
    etcdserverpb::LeaseRevokeRequest message;
    message.set_id(id);
    return ask(kv::Method::lease_revoke, encoded(message));
  }
  /// One that puts or deletes.
  std::string txn(bool puts) {
    etcdserverpb::TxnRequest message;
    if (puts) {
      message.add_failure()->mutable_request_put()->set_key("t");
    }
    message.add_success()->mutable_request_delete_range()->set_key("t");
    return ask(kv::Method::txn, encoded(message));
  }

  std::uint64_t last = 100;
};

TEST_CASE("an alarm stands from its raising to its clearing, for each member and type by itself") {
  Session session;
  CHECK(session.alarms() == "");
  CHECK(session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::NOSPACE, 9) == "NOSPACE 9");
  CHECK(session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::NOSPACE, 9) == "NOSPACE 9");
  CHECK(session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::CORRUPT) == "CORRUPT 7");
  CHECK(session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::NONE) == "");
  CHECK(session.alarm(AlarmRequest::ACTIVATE, static_cast<etcdserverpb::AlarmType>(9)) == "");
  CHECK(session.alarms() == "NOSPACE 9, CORRUPT 7");
  CHECK(session.alarm(AlarmRequest::GET, etcdserverpb::CORRUPT, 1) == "CORRUPT 7");
  CHECK(session.alarm(static_cast<AlarmRequest::AlarmAction>(5), etcdserverpb::CORRUPT) == "");
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE, 7) == "");
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE, 9) == "NOSPACE 9");
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE, 9) == "");
  CHECK(session.alarms() == "CORRUPT 7");
}

TEST_CASE(
    "alarms are in the status, in the hash of the state, and outlive a restart from the log and from a checkpoint") {
  Session session;
  const std::uint64_t quiet = session.replica.hash();
  session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::NOSPACE);
  session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::CORRUPT, 3);
  session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::CORRUPT, 4);
  session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::CORRUPT, 4);
  CHECK(session.replica.hash() != quiet);
  REQUIRE(session.ask(kv::Method::status, Bytes()) == "ok");
  const auto status = *session.answer<etcdserverpb::StatusResponse>(session.last);
  REQUIRE(status.errors_size() == 2);
  CHECK(status.errors(0) == "memberID:7 alarm:NOSPACE");
  CHECK(status.errors(1) == "memberID:3 alarm:CORRUPT");

  session.now = session.now + Duration::seconds(1);
  session.settle();
  REQUIRE(session.rows.size() > 0);
  Session from_log(test_config(), session.recovered());
  CHECK(from_log.alarms() == "NOSPACE 7, CORRUPT 3");
  CHECK(from_log.replica.hash() == session.replica.hash());
  Session from_rows(test_config(), session.recovered_with_image());
  CHECK(from_rows.alarms() == "NOSPACE 7, CORRUPT 3");
  CHECK(from_rows.put_key("k") == "corrupt");

  // What was cleared leaves the engine too.
  session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE);
  session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::CORRUPT, 3);
  CHECK(session.replica.hash() == quiet);
  session.now = session.now + Duration::seconds(1);
  session.settle();
  CHECK(Session(test_config(), session.recovered_with_image()).alarms() == "");
}

TEST_CASE("under NOSPACE nothing that adds is taken, and everything that frees is") {
  Session session;
  CHECK(session.put_key("k") == "ok");
  CHECK(session.grant(1) == "ok");
  session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::NOSPACE, 3);
  const Revision revision = session.replica.status().revision;
  CHECK(session.put_key("k") == "no_space");
  CHECK(session.grant(2) == "no_space");
  CHECK(session.txn(true) == "no_space");
  CHECK(session.replica.status().revision == revision);
  CHECK(session.ask(kv::Method::range, range("k")) == "ok");
  CHECK(session.txn(false) == "ok");
  CHECK(session.remove("k") == "ok");
  CHECK(session.revoke(1) == "ok");
  CHECK(session.compact() == "ok");
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE, 3) == "NOSPACE 3");
  CHECK(session.put_key("k") == "ok");
}

TEST_CASE("under CORRUPT nothing changes but alarms, and reads are answered") {
  Session session;
  CHECK(session.put_key("k") == "ok");
  CHECK(session.grant(1) == "ok");
  session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::NOSPACE);
  session.alarm(AlarmRequest::ACTIVATE, etcdserverpb::CORRUPT);
  CHECK(session.put_key("k") == "corrupt");
  CHECK(session.remove("k") == "corrupt");
  CHECK(session.txn(true) == "corrupt");
  CHECK(session.txn(false) == "corrupt");
  CHECK(session.compact() == "corrupt");
  CHECK(session.grant(2) == "corrupt");
  CHECK(session.revoke(1) == "corrupt");
  CHECK(session.ask(kv::Method::range, range("k")) == "ok");
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::CORRUPT) == "CORRUPT 7");
  CHECK(session.put_key("k") == "no_space");
}

TEST_CASE("a write past the quota is refused once this member's alarm stands, and room alone does not clear it") {
  Session session(with_quota(empty_size() + 3'000));
  CHECK(session.replica.status().quota_bytes == empty_size() + 3'000);
  CHECK(session.put_key("a", 1'000) == "ok");
  CHECK(session.put_key("a", 1'000) == "ok");
  const Revision revision = session.replica.status().revision;

  // The refusal waits for the alarm, which is durable then.
  session.turn({session.request(1, kv::Method::put, put("a", std::string(1'000, 'v'))),
                session.request(2, kv::Method::put, put("b", std::string(1'000, 'v')))});
  CHECK(session.outcome(1) == "waits");
  session.settle();
  CHECK(session.outcome(1) == "no_space");
  CHECK(session.outcome(2) == "no_space");
  CHECK(session.replica.status().revision == revision);
  CHECK(session.alarms() == "NOSPACE 7");
  // While it stands, refusing costs no entry.
  const std::size_t writes = session.log.size();
  CHECK(session.put_key("a", 1'000) == "no_space");
  CHECK(session.log.size() == writes);
  // A small one would have room, but the alarm forbids it too.
  CHECK(session.put_key("a", 1) == "no_space");

  CHECK(session.remove("a") == "ok");
  CHECK(session.compact() == "ok");
  CHECK(session.put_key("a", 1) == "no_space");
  CHECK(session.replica.status().size_in_use_bytes < static_cast<std::uint64_t>(empty_size()) + 100);
  CHECK(session.replica.status().size_bytes > static_cast<std::uint64_t>(empty_size()) + 2'000);
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE) == "NOSPACE 7");
  CHECK(session.put_key("a", 1) == "ok");
  // Until it is defragmented, or begins again, this member counts the most that it ever held.
  CHECK(session.put_key("a", 1'000) == "no_space");
  CHECK(session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE) == "NOSPACE 7");
  Session again(session.config, session.recovered());
  again.now = session.now;
  CHECK(again.alarms() == "");
}

TEST_CASE("whether there is room is looked at before what is asked") {
  Session session(with_quota(empty_size() + 3'000));
  CHECK(session.put_key("", 1'000) == "empty_key");
  CHECK(session.put_key("", 3'000) == "no_space");
  CHECK(session.alarms() == "NOSPACE 7");
  CHECK(session.put_key("") == "empty_key");
  CHECK(session.ask(kv::Method::put, Bytes::copy_of("\xff")) == "undecodable");
}

TEST_CASE("of writes that each had room, the one that finds none is applied, told so, and raises the alarm") {
  Session session(with_quota(empty_size() + 3'000));
  session.turn({session.request(1, kv::Method::put, put("a", std::string(1'500, 'v'))),
                session.request(2, kv::Method::put, put("b", std::string(1'500, 'v'))),
                session.request(3, kv::Method::put, put("c", std::string(1'500, 'v')))});
  session.settle();
  CHECK(session.outcome(1) == "ok");
  CHECK(session.outcome(2) == "no_space");
  CHECK(session.outcome(3) == "no_space");
  CHECK(session.replica.status().revision == Revision(4));
  CHECK(session.alarms() == "NOSPACE 7");

  // The log tells all of that again at the next start; what was cleared there stays cleared.
  session.alarm(AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE);
  Session again(session.config, session.recovered());
  CHECK(again.replica.status().revision == Revision(4));
  CHECK(again.alarms() == "");
  CHECK(again.replica.hash() == session.replica.hash());
}

TEST_CASE("what is refused for want of room waits for a leader no longer than its deadline") {
  Driver driver(with_quota(1));
  driver.turn({driver.request(1, kv::Method::put, put("a", "v"), driver.now + Duration::milliseconds(5)),
               driver.request(2, kv::Method::put, put("a", "v"))});
  driver.now = driver.now + Duration::milliseconds(5);
  driver.turn();
  CHECK(driver.error(1) == ErrorCode::deadline_exceeded);
  CHECK_FALSE(driver.error(2).has_value());
  driver.lead();
  CHECK(driver.error(2) == ErrorCode::no_space);
  CHECK(driver.replica.status().is_idle);
}

TEST_CASE("leases take room too, and give it back") {
  Session session;
  const std::uint64_t empty = session.replica.status().size_in_use_bytes;
  CHECK(session.grant(1) == "ok");
  CHECK(session.grant(2) == "ok");
  CHECK(session.replica.status().size_in_use_bytes == empty + 128);
  CHECK(session.revoke(1) == "ok");
  CHECK(session.replica.status().size_in_use_bytes == empty + 64);
  CHECK(session.replica.status().size_bytes == empty + 128);
}

TEST_CASE("a negative quota is none") {
  Session session(with_quota(-1));
  CHECK(session.put_key("a", 1'000'000) == "ok");
  REQUIRE(session.ask(kv::Method::status, Bytes()) == "ok");
  CHECK(session.answer<etcdserverpb::StatusResponse>(session.last)->dbsizequota() == -1);
}

}  // namespace
}  // namespace metastore
