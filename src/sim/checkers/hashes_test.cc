// Tests of the tester: the oracle of hashes is fed what it must accept, and each lie that it must see.
#include "sim/checkers/hashes.h"

#include <doctest/doctest.h>

#include <string>

namespace metastore::sim {
namespace {

struct Told {
  std::int64_t asked = 0;
  HashKvReply reply;
  std::uint64_t member = 1;
  std::string error;
};

/// Revision 9 is the newest, and somebody has compacted at 4.
std::string verdict(const std::vector<Told>& answers, HashCounts* wanted = nullptr) {
  History history;
  Instant now;
  const auto later = [&now] { return now = now + Duration::seconds(1); };
  Operation& compaction = history.begin(1, 1, Compact{4}, later());
  history.end_done(compaction, {9, CompactReply{}}, later());
  for (const Told& told : answers) {
    Operation& operation = history.begin(1, told.member, HashKv{told.asked}, later());
    if (told.error.empty()) {
      history.end_done(operation, {9, told.reply}, later());
    } else {
      history.end_failed(operation, told.error, later());
    }
  }
  HashCounts counts;
  const auto violation = check_hashes(history, counts);
  if (wanted != nullptr) *wanted = counts;
  return violation ? violation->message.substr(0, violation->message.find(':')) : "";
}

const std::string compacted = "etcdserver: mvcc: required revision has been compacted";

TEST_CASE("one number for one revision above one compaction is accepted, and another above another") {
  HashCounts counts;
  CHECK(verdict({{.asked = 5, .reply = {77, -1, 5}},
                 {.asked = 5, .reply = {77, -1, 5}, .member = 2},
                 {.asked = 5, .reply = {78, 4, 5}},
                 {.asked = 4, .reply = {79, 4, 4}},
                 {.asked = 0, .reply = {80, 4, 9}},
                 {.asked = 3, .reply = {}, .member = 1, .error = compacted}},
                &counts) == "");
  CHECK(counts.hashes == 5);
  CHECK(counts.of_several == 1);
  CHECK(counts.at_compaction == 1);
  CHECK(counts.refused == 1);
}

TEST_CASE("two numbers for one revision are seen") {
  CHECK(verdict({{.asked = 5, .reply = {77, 4, 5}}, {.asked = 5, .reply = {78, 4, 5}, .member = 2}}) ==
        "another one was told before (#1 of client 1, asked member 1 at 3.000000s");
}

TEST_CASE("a hash of something else is seen") {
  CHECK(verdict({{.asked = 5, .reply = {77, 4, 6}}}) == "it is of another revision");
  CHECK(verdict({{.asked = 10, .reply = {77, 4, 10}}}) == "it is of the future");
  CHECK(verdict({{.asked = 3, .reply = {77, 4, 3}}}) == "it is of what was compacted");
  CHECK(verdict({{.asked = 5, .reply = {77, 3, 5}}}) == "nobody compacted there");
}

TEST_CASE("the compacted revision has a hash") {
  CHECK(verdict({{.asked = 4, .reply = {}, .member = 1, .error = compacted}}) == "nobody compacted that far");
}

}  // namespace
}  // namespace metastore::sim
