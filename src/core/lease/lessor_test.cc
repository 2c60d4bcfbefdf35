#include "core/lease/lessor.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/prng.h"

namespace metastore::lease {
namespace {

constexpr Instant start = Instant::from_nanoseconds(1'000'000'000);

Instant after(std::int64_t milliseconds) { return start + Duration::milliseconds(milliseconds); }

TEST_CASE("time to live is counted by the primary alone, rounded down") {
  Lessor lessor;
  REQUIRE(lessor.grant(LeaseId(1), 10, start).value() == 10);
  CHECK(lessor.next_deadline() == Instant::never());
  lessor.promote(start, Duration::seconds(1));
  CHECK(lessor.next_deadline() == after(11'000));
  REQUIRE(lessor.grant(LeaseId(2), 2, start).value() == 2);
  CHECK(lessor.next_deadline() == after(2'000));
  CHECK(lessor.time_to_live(LeaseId(2), after(1))->remaining_seconds == 1);
  CHECK(lessor.time_to_live(LeaseId(2), after(2'001))->remaining_seconds == -1);
  CHECK(lessor.time_to_live(LeaseId(1), after(0))->remaining_seconds == 11);
  CHECK(lessor.time_to_live(LeaseId(1), after(0))->granted_seconds == 10);
  CHECK(!lessor.time_to_live(LeaseId(3), start).has_value());
  lessor.demote();
  CHECK(lessor.next_deadline() == Instant::never());
}

TEST_CASE("what has expired is handed out once, the earliest first, and not renewed any more") {
  Lessor lessor;
  lessor.promote(start, Duration());
  for (std::int64_t id = 1; id <= 5; ++id) REQUIRE(lessor.grant(LeaseId(id), 10 - id, start).ok());
  CHECK(lessor.renew(LeaseId(5), after(4'000)) == 5);
  CHECK(lessor.take_expired(after(5'999), 9).empty());
  CHECK(lessor.take_expired(after(8'500), 2) == std::vector<LeaseId>{LeaseId(4), LeaseId(3)});
  CHECK(lessor.take_expired(after(8'500), 2) == std::vector<LeaseId>{LeaseId(2)});
  CHECK(!lessor.renew(LeaseId(4), after(8'600)).has_value());
  CHECK(lessor.is_expiring(LeaseId(4)));
  CHECK(!lessor.is_expiring(LeaseId(5)));
  CHECK(lessor.revoke(LeaseId(4)).ok());
  CHECK(!lessor.renew(LeaseId(4), after(8'600)).has_value());
  // A new term begins anew, also for those whose revocation may have been lost.
  lessor.promote(after(8'700), Duration());
  CHECK(lessor.renew(LeaseId(3), after(8'800)) == 7);
  lessor.check_invariants();
}

TEST_CASE("the hash follows from the leases, whatever the way to them") {
  Lessor one;
  Lessor other;
  const std::uint64_t empty = one.hash();
  REQUIRE(one.grant(LeaseId(1), 5, start).ok());
  REQUIRE(one.grant(LeaseId(2), 6, start).ok());
  REQUIRE(other.grant(LeaseId(2), 6, after(7)).ok());
  CHECK(one.hash() != other.hash());
  REQUIRE(other.grant(LeaseId(1), 5, after(9)).ok());
  CHECK(one.hash() == other.hash());
  REQUIRE(one.revoke(LeaseId(1)).ok());
  REQUIRE(one.revoke(LeaseId(2)).ok());
  CHECK(one.hash() == empty);
}

TEST_CASE("what remains of a lease that nobody renews is noted, and whoever counts down next goes by it") {
  Lessor lessor;
  lessor.set_note_interval(Duration::seconds(60));
  REQUIRE(lessor.grant(LeaseId(1), 600, start).ok());
  lessor.promote(start, Duration::seconds(1));
  REQUIRE(lessor.grant(LeaseId(2), 60, start).ok());
  REQUIRE(lessor.grant(LeaseId(3), 100, start).ok());
  CHECK(lessor.wake_at() == after(60'000));
  CHECK(lessor.take_notes(after(59'999), 9).empty());
  CHECK(lessor.renew(LeaseId(3), after(30'000)) == 100);
  CHECK(lessor.take_expired(after(60'000), 9) == std::vector<LeaseId>{LeaseId(2)});
  CHECK(lessor.wake_at() == after(61'000));
  const std::vector<Remaining> due = lessor.take_notes(after(61'500), 9);
  CHECK(due == std::vector<Remaining>{{LeaseId(1), 540}});
  CHECK(lessor.take_notes(after(61'500), 9).empty());
  lessor.check_invariants();
  const std::uint64_t whole = lessor.hash();
  lessor.note(due.front(), after(61'500));
  CHECK(lessor.hash() != whole);
  lessor.check_invariants();
  CHECK(lessor.time_to_live(LeaseId(1), after(61'500))->remaining_seconds == 539);

  // The next one notes again what is left, and not before it is a whole interval less.
  lessor.promote(after(61'500), Duration());
  lessor.check_invariants();
  CHECK(lessor.time_to_live(LeaseId(1), after(61'500))->remaining_seconds == 540);
  CHECK(lessor.time_to_live(LeaseId(1), after(61'500))->granted_seconds == 600);
  CHECK(lessor.take_notes(after(121'499), 9).empty());
  CHECK(lessor.take_notes(after(121'500), 9) == std::vector<Remaining>{{LeaseId(1), 480}, {LeaseId(3), 40}});
}

TEST_CASE("a lease that was noted is renewed only behind a note that it is whole") {
  Lessor lessor;
  lessor.set_note_interval(Duration::seconds(60));
  lessor.promote(start, Duration());
  REQUIRE(lessor.grant(LeaseId(1), 600, start).ok());
  CHECK_FALSE(lessor.is_cut_short(LeaseId(1)));
  CHECK_FALSE(lessor.is_cut_short(LeaseId(2)));
  REQUIRE(lessor.take_notes(after(60'000), 9).size() == 1);
  // It is on its way: nobody knows yet what the next leader will know.
  CHECK(lessor.is_cut_short(LeaseId(1)));
  CHECK_FALSE(lessor.begin_to_restore(LeaseId(1)));
  lessor.note({LeaseId(1), 540}, after(60'000));
  CHECK(lessor.is_cut_short(LeaseId(1)));
  CHECK(lessor.begin_to_restore(LeaseId(1)));
  CHECK_FALSE(lessor.begin_to_restore(LeaseId(1)));
  CHECK(lessor.is_cut_short(LeaseId(1)));
  lessor.check_invariants();
  lessor.note({LeaseId(1), 0}, after(70'000));
  CHECK_FALSE(lessor.is_cut_short(LeaseId(1)));
  CHECK(lessor.take_notes(after(70'000), 9).empty());
  lessor.check_invariants();
  CHECK(lessor.renew(LeaseId(1), after(70'000)) == 600);
  CHECK(lessor.wake_at() == after(130'000));
  // One that is noted when it is gone, and one that is gone when it is noted.
  lessor.note({LeaseId(2), 5}, after(70'000));
  REQUIRE(lessor.take_notes(after(130'000), 9).size() == 1);
  REQUIRE(lessor.revoke(LeaseId(1)).ok());
  lessor.note({LeaseId(1), 5}, after(130'000));
  CHECK(lessor.size() == 0);
  lessor.check_invariants();
}

/// What leases are, with nothing clever.
struct Model {
  struct Lease {
    std::int64_t ttl = 0;
    std::set<std::string> keys;
    Instant deadline;
    bool handed_out = false;
  };
  std::map<std::int64_t, Lease> leases;
  bool primary = false;
};

TEST_CASE("drawn calls are answered as a simple model answers them") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Prng prng(seed, "leases");
    Lessor lessor;
    Model model;
    Instant now = start;
    for (int step = 0; step < 300; ++step) {
      now = now + prng.between(Duration(), Duration::milliseconds(600));
      const std::int64_t id = prng.between(std::int64_t{-3}, std::int64_t{12});
      const std::string key(1, static_cast<char>('a' + prng.below(8)));
      const auto found = model.leases.find(id);
      switch (prng.below(9)) {
        case 0: {
          const std::int64_t ttl = prng.between(std::int64_t{-1}, std::int64_t{6});
          const auto granted = lessor.grant(LeaseId(id), ttl, now);
          CHECK(granted.ok() == (found == model.leases.end()));
          if (!granted.ok()) break;
          CHECK(granted.value() == ttl);
          model.leases[id] = {ttl, {}, now + Duration::seconds(ttl), false};
          break;
        }
        case 1: {
          const auto keys = lessor.revoke(LeaseId(id));
          CHECK(keys.ok() == (found != model.leases.end()));
          if (!keys.ok()) break;
          CHECK(keys.value() == std::vector<std::string>(found->second.keys.begin(), found->second.keys.end()));
          model.leases.erase(found);
          break;
        }
        case 2:
        case 3:
          if (found == model.leases.end()) break;
          if (found->second.keys.erase(key) > 0) {
            lessor.detach(LeaseId(id), key);
          } else {
            found->second.keys.insert(key);
            lessor.attach(LeaseId(id), key);
          }
          break;
        case 4:
          if (prng.chance(3, 4)) break;
          lessor.promote(now, Duration::seconds(1));
          model.primary = true;
          for (auto& [number, lease] : model.leases) {
            lease.deadline = now + Duration::seconds(lease.ttl + 1);
            lease.handed_out = false;
          }
          break;
        case 5:
          if (prng.chance(7, 8)) break;
          lessor.demote();
          model.primary = false;
          break;
        case 6: {
          if (!model.primary) break;
          const auto renewed = lessor.renew(LeaseId(id), now);
          const bool can = found != model.leases.end() && !found->second.handed_out;
          CHECK(renewed.has_value() == can);
          if (can) found->second.deadline = now + Duration::seconds(found->second.ttl);
          break;
        }
        default: {
          std::set<std::int64_t> expected;
          for (auto& [number, lease] : model.leases) {
            if (!model.primary || lease.handed_out || lease.deadline > now) continue;
            lease.handed_out = true;
            expected.insert(number);
          }
          std::set<std::int64_t> got;
          for (const LeaseId expired : lessor.take_expired(now, 100)) got.insert(expired.value());
          CHECK(got == expected);
        }
      }
      CHECK(lessor.size() == model.leases.size());
      lessor.check_invariants();
    }
  }
}

}  // namespace
}  // namespace metastore::lease
