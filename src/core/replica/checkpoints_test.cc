#include "core/replica/checkpoints.h"

#include <doctest/doctest.h>

#include <string>

#include "core/base/prng.h"
#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using testing::Driver;
using testing::encoded;
using testing::put;
using testing::test_config;

const std::string number_key(NumberKey(1).view());
const std::string revision_key(NumberKey(mvcc::RevisionPair{Revision(2), 0}).view());

std::string text(const Status<std::string>& status) { return status ? "" : status.error(); }

TEST_CASE("an image refuses rows that no checkpoint holds, and names them") {
  const auto taken = [](Table table, std::string key, std::string value) {
    Image image;
    return text(image.take(table, key, value));
  };
  CHECK(taken(Table::state, "nonsense", "") ==
        "the row 6e6f6e73656e7365 of table state is a fact that this version does not know");
  CHECK(taken(Table::state, std::string(row_keys::applied), "") ==
        "the row 6170706c696564 of table state cannot be read");
  CHECK(taken(Table::records, "k", "v") == "the row 6b of table records cannot be read");
  CHECK(taken(Table::records, revision_key, std::string("\0junk", 5)) ==
        "the row 00000000000000020000000000000000 of table records is no such record");
  CHECK(taken(Table::leases, "k", "\2") == "the row 6b of table leases cannot be read");
  CHECK(taken(Table::members, number_key, "\1\1") == "the row 0000000000000001 of table members cannot be read");
  CHECK(taken(Table::alarms, "k", "") == "the row 6b of table alarms cannot be read");
  CHECK(taken(Table::alarms, std::string(NumberKey(kv::Alarm{kv::AlarmType::none, MemberId(7)}).view()), "") ==
        "the row 00000000000000000000000000000007 of table alarms is an alarm that this version does not know");
  CHECK(taken(static_cast<Table>(9), "k", "v") ==
        "the row 6b of table 9 belongs to a table that this version does not know");
  Image twice;
  CHECK(twice.take(Table::leases, number_key, "\2").ok());
  CHECK(!twice.take(Table::leases, number_key, "\2").ok());
}

TEST_CASE("a replica that starts from a checkpoint and the log behind it is the replica that stopped") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Prng prng(seed, "checkpoints");
    Config config = test_config();
    config.limits.mark_entries = 1 + prng.below(20);
    config.limits.log_entries_kept = prng.below(10);
    config.limits.checkpoint_bytes = 1 + prng.below(2'000);
    config.checkpoint_interval = Duration::milliseconds(1 + static_cast<std::int64_t>(prng.below(50)));
    Driver driver(config);
    driver.lead();
    std::uint64_t last = 0;
    for (int step = 0; step < 150; ++step) {
      const std::string key(1, static_cast<char>('a' + prng.below(6)));
      std::vector<Event> events;
      switch (prng.below(8)) {
        case 0: {
          etcdserverpb::CompactionRequest request;
          request.set_revision(prng.between(std::int64_t{1}, driver.replica.status().revision.value()));
          events.push_back(driver.request(++last, kv::Method::compact, encoded(request)));
          break;
        }
        case 1: {
          etcdserverpb::DeleteRangeRequest request;
          request.set_key(key);
          request.set_range_end("d");
          events.push_back(driver.request(++last, kv::Method::delete_range, encoded(request)));
          break;
        }
        case 2: {
          etcdserverpb::LeaseGrantRequest request;
          request.set_id(prng.between(std::int64_t{1}, std::int64_t{3}));
          request.set_ttl(2);
          events.push_back(driver.request(++last, kv::Method::lease_grant, encoded(request)));
          break;
        }
        default: {
          etcdserverpb::PutRequest request;
          request.set_key(key);
          request.set_value(std::string(prng.below(40), 'v'));
          if (prng.chance(1, 3)) request.set_lease(prng.between(std::int64_t{1}, std::int64_t{3}));
          events.push_back(driver.request(++last, kv::Method::put, encoded(request)));
        }
      }
      driver.now = driver.now + Duration::milliseconds(static_cast<std::int64_t>(prng.below(40)));
      // Now and then the disk and the engine are behind.
      driver.turn(std::move(events));
      if (prng.chance(1, 2)) driver.settle();
      if (!prng.chance(1, 15)) continue;
      driver.settle();
      Driver again(config, driver.recovered_with_image());
      again.rows = driver.rows;
      again.lead();
      REQUIRE(again.replica.status().revision >= driver.replica.status().revision);
      // The new leader's own entry changes nothing; leases have begun anew, so none has ended since.
      CHECK(again.replica.hash() == driver.replica.hash());
      CHECK(again.replica.status().size_in_use_bytes == driver.replica.status().size_in_use_bytes);
      CHECK(again.replica.members().all() == driver.replica.members().all());
      CHECK(again.replica.status().cluster_version == driver.replica.status().cluster_version);
    }
    std::size_t marks = 0;
    for (const raft::LogWrite& write : driver.log) marks += write.mark.has_value() ? 1 : 0;
    CHECK(marks > 0);
    CHECK(!driver.rows.empty());
  }
}

TEST_CASE("a member that falls silent wakes for the checkpoint of what it did last") {
  Driver driver;
  driver.lead();
  driver.now = driver.now + Duration::seconds(1);
  driver.turn({driver.request(1, kv::Method::put, put("a", "1"))});
  driver.settle();
  // Too soon after the last one.
  driver.turn({driver.request(2, kv::Method::put, put("b", "2"))});
  driver.settle();
  CHECK(driver.wake_at <= driver.now + driver.config.checkpoint_interval);
  driver.now = driver.wake_at;
  driver.turn();
  CHECK(driver.checkpoint.has_value());
}

TEST_CASE("while the engine is behind, what waits for it is bounded") {
  Config config = test_config();
  config.limits.checkpoint_waiting_bytes_max = 1'000;
  Driver driver(config);
  driver.lead();
  std::uint64_t id = 0;
  for (int i = 0; i < 100; ++i) {
    driver.now = driver.now + Duration::seconds(1);
    driver.turn({driver.request(++id, kv::Method::put, put("k" + std::to_string(i), std::string(50, 'v')))});
    driver.turn({LogWritten{driver.log.back().id}});
  }
  CHECK(driver.error(id) == ErrorCode::too_many_requests);
  CHECK(driver.replica.status().revision < Revision(40));
  driver.written = driver.log.size();
  driver.settle();
  driver.turn({driver.request(++id, kv::Method::put, put("k", "v"))});
  driver.settle();
  CHECK(!driver.error(id).has_value());
}

}  // namespace
}  // namespace metastore
