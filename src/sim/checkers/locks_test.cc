// Tests of the tester: the oracle of locks is fed what it must accept, and each lie that it must see.
#include "sim/checkers/locks.h"

#include <doctest/doctest.h>

#include <string>

namespace metastore::sim {
namespace {

/// lock/a at 2, lock/b at 3, lock/a written again at 4 and deleted at 5, lock/c at 6; lock/b goes with its lease at 7.
Model truth() {
  Model model;
  model.apply(Put{"lock/a", "1"});
  model.apply(Put{.key = "lock/b", .value = "1", .lease = 7});
  model.apply(Put{"lock/a", "2"});
  model.apply(Delete{{"lock/a", ""}});
  model.apply(Put{"lock/c", "1"});
  model.end_lease(7);
  return model;
}

Claim claim(std::uint64_t client, const std::string& key, std::int64_t create_revision, std::int64_t revision) {
  return {client, "lock/", key, create_revision, revision, Instant() + Duration::seconds(revision)};
}

std::string verdict(const std::vector<Claim>& claims) {
  LockCounts counts;
  const auto violation = check_locks(claims, truth(), counts);
  return violation ? violation->message : "";
}

TEST_CASE("who holds a lock until his key goes, and the next one from then on, are accepted") {
  LockCounts counts;
  const std::vector<Claim> claims = {claim(1, "lock/a", 2, 2), claim(1, "lock/a", 2, 4), claim(2, "lock/b", 3, 5),
                                     claim(3, "lock/c", 6, 7)};
  CHECK_FALSE(check_locks(claims, truth(), counts));
  CHECK(counts.claims == 4);
  CHECK(counts.successions == 2);
  // Whoever answers late may be heard late.
  CHECK(verdict({claim(2, "lock/b", 3, 5), claim(1, "lock/a", 2, 4)}) == "");
}

TEST_CASE("two locks are two") {
  Claim other = claim(2, "lock/b", 3, 3);
  other.prefix = "another/";
  CHECK(verdict({claim(1, "lock/a", 2, 2), other}) == "");
}

TEST_CASE("nobody else holds a lock before its holder's key has gone") {
  CHECK(verdict({claim(1, "lock/a", 2, 2), claim(2, "lock/b", 3, 4)}) ==
        "client 2 was told at revision 4 that it holds lock/ by lock/b, but client 1 was told at revision 2 that it "
        "holds "
        "lock/ by lock/a, and still did");
  CHECK(verdict({claim(2, "lock/b", 3, 5), claim(3, "lock/c", 6, 6)}) != "");
}

TEST_CASE("nobody holds a lock whose own key has gone, or is another one by the same name") {
  CHECK(verdict({claim(1, "lock/a", 2, 5)}) ==
        "client 1 was told at revision 5 that it holds lock/ by lock/a, but that key was gone");
  CHECK(verdict({claim(2, "lock/b", 3, 7)}) != "");
  CHECK(verdict({claim(2, "lock/b", 2, 5)}) != "");
  CHECK(verdict({claim(4, "lock/d", 2, 5)}) != "");
}

}  // namespace
}  // namespace metastore::sim
