// Tests of the tester: the oracle of retention is fed what it must accept, and what it must see.
#include "sim/checkers/retention.h"

#include <doctest/doctest.h>

namespace metastore::sim {
namespace {

Instant at(std::int64_t seconds) { return Instant() + Duration::seconds(seconds); }

/// Revision 2 is written at second 2, and so on up to 9; somebody compacts by itself.
bool is_seen(std::int64_t revision, std::int64_t seconds, const RetentionTerms& terms) {
  History history;
  for (std::int64_t second = 2; second <= 9; ++second) {
    Operation& put = history.begin(1, 1, Put{.key = "k", .value = "v"}, at(second));
    history.end_done(put, {second, PutReply{}}, at(second));
  }
  history.began_unasked_compaction(revision, at(seconds));
  return check_retention(history, terms).has_value();
}

TEST_CASE("what was the newest within the period is kept, by the fastest clock") {
  const RetentionTerms terms = {.period = Duration::seconds(3)};
  CHECK_FALSE(is_seen(5, 8, terms));
  CHECK(is_seen(6, 8, terms));
  CHECK_FALSE(is_seen(6, 8, {.period = Duration::seconds(3), .clock_pace_ppm = 400'000}));
}

TEST_CASE("the newest so many revisions are kept") {
  const RetentionTerms terms = {.revisions = 4};
  CHECK_FALSE(is_seen(4, 8, terms));
  CHECK(is_seen(5, 8, terms));
  CHECK_FALSE(is_seen(5, 9, terms));
}

}  // namespace
}  // namespace metastore::sim
