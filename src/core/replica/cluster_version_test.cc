#include "core/replica/cluster_version.h"

#include <doctest/doctest.h>

#include "core/replica/cluster_driver_test.h"

namespace metastore {
namespace {

using testing::Cluster;
using testing::test_config;

/// Member 1 is who asks.
std::optional<std::string> version_with(const std::string& own, std::initializer_list<std::string> others) {
  Members members;
  members.restore({.id = MemberId(1)});
  std::uint64_t n = 1;
  for (const std::string& version : others) members.restore({.id = MemberId(++n), .version = version});
  return version_of_all(members, MemberId(1), own);
}

TEST_CASE("a cluster speaks the smallest version of its members, whose patch level says nothing") {
  CHECK(version_with("3.7.1", {}) == "3.7.0");
  CHECK(version_with("3.7.1", {"3.7.0", "3.8.0-alpha.0"}) == "3.7.0");
  CHECK(version_with("3.7.1", {"3.10.2", "3.6.12"}) == "3.6.0");
  CHECK(version_with("3.10.0", {"4.0", "3.9.9"}) == "3.9.0");
  CHECK(version_with("3.7.1", {"3.7.1", ""}) == std::nullopt);
  for (const char* damaged : {"3", "3.", "x", ".7", "3x7", "3.7x", "-3.7.1", "99999999999.1"}) {
    CHECK(version_with("3.7.1", {damaged}) == std::nullopt);
  }
}

TEST_CASE("a version is newer by its numbers, and than none") {
  CHECK(is_newer("3.0.0", ""));
  CHECK(is_newer("3.10.0", "3.9.0"));
  CHECK(is_newer("4.0.0", "3.9.0"));
  CHECK_FALSE(is_newer("3.7.0", "3.7.0"));
  CHECK_FALSE(is_newer("3.6.0", "3.7.0"));
}

std::string version_at(Cluster& cluster, std::uint64_t n) { return cluster.at(n).replica.status().cluster_version; }

bool all_say(Cluster& cluster, const std::string& version, Duration most = Duration::seconds(20)) {
  return cluster.run_until(
      [&] {
        const std::vector<std::uint64_t> up = cluster.up();
        return std::all_of(up.begin(), up.end(), [&](std::uint64_t n) { return version_at(cluster, n) == version; });
      },
      most);
}

TEST_CASE("the version of a cluster rises when its last member has been replaced by a newer one, and never falls") {
  Config config = test_config();
  config.version = "3.6.4";
  Cluster cluster(3, config);
  cluster.begin();
  REQUIRE(all_say(cluster, "3.6.0"));
  for (const std::uint64_t n : {1, 2, 3}) {
    CHECK(version_at(cluster, n) == "3.6.0");
    cluster.crash(n);
    cluster.config(n).version = "3.7.1";
    cluster.restart(n);
    cluster.begin();
    cluster.run(Duration::seconds(3));
  }
  REQUIRE(all_say(cluster, "3.7.0"));
  cluster.crash(2);
  cluster.config(2).version = "3.6.4";
  cluster.restart(2);
  cluster.begin();
  cluster.run(Duration::seconds(3));
  CHECK(cluster.at(1).replica.members().find(MemberId(2))->version == "3.6.4");
  CHECK(all_say(cluster, "3.7.0", Duration::seconds(0)));
}

TEST_CASE("as long as a member has never come the version is the oldest, and rises when it comes") {
  Cluster cluster(3);
  cluster.crash(3);
  cluster.begin();
  CHECK(version_at(cluster, 1).empty());
  REQUIRE(all_say(cluster, "3.0.0", Duration::seconds(2)));
  // They come back, and one of them leads who had decided nothing yet.
  cluster.crash(cluster.leader());
  for (const std::uint64_t n : {1, 2, 3}) {
    if (!cluster.is_up(n)) cluster.restart(n);
  }
  REQUIRE(all_say(cluster, "3.7.0"));
}

}  // namespace
}  // namespace metastore
