// The expected ids were read off Debian's etcd 3.4.23, started with these peer URLs and tokens.
#include "core/replica/member_id.h"

#include <doctest/doctest.h>

#include "core/raft/types.h"

namespace metastore {
namespace {

TEST_CASE("a member that keeps etcd's defaults has etcd's ids") {
  const MemberId member = member_id({"http://localhost:2380"}, "etcd-cluster");
  CHECK(raft::describe(member) == "8e9e05c52164694d");
  CHECK(raft::describe(MemberId(cluster_id({member}).value())) == "cdf818194e3a8c32");
}

TEST_CASE("the token goes into the ids") {
  const MemberId member = member_id({"http://127.0.0.1:23800"}, "tok-a");
  CHECK(member.value() == 1307950081372259022u);
  CHECK(cluster_id({member}).value() == 5559593558745967984u);
}

TEST_CASE("the order of a member's URLs does not matter") {
  const MemberId member = member_id({"http://127.0.0.1:23803", "http://127.0.0.1:23802"}, "x y");
  CHECK(member.value() == 18130802705388461705u);
  CHECK(member == member_id({"http://127.0.0.1:23802", "http://127.0.0.1:23803"}, "x y"));
  CHECK(cluster_id({member}).value() == 18057506117745073942u);
}

TEST_CASE("a cluster of three has etcd's ids") {
  std::vector<MemberId> members;
  for (const char* url : {"http://127.0.0.1:31380", "http://127.0.0.1:32380", "http://127.0.0.1:33380"}) {
    members.push_back(member_id({url}, "tok3"));
  }
  CHECK(raft::describe(members[0]) == "df936d5f6dcca8b5");
  CHECK(raft::describe(MemberId(cluster_id(members).value())) == "ca4bf34cb6ee94db");
}

TEST_CASE("the order of the members does not matter to the cluster's id") {
  CHECK(cluster_id({MemberId(1), MemberId(2)}) == cluster_id({MemberId(2), MemberId(1)}));
  CHECK(cluster_id({MemberId(1), MemberId(2)}) != cluster_id({MemberId(1), MemberId(3)}));
}

}  // namespace
}  // namespace metastore
