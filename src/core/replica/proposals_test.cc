#include "core/replica/proposals.h"

#include <doctest/doctest.h>

#include <string>

namespace metastore {
namespace {

using Keys = std::vector<Waiting::Key>;

Proposal proposal(Waiting::Key key) { return {key, Bytes::copy_of(std::to_string(key))}; }

Keys keys_of(const std::vector<Proposal>& lost) {
  Keys keys;
  for (const Proposal& one : lost) {
    CHECK(one.command.view() == std::to_string(one.key));
    keys.push_back(one.key);
  }
  return keys;
}

TEST_CASE("a proposal is found where it was appended") {
  Proposals proposals;
  proposals.add(LogIndex(5), Term(2), proposal(1));
  proposals.add(LogIndex(6), Term(2), proposal(2));
  std::vector<Proposal> lost;
  CHECK_FALSE(proposals.take(LogIndex(4), Term(2), std::nullopt, lost).has_value());
  CHECK(proposals.take(LogIndex(5), Term(2), std::nullopt, lost) == Waiting::Key(1));
  CHECK(proposals.take(LogIndex(6), Term(2), std::nullopt, lost) == Waiting::Key(2));
  CHECK(lost.empty());
}

TEST_CASE("a proposal whose place another leader's entry took is lost, and so is all behind it") {
  Proposals proposals;
  proposals.add(LogIndex(5), Term(2), proposal(1));
  proposals.add(LogIndex(6), Term(2), proposal(2));
  proposals.add(LogIndex(9), Term(2), proposal(3));
  proposals.add(LogIndex(7), Term(4), proposal(4));
  std::vector<Proposal> lost;
  CHECK(proposals.take(LogIndex(5), Term(2), std::nullopt, lost) == Waiting::Key(1));
  CHECK_FALSE(proposals.take(LogIndex(6), Term(3), std::nullopt, lost).has_value());
  CHECK(keys_of(lost) == Keys{2, 3});
  lost.clear();
  CHECK(proposals.take(LogIndex(7), Term(4), std::nullopt, lost) == Waiting::Key(4));
  CHECK(lost.empty());
}

TEST_CASE("an old entry of another leader decides nothing about proposals of a later term") {
  Proposals proposals;
  proposals.add(LogIndex(8), Term(4), proposal(1));
  proposals.hand_on(Term(4), proposal(2));
  std::vector<Proposal> lost;
  CHECK_FALSE(proposals.take(LogIndex(8), Term(3), std::nullopt, lost).has_value());
  CHECK(lost.empty());
}

TEST_CASE("a proposal that was handed on is found by its sequence, and those that the leader passed over are lost") {
  Proposals proposals;
  const std::uint64_t first = proposals.hand_on(Term(2), proposal(1));
  const std::uint64_t second = proposals.hand_on(Term(2), proposal(2));
  const std::uint64_t third = proposals.hand_on(Term(2), proposal(3));
  std::vector<Proposal> lost;
  CHECK_FALSE(proposals.take(LogIndex(4), Term(2), std::nullopt, lost).has_value());
  CHECK(proposals.take(LogIndex(5), Term(2), first, lost) == Waiting::Key(1));
  CHECK(lost.empty());
  CHECK(proposals.take(LogIndex(6), Term(2), third, lost) == Waiting::Key(3));
  CHECK(keys_of(lost) == Keys{2});
  CHECK(second > first);
  CHECK_FALSE(proposals.has_handed_on());
}

TEST_CASE("what was handed to the leader of a term is lost once an entry of a later term is applied, and not before") {
  Proposals proposals;
  proposals.hand_on(Term(2), proposal(1));
  const std::uint64_t later = proposals.hand_on(Term(3), proposal(2));
  std::vector<Proposal> lost;
  CHECK_FALSE(proposals.take(LogIndex(9), Term(2), std::nullopt, lost).has_value());
  CHECK(lost.empty());
  CHECK_FALSE(proposals.take(LogIndex(10), Term(3), std::nullopt, lost).has_value());
  CHECK(keys_of(lost) == Keys{1});
  lost.clear();
  CHECK(proposals.take(LogIndex(11), Term(3), later, lost) == Waiting::Key(2));
  CHECK(lost.empty());
}

TEST_CASE("a refusal counts for the term and the sequence that it names") {
  Proposals proposals;
  const std::uint64_t sequence = proposals.hand_on(Term(2), proposal(1));
  CHECK_FALSE(proposals.take_refused(Term(3), sequence).has_value());
  CHECK_FALSE(proposals.take_refused(Term(2), sequence + 1).has_value());
  CHECK(proposals.take_refused(Term(2), sequence).value().key == Waiting::Key(1));
  CHECK_FALSE(proposals.take_refused(Term(2), sequence).has_value());
}

}  // namespace
}  // namespace metastore
