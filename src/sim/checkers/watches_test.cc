// Tests of the tester: the oracle of watches is fed what it must accept, and each lie that it must see.
#include "sim/checkers/watches.h"

#include <doctest/doctest.h>

#include <string>

namespace metastore::sim {
namespace {

/// a=1 at 2, b=1 at 3, a=2 at 4, a deleted at 5, and c and d put together at 6.
Model truth() {
  Model model;
  model.apply(Put{"a", "1"});
  model.apply(Put{"b", "1"});
  model.apply(Put{"a", "2"});
  model.apply(Delete{{"a", ""}});
  model.apply(Txn{.comparisons = {}, .success = {Put{"c", "1"}, Put{"d", "1"}}, .failure = {}});
  return model;
}

/// What a watch of everything from revision 2 on is told, and then progress.
WatchSession whole() {
  WatchSession session{.keys = all_keys(), .asked_start = 2, .created_revision = 6};
  std::uint64_t response = 1;
  std::int64_t revision = 0;
  for (const Model::Change& change : truth().changes()) {
    if (change.kv.mod_revision != revision) ++response;
    revision = change.kv.mod_revision;
    session.events.push_back({change.is_delete, change.kv, std::nullopt, response});
  }
  session.progress.push_back({session.events.size(), 6});
  return session;
}

/// "" if it is accepted, or the end of the sentence.
std::string verdict(const WatchSession& session, std::int64_t newest_compaction = 0) {
  WatchCounts counts;
  const auto violation = check_watches({session}, truth(), newest_compaction, counts);
  if (!violation) return "";
  return violation->message.substr(violation->message.rfind(": ") + 2);
}

template <typename Lie>
std::string verdict_of(Lie lie, std::int64_t newest_compaction = 0) {
  WatchSession session = whole();
  lie(session);
  return verdict(session, newest_compaction);
}

TEST_CASE("what a watch should be told is accepted, whole or ended anywhere between two revisions") {
  CHECK(verdict(whole()) == "");
  CHECK(verdict_of([](WatchSession& session) {
          session.events.resize(3);
          session.progress.clear();
          session.is_open = false;
        }) == "");
  CHECK(verdict_of([](WatchSession& session) {
          session.without_puts = true;
          session.events = {session.events[3]};
          session.progress = {{1, 6}};
        }) == "");
  CHECK(verdict_of([](WatchSession& session) { std::swap(session.events[4], session.events[5]); }) == "");
}

TEST_CASE("every lie about events is seen") {
  CHECK(verdict_of([](WatchSession& session) { session.events.erase(session.events.begin() + 1); }) ==
        "the change at 3 should have come");
  CHECK(verdict_of([](WatchSession& session) {
          session.events.pop_back();
          session.progress[0].events_before = 5;
        }) == "progress at revision 6 was told before the events up to it");
  CHECK(verdict_of([](WatchSession& session) {
          session.events.resize(3);
          session.progress.clear();
        }) == "it was told 3 of 6 events in the end");
  CHECK(verdict_of([](WatchSession& session) { session.events.push_back(session.events.back()); }) ==
        "no such change was made");
  CHECK(verdict_of([](WatchSession& session) { session.events[5] = session.events[4]; }) == "it came twice");
  CHECK(verdict_of([](WatchSession& session) { std::swap(session.events[0], session.events[1]); }) ==
        "the change at 2 should have come");
  CHECK(verdict_of([](WatchSession& session) { session.events[5].response += 1; }) == "its revision was torn");
  CHECK(verdict_of([](WatchSession& session) { session.events[3].is_delete = false; }) ==
        "put and delete are confused");
  CHECK(verdict_of([](WatchSession& session) { session.events[2].kv.create_revision = 4; }) ==
        "it shows another record");
  CHECK(verdict_of([](WatchSession& session) { session.events[1].kv.key = "x"; }) == "that key was not changed then");
  CHECK(verdict_of([](WatchSession& session) { session.created_revision = 0; }) ==
        "events came before the watch was created");
}

TEST_CASE("every lie about progress, previous values and compactions is seen") {
  CHECK(verdict_of([](WatchSession& session) { session.progress = {{2, 5}}; }) ==
        "progress at revision 5 was told before the events up to it");
  CHECK(verdict_of([](WatchSession& session) {
          session.keys = {"b", ""};
          session.events = {session.events[1]};
          session.progress = {{0, 2}, {0, 3}};
        }) == "progress at revision 3 was told before the events up to it");
  const auto told_of_progress_at = [](std::int64_t revision) {
    return verdict_of([revision](WatchSession& session) {
      session.asked_start = 9;
      session.events.clear();
      session.progress = {{0, revision}};
    });
  };
  CHECK(told_of_progress_at(8) == "");
  CHECK(told_of_progress_at(7) == "progress was told before the watch had begun");
  const KeyValue former{"a", "1", 2, 2, 1};
  const auto with_previous = [&](WatchSession& session) {
    session.wants_previous = true;
    session.events[2].previous = former;
    session.events[3].previous = KeyValue{"a", "2", 2, 4, 2};
  };
  CHECK(verdict_of(with_previous) == "");
  CHECK(verdict_of([&](WatchSession& session) { session.events[2].previous = former; }) ==
        "a previous value that should not be there");
  CHECK(verdict_of([&](WatchSession& session) {
          with_previous(session);
          session.events[3].previous = former;
        }) == "the previous value is wrong");
  const auto without_one = [&](WatchSession& session) {
    with_previous(session);
    session.events[2].previous.reset();
  };
  CHECK(verdict_of(without_one) == "the previous value is missing");
  CHECK(verdict_of(without_one, 5) == "");
  const auto compacted = [](WatchSession& session) {
    session.events.resize(1);
    session.progress.clear();
    session.is_open = false;
    session.compact_revision = 4;
  };
  CHECK(verdict_of(compacted, 4) == "");
  CHECK(verdict_of(compacted, 3) == "it was ended for a compaction that nobody asked for");
  CHECK(verdict_of(
            [&](WatchSession& session) {
              compacted(session);
              session.compact_revision = 3;
            },
            4) == "it was ended for a compaction that took nothing of it");
}

}  // namespace
}  // namespace metastore::sim
