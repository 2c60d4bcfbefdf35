#include "core/raft/quorum.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <map>

namespace metastore::raft {
namespace {

std::vector<MemberId> ids(std::initializer_list<std::uint64_t> numbers) {
  std::vector<MemberId> members;
  for (const std::uint64_t number : numbers) members.push_back(MemberId(number));
  return members;
}

LogIndex reached(const ConfState& conf, std::map<std::uint64_t, std::uint64_t> match) {
  return reached_by_quorum(conf, [&match](MemberId id) { return LogIndex(match[id.value()]); });
}

VoteResult result(const ConfState& conf, std::map<std::uint64_t, bool> cast) {
  std::map<MemberId, bool> votes;
  for (const auto& [id, granted] : cast) votes[MemberId(id)] = granted;
  return vote_result(conf, votes);
}

TEST_CASE("a quorum has reached what more than half have reached, for even sizes too") {
  CHECK(reached({.voters = ids({1})}, {{1, 7}}) == LogIndex(7));
  CHECK(reached({.voters = ids({1, 2})}, {{1, 7}, {2, 3}}) == LogIndex(3));
  CHECK(reached({.voters = ids({1, 2, 3})}, {{1, 7}, {2, 3}}) == LogIndex(3));
  CHECK(reached({.voters = ids({1, 2, 3, 4})}, {{1, 7}, {2, 6}, {3, 5}}) == LogIndex(5));
  CHECK(reached({.voters = ids({1, 2, 3, 4})}, {{1, 7}, {2, 6}}) == LogIndex(0));
  CHECK(reached({.voters = ids({1, 2, 3, 4, 5})}, {{1, 7}, {2, 6}, {3, 5}, {4, 1}}) == LogIndex(5));
}

TEST_CASE("learners and strangers count for nothing") {
  const ConfState conf{.voters = ids({1, 2, 3}), .learners = ids({4, 5})};
  CHECK(reached(conf, {{1, 2}, {4, 9}, {5, 9}, {6, 9}}) == LogIndex(0));
  CHECK(result(conf, {{1, true}, {4, true}, {5, true}}) == VoteResult::pending);
}

TEST_CASE("a joint configuration needs both of its halves") {
  const ConfState conf{.voters = ids({1, 2, 3}), .voters_outgoing = ids({3, 4, 5})};
  CHECK(reached(conf, {{1, 9}, {2, 9}, {3, 9}}) == LogIndex(0));
  CHECK(reached(conf, {{1, 9}, {2, 9}, {3, 9}, {4, 4}}) == LogIndex(4));
  CHECK(result(conf, {{1, true}, {2, true}}) == VoteResult::pending);
  CHECK(result(conf, {{1, true}, {2, true}, {3, true}}) == VoteResult::pending);
  CHECK(result(conf, {{1, true}, {3, true}, {4, true}}) == VoteResult::won);
  CHECK(result(conf, {{1, true}, {2, true}, {4, false}, {5, false}}) == VoteResult::lost);
}

TEST_CASE("an election is lost once the missing votes cannot win it") {
  const ConfState three{.voters = ids({1, 2, 3})};
  CHECK(result(three, {{1, true}}) == VoteResult::pending);
  CHECK(result(three, {{1, true}, {2, false}}) == VoteResult::pending);
  CHECK(result(three, {{1, true}, {2, false}, {3, false}}) == VoteResult::lost);
  CHECK(result(three, {{1, true}, {3, true}}) == VoteResult::won);
  const ConfState four{.voters = ids({1, 2, 3, 4})};
  CHECK(result(four, {{1, true}, {2, true}}) == VoteResult::pending);
  CHECK(result(four, {{1, true}, {2, false}, {3, false}}) == VoteResult::lost);
}

TEST_CASE("members are voters of both halves and learners, each once") {
  const ConfState conf{
      .voters = ids({1, 3}), .learners = ids({2}), .voters_outgoing = ids({3, 4}), .learners_next = ids({4})};
  CHECK(all_members(conf) == ids({1, 2, 3, 4}));
  CHECK(is_voter(conf, MemberId(4)));
  CHECK_FALSE(is_voter(conf, MemberId(2)));
}

}  // namespace
}  // namespace metastore::raft
