#include "core/replica/state_hashes.h"

#include <doctest/doctest.h>

#include <string>

namespace metastore {
namespace {

using Suspects = std::vector<StateHashes::Suspect>;

constexpr Instant boot = Instant::from_nanoseconds(1'000'000'000);
constexpr Duration patience = Duration::seconds(7);

std::vector<MemberId> members(std::uint64_t count) {
  std::vector<MemberId> ids;
  for (std::uint64_t id = 1; id <= count; ++id) ids.emplace_back(id);
  return ids;
}

/// Members 1, 2 and so on report these of the point at `index`; 0: nothing.
void report(StateHashes& hashes, std::uint64_t index, const std::vector<std::uint64_t>& of_members) {
  for (std::uint64_t i = 0; i < of_members.size(); ++i) {
    if (of_members[i] != 0) hashes.report(MemberId(i + 1), LogIndex(index), of_members[i]);
  }
}

std::string convicted(const Suspects& suspects) {
  std::string ids;
  for (const StateHashes::Suspect& suspect : suspects) ids += std::to_string(suspect.member.value());
  return ids;
}

TEST_CASE("who differs from the majority is convicted, once a point, as soon as that is known") {
  StateHashes hashes(patience);
  report(hashes, 10, {5, 5, 5});
  CHECK(hashes.judge(boot, members(3)).empty());
  report(hashes, 20, {6, 7, 0});
  CHECK(hashes.judge(boot, members(3)).empty());
  CHECK(hashes.wake_at() == boot + patience);
  report(hashes, 20, {0, 0, 6});
  CHECK(hashes.judge(boot, members(3)) == Suspects{{MemberId(2), LogIndex(20), 7, 6}});
  CHECK(hashes.judge(boot, members(3)).empty());
  CHECK(hashes.wake_at() == Instant::never());
  report(hashes, 30, {8, 9, 8});
  CHECK(convicted(hashes.judge(boot, members(3))) == "2");
  // One that comes late to a point that is settled is judged by it; one before it no more.
  report(hashes, 30, {0, 0, 0, 1});
  CHECK(convicted(hashes.judge(boot, members(3))) == "4");
  report(hashes, 20, {0, 0, 0, 1});
  CHECK(hashes.judge(boot, members(3)).empty());
}

TEST_CASE("without a majority everybody who has reported is convicted") {
  StateHashes hashes(patience);
  report(hashes, 10, {1, 2, 3});
  const Suspects all = hashes.judge(boot, members(3));
  CHECK(convicted(all) == "123");
  CHECK_FALSE(all.front().of_majority.has_value());

  StateHashes of_five(patience);
  report(of_five, 10, {1, 1, 2, 2});
  CHECK(of_five.judge(boot, members(5)).empty());
  report(of_five, 10, {0, 0, 0, 0, 3});
  CHECK(convicted(of_five.judge(boot, members(5))) == "12345");

  StateHashes of_two(patience);
  report(of_two, 10, {1, 2});
  CHECK(convicted(of_two.judge(boot, members(2))) == "12");
}

TEST_CASE("a silent member that could settle it is waited for, and then no more") {
  StateHashes hashes(patience);
  report(hashes, 10, {1, 2});
  CHECK(hashes.judge(boot, members(3)).empty());
  // Points that follow are no reason to wait longer.
  for (std::uint64_t index = 20; index < 3'000; index += 10) {
    report(hashes, index, {index, index + 1});
    CHECK(hashes.judge(boot + Duration::seconds(1), members(3)).empty());
  }
  CHECK(hashes.wake_at() == boot + patience);
  CHECK(hashes.judge(boot + patience - Duration::nanoseconds(1), members(3)).empty());
  CHECK(convicted(hashes.judge(boot + patience, members(3))).starts_with("12"));
  CHECK(hashes.wake_at() == Instant::never());
  // From here on at once.
  report(hashes, 3'000, {1, 2});
  CHECK(convicted(hashes.judge(boot + patience, members(3))) == "12");
  // Until it speaks.
  report(hashes, 3'010, {1, 2, 1});
  CHECK(convicted(hashes.judge(boot + patience, members(3))) == "2");
  report(hashes, 3'020, {1, 2});
  CHECK(hashes.judge(boot + patience, members(3)).empty());
  CHECK(hashes.wake_at() == boot + patience * 2);
}

TEST_CASE("a learner is judged and no judge") {
  StateHashes hashes(patience);
  report(hashes, 10, {1, 2, 2});
  CHECK(hashes.judge(boot, {MemberId(1)}) ==
        Suspects{{MemberId(2), LogIndex(10), 2, 1}, {MemberId(3), LogIndex(10), 2, 1}});
}

TEST_CASE("what a leader was told is nothing to the next one") {
  StateHashes hashes(patience);
  report(hashes, 10, {1, 2});
  CHECK(hashes.judge(boot, members(3)).empty());
  hashes.clear();
  CHECK(hashes.wake_at() == Instant::never());
  report(hashes, 5, {0, 0, 2});
  CHECK(hashes.judge(boot, members(3)).empty());
}

}  // namespace
}  // namespace metastore
