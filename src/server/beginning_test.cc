#include "server/beginning.h"

#include <doctest/doctest.h>

#include "core/replica/member_id.h"

namespace metastore::server {
namespace {

const std::string url_1 = "http://127.0.0.1:1";
const std::string url_2 = "http://127.0.0.1:2";

Configuration configuration(bool is_new) {
  Configuration made;
  made.name = "m1";
  made.advertise_peer_urls = {url_1};
  made.initial_cluster = {{"m1", {url_1}}, {"m2", {url_2}}};
  made.cluster_token = "t";
  made.starts_new_cluster = is_new;
  return made;
}

ClusterId founded() { return cluster_id({member_id({url_1}, "t"), member_id({url_2}, "t")}); }

/// Told by the second member; the first is known by `data_id`.
net::Roster roster(MemberId first, std::uint64_t data_id, ClusterId cluster = founded()) {
  Peer self{.id = first, .urls = {url_1}};
  self.data_id = data_id;
  return {{.member = MemberId(22), .cluster = cluster, .data_id = 5, .incarnation = 1},
          {self, {.id = MemberId(22), .urls = {url_2}}}};
}

bool complains(const Result<Beginning, std::string>& beginning, const char* sentence) {
  return !beginning.ok() && beginning.error().find(sentence) != std::string::npos;
}

TEST_CASE("a new cluster is made of the flags if nobody knows better") {
  const MemberId self = member_id({url_1}, "t");
  for (const std::optional<net::Roster>& told : {std::optional<net::Roster>(), std::optional(roster(self, 0))}) {
    const auto beginning = begin(configuration(true), false, told);
    REQUIRE(beginning.ok());
    REQUIRE(beginning.value().new_cluster.has_value());
    CHECK(beginning.value().new_cluster->self == self);
    CHECK(beginning.value().new_cluster->cluster == founded());
    CHECK(beginning.value().new_cluster->members.size() == 2);
  }
}

TEST_CASE("a newcomer takes its id and the cluster's from those who are there, and knows them") {
  const auto beginning = begin(configuration(false), false, roster(MemberId(11), 0, ClusterId(9)));
  REQUIRE(beginning.ok());
  REQUIRE(beginning.value().new_cluster.has_value());
  CHECK(beginning.value().new_cluster->self == MemberId(11));
  CHECK(beginning.value().new_cluster->cluster == ClusterId(9));
  CHECK(beginning.value().new_cluster->members.empty());
  CHECK(beginning.value().acquaintances.size() == 2);
}

TEST_CASE("who has data needs nobody") {
  const auto alone = begin(configuration(false), true, std::nullopt);
  REQUIRE(alone.ok());
  CHECK_FALSE(alone.value().new_cluster.has_value());
  CHECK(begin(configuration(true), true, std::nullopt).value().new_cluster.has_value());
  CHECK(begin(configuration(true), true, roster(MemberId(11), 7)).value().acquaintances.size() == 2);
}

TEST_CASE("each mistake ends in a sentence that says what to change") {
  const MemberId self = member_id({url_1}, "t");
  Configuration lonely = configuration(false);
  lonely.initial_cluster.pop_back();
  CHECK(complains(begin(lonely, false, std::nullopt), "--initial-cluster names no other member"));
  CHECK(complains(begin(configuration(false), false, std::nullopt),
                  "no member of --initial-cluster answers at http://127.0.0.1:2"));
  Configuration elsewhere = configuration(false);
  elsewhere.advertise_peer_urls = {"http://127.0.0.1:3"};
  CHECK(complains(begin(elsewhere, false, roster(self, 0)), "no member with the peer URLs http://127.0.0.1:3"));
  CHECK(complains(begin(configuration(false), false, roster(self, 7)), "has run before, on another data directory"));
  CHECK(complains(begin(configuration(true), false, roster(self, 7)), "has run before, on another data directory"));
  CHECK(
      complains(begin(configuration(true), false, roster(MemberId(11), 0)), "was removed from this cluster for good"));
  CHECK(complains(begin(configuration(true), false, roster(self, 0, ClusterId(9))), "--initial-cluster-token"));
}

TEST_CASE("a newcomer asks patiently until somebody knows it, others only once") {
  CHECK(inquiry(configuration(false), false)->wanted == std::vector<std::string>{url_1});
  CHECK(inquiry(configuration(false), false)->asks_again);
  CHECK(inquiry(configuration(true), false)->urls == std::vector<std::string>{url_2});
  CHECK_FALSE(inquiry(configuration(true), false)->asks_again);
  CHECK_FALSE(inquiry(configuration(false), true)->asks_again);
  Configuration lonely = configuration(true);
  lonely.initial_cluster.pop_back();
  CHECK_FALSE(inquiry(lonely, false).has_value());
}

}  // namespace
}  // namespace metastore::server
