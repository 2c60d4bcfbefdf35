#include "core/replica/proposals.h"

#include <doctest/doctest.h>

namespace metastore {
namespace {

using Keys = std::vector<Waiting::Key>;

TEST_CASE("a proposal is found where it was appended") {
  Proposals proposals;
  proposals.add(LogIndex(5), Term(2), 1);
  proposals.add(LogIndex(6), Term(2), 2);
  Keys lost;
  CHECK_FALSE(proposals.take(LogIndex(4), Term(2), lost).has_value());
  CHECK(proposals.take(LogIndex(5), Term(2), lost) == Waiting::Key(1));
  CHECK(proposals.take(LogIndex(6), Term(2), lost) == Waiting::Key(2));
  CHECK(lost.empty());
}

TEST_CASE("a proposal whose place another leader's entry took is lost, and so is all behind it") {
  Proposals proposals;
  proposals.add(LogIndex(5), Term(2), 1);
  proposals.add(LogIndex(6), Term(2), 2);
  proposals.add(LogIndex(9), Term(2), 3);
  proposals.add(LogIndex(7), Term(4), 4);
  Keys lost;
  CHECK(proposals.take(LogIndex(5), Term(2), lost) == Waiting::Key(1));
  CHECK_FALSE(proposals.take(LogIndex(6), Term(3), lost).has_value());
  CHECK(lost == Keys{2, 3});
  lost.clear();
  CHECK(proposals.take(LogIndex(7), Term(4), lost) == Waiting::Key(4));
  CHECK(lost.empty());
}

TEST_CASE("an old entry of another leader decides nothing about proposals of a later term") {
  Proposals proposals;
  proposals.add(LogIndex(8), Term(4), 1);
  Keys lost;
  CHECK_FALSE(proposals.take(LogIndex(8), Term(3), lost).has_value());
  CHECK(lost.empty());
}

}  // namespace
}  // namespace metastore
