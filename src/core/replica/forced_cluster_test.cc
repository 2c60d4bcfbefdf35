#include "core/replica/forced_cluster.h"

#include <doctest/doctest.h>

#include "core/replica/driver_test.h"

namespace metastore::testing {
namespace {

/// Members 7, 8 and 9, with an entry that is known to be committed and one that is not.
Recovered one_of_three() {
  Recovered recovered;
  recovered.log.entries = bootstrap_entries({{.id = MemberId(7), .name = "m1", .peer_urls = {"http://p7"}},
                                             {.id = MemberId(8), .name = "m2", .peer_urls = {"http://p8"}},
                                             {.id = MemberId(9), .name = "m3", .peer_urls = {"http://p9"}}});
  const Bytes command = kv::encode_command(std::uint64_t{1} << 63, kv::Method::put, put("a", "0").view());
  recovered.log.entries.push_back({Term(2), LogIndex(4), raft::EntryType::normal, Bytes()});
  recovered.log.entries.push_back({Term(2), LogIndex(5), raft::EntryType::normal, command});
  recovered.log.hard_state = {Term(3), MemberId(8), LogIndex(4)};
  return recovered;
}

TEST_CASE("one of three goes on alone with all that it has, and the others never come back") {
  Recovered recovered = one_of_three();
  const auto write = force_new_cluster(recovered, MemberId(7));
  REQUIRE(write.has_value());
  REQUIRE(write->append.size() == 2);
  CHECK(write->append.front().index == LogIndex(6));
  CHECK(write->append.front().term == Term(3));
  CHECK(write->hard_state == raft::HardState{Term(3), MemberId(8), LogIndex(7)});

  CHECK_FALSE(force_new_cluster(recovered, MemberId(7)).has_value());
  Driver driver(test_config(), std::move(recovered));
  driver.lead();
  CHECK(driver.replica.members().all().size() == 1);
  CHECK(driver.replica.members().removed() == std::set<MemberId>{MemberId(8), MemberId(9)});
  CHECK(driver.replica.status().revision == Revision(2));
  driver.turn({driver.request(1, kv::Method::put, put("a", "1"))});
  driver.settle();
  CHECK(driver.answer<etcdserverpb::PutResponse>(1).has_value());
}

TEST_CASE("a learner becomes a voter before the others go") {
  Recovered recovered = one_of_three();
  const MembershipChange demoted{MembershipChange::Kind::add_learner, {.id = MemberId(7), .peer_urls = {"http://p7"}}};
  recovered.log.entries[3] = {Term(2), LogIndex(4), raft::EntryType::conf_change, encode(demoted, 0)};
  REQUIRE(force_new_cluster(recovered, MemberId(7)).has_value());
  Driver driver(test_config(), std::move(recovered));
  driver.lead();
  CHECK_FALSE(driver.replica.status().is_learner);
}

}  // namespace
}  // namespace metastore::testing
