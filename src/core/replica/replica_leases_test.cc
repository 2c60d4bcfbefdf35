#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using etcdserverpb::LeaseKeepAliveResponse;
using etcdserverpb::RangeResponse;
using testing::Driver;
using testing::encoded;
using testing::grant;
using testing::test_config;

constexpr RequestId renewals(1'000'000);

Bytes put(const std::string& key, std::int64_t lease) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_lease(lease);
  return encoded(request);
}

Bytes keep_alive(std::int64_t id) {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(id);
  return encoded(request);
}

Bytes count_all() {
  etcdserverpb::RangeRequest request;
  request.set_key(std::string(1, '\0'));
  request.set_range_end(std::string(1, '\0'));
  request.set_count_only(true);
  return encoded(request);
}

/// A leader that is asked one thing after another.
struct LessorLeader : Driver {
  explicit LessorLeader(const Config& from = test_config()) : Driver(from) { lead(); }

  std::uint64_t ask(kv::Method method, Bytes message) {
    turn({request(++last, method, std::move(message))});
    settle();
    return last;
  }
  std::int64_t keys() { return answer<RangeResponse>(ask(kv::Method::range, count_all()))->count(); }
  /// The times to live that the stream was told since the last call.
  std::vector<std::int64_t> told() {
    std::vector<std::int64_t> seconds;
    for (const auto& response : received<LeaseKeepAliveResponse>(renewals)) seconds.push_back(response.ttl());
    return seconds;
  }
  void advance(Duration duration) {
    now = now + duration;
    settle();
  }

  std::uint64_t last = 0;
};

using Told = std::vector<std::int64_t>;

TEST_CASE("a lease that nobody keeps alive takes its keys along, and one that is kept stays") {
  LessorLeader leader;
  leader.ask(kv::Method::lease_grant, grant(7, 5));
  leader.ask(kv::Method::lease_grant, grant(8, 5));
  leader.ask(kv::Method::put, put("gone", 7));
  leader.ask(kv::Method::put, put("kept", 8));
  leader.turn({StreamOpened{renewals, kv::Method::lease_keep_alive}});
  for (int second = 0; second < 20; ++second) {
    CHECK(leader.keys() == (second < 5 ? 2 : 1));
    leader.turn({StreamRequest{renewals, keep_alive(8)}, StreamRequest{renewals, keep_alive(99)}});
    leader.settle();
    CHECK(leader.told() == Told{5, 0});
    leader.advance(Duration::seconds(1));
  }
}

TEST_CASE("a member that nobody asks anything wakes up for the lease that ends next") {
  LessorLeader leader;
  leader.ask(kv::Method::lease_grant, grant(7, 5));
  leader.ask(kv::Method::put, put("gone", 7));
  const Instant granted = leader.now;
  for (int step = 0; step < 100 && leader.now < granted + Duration::seconds(5); ++step) {
    REQUIRE(leader.wake_at <= granted + Duration::seconds(5));
    leader.now = leader.wake_at;
    leader.settle();
  }
  CHECK(leader.keys() == 0);
}

TEST_CASE("a keep-alive of a lease that is being revoked is told so once it is, and in its turn") {
  LessorLeader leader;
  leader.ask(kv::Method::lease_grant, grant(7, 5));
  leader.ask(kv::Method::lease_grant, grant(8, 50));
  leader.turn({StreamOpened{renewals, kv::Method::lease_keep_alive}});
  leader.now = leader.now + Duration::seconds(5);
  // The revocation is proposed and not yet durable; leadership can be confirmed meanwhile.
  leader.turn();
  leader.turn(
      {StreamRequest{renewals, keep_alive(7)}, StreamRequest{renewals, keep_alive(8)}, StreamRequestsEnded{renewals}});
  leader.turn();
  CHECK(leader.told().empty());
  leader.settle();
  CHECK(leader.told() == Told{0, 50});
  CHECK(leader.stream_ends == std::vector<StreamEnd>{{renewals, std::nullopt}});
}

TEST_CASE("without a leader keep-alives wait for one, and time out with their stream") {
  Driver driver;
  driver.turn({StreamOpened{renewals, kv::Method::lease_keep_alive}, StreamRequest{renewals, keep_alive(7)},
               StreamRequest{renewals, keep_alive(8)}});
  driver.now = driver.now + driver.config.request_timeout();
  driver.turn();
  CHECK(driver.stream_ends == std::vector<StreamEnd>{{renewals, ErrorCode::timeout}});
  CHECK(driver.replies.empty());
  CHECK(driver.replica.status().is_idle);
}

TEST_CASE("ids that we pick are positive and never the same") {
  LessorLeader leader;
  std::set<std::int64_t> ids;
  for (int i = 0; i < 100; ++i) {
    const auto response =
        leader.answer<etcdserverpb::LeaseGrantResponse>(leader.ask(kv::Method::lease_grant, grant(0, 10)));
    REQUIRE(response.has_value());
    CHECK(response->id() > 0);
    CHECK(ids.insert(response->id()).second);
  }
}

TEST_CASE("a time to live that is too short is raised by whoever proposes it, and by nobody who applies it") {
  LessorLeader leader;
  CHECK(leader.answer<etcdserverpb::LeaseGrantResponse>(leader.ask(kv::Method::lease_grant, grant(7, 1)))->ttl() == 2);
  CHECK(leader.answer<etcdserverpb::LeaseGrantResponse>(leader.ask(kv::Method::lease_grant, grant(0, -5)))->ttl() == 2);
  CHECK(leader.answer<etcdserverpb::LeaseGrantResponse>(leader.ask(kv::Method::lease_grant, grant(8, 3)))->ttl() == 3);
  Config slower = test_config();
  slower.election_timeout = Duration::seconds(10);
  Driver other(slower, leader.recovered());
  other.now = other.now + Duration::seconds(20);
  other.settle();
  REQUIRE(other.replica.status().applied_index >= leader.replica.status().applied_index);
  CHECK(other.replica.hash() == leader.replica.hash());
}

TEST_CASE("a restart begins every lease anew, and forgets none") {
  LessorLeader before;
  before.ask(kv::Method::lease_grant, grant(7, 5));
  before.ask(kv::Method::put, put("k", 7));
  Driver after(test_config(), before.recovered());
  after.lead();
  after.now = after.now + Duration::milliseconds(5'900);
  after.settle();
  CHECK(after.replica.status().revision == Revision(2));
  after.now = after.now + Duration::milliseconds(200);
  after.settle();
  CHECK(after.replica.status().revision == Revision(3));
}

TEST_CASE("of a million leases 100,000 end in one second and are revoked in time, a bounded number a step") {
  constexpr std::int64_t leases = 1'000'000;
  constexpr std::int64_t ending = 100'000;
  LessorLeader leader;
  leader.checks_invariants = false;
  std::vector<Event> events;
  std::uint64_t id = leader.last;
  for (std::int64_t lease = 1; lease <= leases; ++lease) {
    events.push_back(leader.request(++id, kv::Method::lease_grant, grant(lease, lease <= ending ? 5 : 1'000'000)));
    if (lease <= ending) {
      events.push_back(leader.request(++id, kv::Method::put, put("k" + std::to_string(lease), lease)));
    }
    if (events.size() < 1'000) continue;
    leader.turn(std::exchange(events, {}));
    leader.settle();
    leader.replies.clear();
    if (lease <= ending) leader.now = leader.now + Duration::milliseconds(5);
  }
  leader.last = id;
  leader.replica.check_invariants();
  CHECK(leader.keys() == ending);
  const std::size_t writes = leader.log.size();
  leader.advance(Duration::seconds(6));
  CHECK(leader.keys() == 0);
  std::size_t revoked = 0;
  for (std::size_t i = writes; i < leader.log.size(); ++i) {
    CHECK(leader.log[i].append.size() <= leader.config.limits.lease_expiries_a_step);
    revoked += leader.log[i].append.size();
  }
  CHECK(revoked == ending);
  leader.replica.check_invariants();
  CHECK(
      leader.answer<etcdserverpb::LeaseLeasesResponse>(leader.ask(kv::Method::lease_leases, Bytes()))->leases_size() ==
      leases - ending);
}

}  // namespace
}  // namespace metastore
