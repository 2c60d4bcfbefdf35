#include "core/replica/auto_compaction.h"

#include <doctest/doctest.h>

#include <vector>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

constexpr Instant start = Instant::from_nanoseconds(1'000);
constexpr bool leads = true;

/// What is compacted, and how many looks it took, while the revision rises by one a look.
struct Compacted {
  int look;
  std::int64_t revision;
  bool operator==(const Compacted&) const = default;
};

std::vector<Compacted> run(const Retention& retention, int looks) {
  AutoCompaction compaction(retention, Limits(), start);
  std::vector<Compacted> done;
  for (int look = 0; look < looks; ++look) {
    const Instant at = compaction.wake_at();
    REQUIRE(at != Instant::never());
    CHECK(!compaction.due(at - Duration::nanoseconds(1), Revision(1), leads).has_value());
    if (const auto revision = compaction.due(at, Revision(100 + look), leads))
      done.push_back({look, revision->value()});
  }
  return done;
}

TEST_CASE("without a retention nothing is compacted, and nobody is woken") {
  CHECK(AutoCompaction({}, Limits(), start).wake_at() == Instant::never());
}

TEST_CASE("by time, what is compacted is the revision of a period ago, once a period") {
  // A tenth of the period passes between two looks.
  CHECK(run({.period = Duration::seconds(60)}, 31) == std::vector<Compacted>{{10, 100}, {20, 110}, {30, 120}});
}

TEST_CASE("by a longer time, the first comes after all of it, and then one each hour") {
  // An hour has ten looks.
  CHECK(run({.period = Duration::seconds(3 * 3'600)}, 51) == std::vector<Compacted>{{30, 100}, {40, 110}, {50, 120}});
}

TEST_CASE("by revisions, so many stay") {
  CHECK(run({.revisions = 101}, 4) == std::vector<Compacted>{{2, 1}, {3, 2}});
  AutoCompaction compaction({.revisions = 10}, Limits(), start);
  CHECK(compaction.wake_at() == start + Duration::seconds(300));
  CHECK(compaction.due(compaction.wake_at(), Revision(50), leads) == Revision(40));
  CHECK(!compaction.due(compaction.wake_at(), Revision(50), leads).has_value());
  CHECK(compaction.due(compaction.wake_at(), Revision(51), leads) == Revision(41));
}

TEST_CASE("who does not lead remembers revisions and compacts nothing") {
  AutoCompaction compaction({.period = Duration::seconds(10)}, Limits(), start);
  for (int look = 0; look < 40; ++look) {
    CHECK(!compaction.due(compaction.wake_at(), Revision(100 + look), !leads).has_value());
  }
  CHECK(compaction.due(compaction.wake_at(), Revision(140), leads) == Revision(130));
}

TEST_CASE("a replica that is told to keep a minute of history compacts the rest by itself") {
  Config config = testing::test_config();
  config.retention.period = Duration::seconds(60);
  testing::Driver driver(config);
  driver.lead();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    driver.turn({driver.request(i, kv::Method::put, testing::put("a", "1"))});
    driver.settle();
  }
  const Instant end = driver.now + Duration::seconds(130);
  while (driver.now < end) {
    driver.now = std::max(driver.wake_at, driver.now + Duration::milliseconds(1));
    driver.settle();
  }
  CHECK(driver.replica.metrics().compact_revision == Revision(4));
  CHECK(driver.replica.metrics().records_compacted == 2);
  CHECK(driver.replica.metrics().counts.proposals_failed == 0);
}

}  // namespace
}  // namespace metastore
