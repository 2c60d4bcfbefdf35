// Tests of the testers: every oracle is fed a history that it must accept, and broken ones that it must reject.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/checkers/disks.h"
#include "sim/checkers/durability.h"
#include "sim/checkers/elections.h"
#include "sim/checkers/form.h"
#include "sim/checkers/matches.h"
#include "sim/checkers/replay.h"
#include "sim/checkers/replies.h"
#include "sim/checkers/serializability.h"

namespace metastore::sim {
namespace {

constexpr std::uint64_t txn_operations_max = 4;

Instant at(std::int64_t second) { return Instant::from_nanoseconds(second * 1'000'000'000); }

KeyValue kv(std::string key, std::string value, std::int64_t create, std::int64_t mod, std::int64_t version) {
  return {std::move(key), std::move(value), create, mod, version};
}

/// Writes histories down as one would tell them.
class Story {
 public:
  /// Asked and answered at these seconds.
  Story& done(std::int64_t asked, std::int64_t answered, Request request, Response response) {
    history_.end_done(history_.begin(1, 1, std::move(request), at(asked)), std::move(response), at(answered));
    return *this;
  }
  Story& failed(std::int64_t asked, std::int64_t answered, Request request, std::string error) {
    history_.end_failed(history_.begin(1, 1, std::move(request), at(asked)), std::move(error), at(answered));
    return *this;
  }
  Story& survey(std::int64_t revision, std::vector<KeyValue> kvs) {
    history_.add_survey(revision, {at(1000), std::move(kvs)});
    return *this;
  }
  Story& put(std::int64_t asked, std::int64_t answered, std::string key, std::string value, std::int64_t revision) {
    return done(asked, answered, Put{std::move(key), std::move(value)}, {revision, PutReply{}});
  }
  Story& get(std::int64_t asked, std::int64_t answered, std::string key, std::int64_t revision,
             std::vector<KeyValue> kvs) {
    return done(asked, answered, Get{.keys = {std::move(key), ""}}, got(revision, std::move(kvs)));
  }
  static Response got(std::int64_t revision, std::vector<KeyValue> kvs) {
    const auto count = static_cast<std::int64_t>(kvs.size());
    return {revision, GetReply{std::move(kvs), false, count}};
  }

  Story& learns(bool is_learner, std::int64_t when) {
    history_.learns(1, is_learner, at(when));
    return *this;
  }

  /// "" if O4 accepts it.
  std::string judge() {
    REQUIRE(history_.settled_revision() == history_.newest_revision());
    const auto violation = check_serializability(history_, txn_operations_max, counts_);
    if (!violation) return "";
    CHECK(violation->oracle == "O4");
    return violation->message.substr(0, violation->message.find(':'));
  }
  const SerializabilityCounts& counts() const { return counts_; }

 private:
  History history_;
  SerializabilityCounts counts_;
};

const KeyValue a1 = kv("a", "1", 2, 2, 1);
const KeyValue a2 = kv("a", "2", 2, 3, 2);

TEST_CASE("O4 accepts what one store would have answered") {
  Story story;
  story.put(1, 2, "a", "1", 2).get(3, 4, "a", 2, {a1});
  story.done(5, 6, Put{"a", "2", true}, {3, PutReply{a1}});
  story.done(7, 8, Get{.keys = all_keys(), .revision = 2}, Story::got(3, {a1}));
  story.done(9, 10, Delete{{"a", ""}, true}, {4, DeleteReply{1, {a2}}});
  story.done(11, 12, Delete{{"a", ""}, true}, {4, DeleteReply{0, {}}});
  story.get(13, 14, "a", 4, {});
  story.done(15, 16, Compact{3}, {4, CompactReply{}});
  story.failed(17, 18, Get{.keys = all_keys(), .revision = 2},
               "etcdserver: mvcc: required revision has been compacted");
  story.failed(17, 18, Get{.keys = all_keys(), .revision = 9},
               "etcdserver: mvcc: required revision is a future revision");
  story.failed(17, 18, Put{"", "x"}, "etcdserver: key is not provided");
  CHECK(story.judge() == "");
  CHECK(story.counts().replies_judged == 8);
}

TEST_CASE("O4 accepts either order of writes that overlap in time, and a stale read that said it may be stale") {
  Story story;
  story.put(1, 9, "a", "2", 3).put(1, 9, "a", "1", 2);
  story.done(20, 21, Get{.keys = {"a", ""}, .is_serializable = true}, Story::got(2, {a1}));
  CHECK(story.judge() == "");
}

TEST_CASE("O4 rejects a stale read, a read from the future, and a write out of its clients' order") {
  CHECK(Story().put(1, 2, "a", "1", 2).put(3, 4, "a", "2", 3).get(5, 6, "a", 2, {a1}).judge() ==
        "it took effect before one that had returned earlier (#1 of client 1, asked member 1 at 3.000000s");
  CHECK(Story().put(3, 4, "a", "1", 2).get(1, 2, "a", 2, {a1}).judge() ==
        "it took effect before one that had returned earlier (#1 of client 1, asked member 1 at 1.000000s");
  CHECK(Story().put(1, 2, "a", "2", 3).put(3, 4, "a", "1", 2).judge() ==
        "it took effect before one that had returned earlier (#0 of client 1, asked member 1 at 1.000000s");
}

TEST_CASE("O4 rejects a lost update, a wrong value and a wrong version") {
  CHECK(Story().put(1, 2, "a", "1", 2).put(3, 4, "b", "2", 3).get(5, 6, "a", 3, {}).judge() ==
        "the store must answer revision 3");
  CHECK(Story().put(1, 2, "a", "1", 2).get(3, 4, "a", 2, {kv("a", "9", 2, 2, 1)}).judge() ==
        "the store must answer revision 2");
  CHECK(Story().put(1, 2, "a", "1", 2).get(3, 4, "a", 2, {kv("a", "1", 2, 2, 2)}).judge() ==
        "the store must answer revision 2");
  CHECK(Story().put(1, 2, "a", "1", 2).done(3, 4, Put{"a", "2", true}, {3, PutReply{}}).judge() ==
        "the store must answer revision 3");
}

TEST_CASE("O4 accepts a revision in which all keys of one lease go, and nothing less or more") {
  const auto leased = [](std::string key, std::int64_t revision) {
    KeyValue hung = kv(std::move(key), "1", revision, revision, 1);
    hung.lease = 7;
    return hung;
  };
  const auto after = [&](std::vector<KeyValue> left) {
    Story story;
    story.done(1, 2, Put{"a", "1", false, 7}, {2, PutReply{}}).done(3, 4, Put{"b", "1", false, 7}, {3, PutReply{}});
    story.put(5, 6, "c", "1", 4).survey(5, left).get(7, 8, "x", 5, {});
    return story.judge();
  };
  const KeyValue c1 = kv("c", "1", 4, 4, 1);
  CHECK(after({c1}) == "");
  CHECK(after({leased("b", 3), c1}) == "revision 5 holds a change that nobody asked for");
  CHECK(after({}) == "revision 5 holds a change that nobody asked for");
  CHECK(after({leased("a", 2), leased("b", 3)}) == "revision 5 holds a change that nobody asked for");
}

TEST_CASE("O4 rejects two writes with one revision, and a revision for a write that changes nothing") {
  CHECK(Story().put(1, 2, "a", "1", 2).put(3, 4, "b", "1", 2).judge() ==
        "two writes were acknowledged with revision 2");
  CHECK(Story().done(1, 2, Delete{{"a", ""}}, {2, DeleteReply{1, {}}}).judge() != "");
}

TEST_CASE("O4 places a write with an unknown outcome where a survey shows it, once") {
  Story story;
  story.failed(1, 2, Put{"a", "1"}, "").failed(1, 2, Put{"b", "never"}, "etcdserver: request timed out");
  story.survey(2, {a1}).put(3, 4, "a", "2", 3).get(5, 6, "a", 3, {a2});
  CHECK(story.judge() == "");
  CHECK(story.counts().unknown_writes_placed == 1);

  CHECK(Story()
            .failed(1, 2, Put{"a", "1"}, "")
            .survey(2, {a1})
            .survey(3, {kv("a", "1", 2, 3, 2)})
            .put(3, 4, "b", "", 4)
            .judge() == "revision 3 holds a change that nobody asked for");
}

TEST_CASE("O4 rejects a change by a write that was refused, and one that took effect before it was asked") {
  CHECK(Story()
            .failed(1, 2, Put{"a", "1"}, "etcdserver: too many requests")
            .survey(2, {a1})
            .put(3, 4, "b", "", 3)
            .judge() == "revision 2 holds a change that nobody asked for");
  CHECK(Story().put(1, 2, "b", "", 3).failed(5, 6, Put{"a", "1"}, "").survey(2, {a1}).judge() ==
        "it took effect before one that had returned earlier (#0 of client 1, asked member 1 at 1.000000s");
}

TEST_CASE("O4 rejects a survey that does not show an acknowledged write") {
  CHECK(Story().put(1, 2, "a", "1", 2).survey(2, {}).judge() ==
        "a survey of revision 2 does not show what was written");
}

TEST_CASE("O4 lets a learner refuse what is not to be read of its own state, and nobody else") {
  const std::string learner = "etcdserver: rpc not supported for learner";
  const Get own{.keys = all_keys(), .is_serializable = true};
  CHECK(Story().learns(true, 2).learns(false, 4).failed(1, 3, Put{"a", "1"}, learner).judge() == "");
  CHECK(Story().learns(true, 2).failed(4, 5, Get{.keys = all_keys()}, learner).judge() == "");
  const std::string wrong = "it was answered by no learner, or as learners may answer";
  CHECK(Story().learns(true, 2).failed(4, 5, own, learner).judge() == wrong);
  CHECK(Story().learns(true, 2).learns(false, 4).failed(5, 6, Put{"a", "1"}, learner).judge() == wrong);
  CHECK(Story().learns(false, 2).failed(3, 4, Put{"a", "1"}, learner).judge() == wrong);
  CHECK(Story().learns(true, 2).put(3, 4, "a", "1", 2).judge() == "a learner must refuse it");
  CHECK(Story().learns(true, 2).learns(false, 4).put(3, 5, "a", "1", 2).judge() == "");
}

TEST_CASE("O4 rejects errors without a reason, and success without a right to it") {
  const std::string compacted = "etcdserver: mvcc: required revision has been compacted";
  const std::string future = "etcdserver: mvcc: required revision is a future revision";
  const Get old{.keys = all_keys(), .revision = 1};
  CHECK(Story().put(1, 2, "a", "1", 2).failed(3, 4, old, compacted).judge() == "nobody compacted that far");
  CHECK(Story().put(1, 2, "a", "1", 2).failed(3, 4, Get{.keys = all_keys()}, compacted).judge() ==
        "nobody compacted that far");
  CHECK(Story().put(1, 2, "a", "1", 2).failed(3, 4, Get{.keys = all_keys(), .revision = 2}, future).judge() ==
        "that revision had been seen before");
  CHECK(Story().failed(1, 2, Put{"a", "1"}, future).judge() == "that revision had been seen before");
  CHECK(Story().failed(1, 2, Put{"a", "1"}, "etcdserver: key not found").judge() == "no reason for this error");
  CHECK(Story().failed(1, 2, Put{"", "1"}, "etcdserver: key not found").judge() == "its form earns \"etcdserver");
  CHECK(Story().done(1, 2, Get{}, Story::got(1, {})).judge() == "its form must be refused");

  Story compacting;
  compacting.put(1, 2, "a", "1", 2).put(3, 4, "a", "2", 3).done(5, 6, Compact{3}, {3, CompactReply{}});
  CHECK(Story(compacting).failed(7, 8, Compact{3}, compacted).failed(7, 8, Compact{4}, future).judge() == "");
  CHECK(Story(compacting).done(7, 8, Compact{3}, {3, CompactReply{}}).judge() ==
        "it compacted what was compacted before");
  CHECK(Story(compacting).done(7, 8, Compact{4}, {3, CompactReply{}}).judge() == "it compacted the future");
  CHECK(Story(compacting).failed(7, 8, Compact{4}, compacted).judge() == "nobody compacted that far");
  CHECK(Story(compacting).done(7, 8, Get{.keys = all_keys(), .revision = 2}, Story::got(3, {a1})).judge() ==
        "it read what was compacted before");
}

TEST_CASE("O4 rejects a put that keeps what is not there, and a refusal of one whose key was there all the time") {
  const std::string missing = "etcdserver: key not found";
  const Put keeping{.key = "a", .value = "2", .keeps_lease = true};
  CHECK(Story().put(1, 2, "a", "1", 2).done(3, 4, keeping, {3, PutReply{}}).get(5, 6, "a", 3, {a2}).judge() == "");
  CHECK(Story().done(1, 2, keeping, {2, PutReply{}}).judge() == "the store must refuse it");
  CHECK(Story().failed(1, 2, keeping, missing).judge() == "");
  Story deleting;
  deleting.put(1, 2, "a", "1", 2).done(3, 6, Delete{{"a", ""}}, {3, DeleteReply{1, {}}});
  CHECK(Story(deleting).failed(4, 5, keeping, missing).judge() == "");
  CHECK(Story().put(1, 2, "a", "1", 2).failed(3, 4, keeping, missing).judge() == "its keys were there all the time");
  CHECK(form_error(Put{.key = "a", .value = "1", .keeps_value = true}, 1) == "etcdserver: value is provided");
  CHECK(form_error(Put{.key = "a", .lease = 1, .keeps_lease = true}, 1) == "etcdserver: lease is provided");
}

TEST_CASE("O4 judges transactions: branches, nested ones, what inner reads see, and the form") {
  Txn txn;
  txn.comparisons.push_back({.keys = {"a", ""}, .target = CompareTarget::mod, .number = 2});
  txn.success.emplace_back(Put{"a", "2", true});
  txn.success.emplace_back(Get{.keys = {"a", ""}});
  Txn nested;
  nested.comparisons.push_back({.keys = {"a", ""}, .number = 1});
  nested.success.emplace_back(Delete{{"b", ""}});
  txn.success.emplace_back(std::vector<Txn>{nested});
  TxnReply reply{true, {PutReply{a1}, GetReply{{a2}, false, 1}, std::vector<TxnReply>{{true, {DeleteReply{0, {}}}}}}};
  CHECK(Story().put(1, 2, "a", "1", 2).done(3, 4, txn, {3, reply}).get(5, 6, "a", 3, {a2}).judge() == "");
  reply.succeeded = false;
  CHECK(Story().put(1, 2, "a", "1", 2).done(3, 4, txn, {3, reply}).judge() == "the store must answer revision 3");

  txn.success.emplace_back(Put{"a", "3"});
  CHECK(form_error(txn, 8) == "etcdserver: duplicate key given in txn request");
  txn.success.emplace_back(Put{"c", "3"});
  CHECK(form_error(txn, txn_operations_max) == "etcdserver: too many operations in txn request");
}

TEST_CASE("O3 names a lost write, an undone one and a revision that fell") {
  const auto judge = [](const std::vector<Operation>& operations) -> std::string {
    DurabilityChecker checker;
    for (const Operation& operation : operations) {
      checker.on_invoked(operation);
      if (const auto violation = checker.on_returned(operation)) {
        CHECK(violation->oracle == "O3");
        return violation->message.substr(0, violation->message.find(':'));
      }
    }
    return "";
  };
  std::uint64_t ids = 0;
  const auto done = [&ids](std::int64_t asked, Request request, Response response) {
    Operation operation;
    operation.id = ++ids;
    operation.request = std::move(request);
    operation.invoked = at(asked);
    operation.returned = at(asked + 1);
    operation.ending = Ending::done;
    operation.response = std::move(response);
    return operation;
  };
  const auto get = [&done](std::int64_t asked, std::int64_t revision, std::vector<KeyValue> kvs) {
    return done(asked, Get{.keys = all_keys()}, Story::got(revision, std::move(kvs)));
  };
  const Operation put = done(1, Put{"a", "1"}, {2, PutReply{}});
  const Operation second = done(3, Put{"a", "2"}, {3, PutReply{}});
  const Operation remove = done(5, Delete{{"a", ""}}, {4, DeleteReply{1, {}}});
  CHECK(judge({put, second, get(5, 3, {a2})}) == "");
  CHECK(judge({put, second, remove, get(7, 4, {})}) == "");
  CHECK(judge({put, get(5, 2, {})}) == "the write of \"a\" at revision 2 is lost");
  CHECK(judge({put, second, get(5, 3, {a1})}) == "the write of \"a\" at revision 3 is undone");
  CHECK(judge({put, second, get(5, 2, {a1})}) == "revision 3 had been acknowledged before it was asked");
  CHECK(judge({put, second, done(5, Put{"b", ""}, {3, PutReply{}})}) ==
        "its revision had been acknowledged before it was asked");
  // A deletion of which nobody knows what became makes an absence legal, not an old value.
  Operation unknown = remove;
  unknown.ending = Ending::unknown;
  unknown.returned = Instant::never();
  CHECK(judge({put, second, unknown, get(7, 3, {})}) == "");
  CHECK(judge({put, second, unknown, get(7, 3, {a1})}) == "the write of \"a\" at revision 3 is undone");
}

TEST_CASE("O2 names a log that leads to another state than before") {
  ReplayChecker checker;
  CHECK_FALSE(checker.on_applied(at(1), 1, LogIndex(4), 77));
  CHECK_FALSE(checker.on_applied(at(2), 1, LogIndex(5), 78));
  CHECK_FALSE(checker.on_applied(at(3), 2, LogIndex(4), 77));
  CHECK(checker.judged() == 1);
  CHECK(checker.on_applied(at(4), 2, LogIndex(5), 79)->oracle == "O2");
  CHECK_FALSE(checker.on_told(at(5), LogIndex(4), 7));
  CHECK_FALSE(checker.on_told(at(6), LogIndex(5), 8));
  CHECK_FALSE(checker.on_told(at(7), LogIndex(4), 7));
  CHECK(checker.told_again() == 1);
  CHECK(checker.on_told(at(8), LogIndex(5), 7)->oracle == "O2");
}

TEST_CASE("O1 names two leaders, two votes, two entries, and a term or a commit index that falls") {
  ElectionChecker checker;
  const MemberId a(1);
  const MemberId b(2);
  CHECK_FALSE(checker.on_turn(at(1), a, Term(2), LogIndex(5), true));
  CHECK_FALSE(checker.on_turn(at(1), b, Term(2), LogIndex(4), false));
  CHECK_FALSE(checker.on_turn(at(2), b, Term(3), LogIndex(4), true));
  CHECK(checker.on_turn(at(3), a, Term(3), LogIndex(5), true)->message == "term 3 has two leaders");
  CHECK(checker.on_turn(at(4), b, Term(2), LogIndex(4), false)->message == "the term falls from term 3 to term 2");
  CHECK(checker.on_turn(at(4), b, Term(3), LogIndex(3), false)->message == "the commit index falls in term 3");
  checker.on_crash(b);
  CHECK_FALSE(checker.on_turn(at(5), b, Term(2), LogIndex(0), false));

  CHECK_FALSE(checker.on_vote(at(1), a, Term(3), b));
  CHECK_FALSE(checker.on_vote(at(2), a, Term(3), b));
  CHECK_FALSE(checker.on_vote(at(2), b, Term(3), b));
  checker.on_crash(a);
  CHECK(checker.on_vote(at(3), a, Term(3), a)->message == "a member votes twice in term 3");

  CHECK_FALSE(checker.on_entry(at(1), LogIndex(7), Term(2), 77));
  CHECK_FALSE(checker.on_entry(at(2), LogIndex(7), Term(3), 78));
  CHECK_FALSE(checker.on_entry(at(2), LogIndex(7), Term(2), 77));
  CHECK(checker.entries_met_again() == 1);
  CHECK(checker.on_entry(at(3), LogIndex(7), Term(2), 79)->message == "two entries have index 7 and term 2");
}

TEST_CASE("O1 names an entry of a later term in the place of one that was committed, and none of a former term") {
  ElectionChecker checker;
  const MemberId a(1);
  const MemberId b(2);
  CHECK_FALSE(checker.on_turn(at(1), a, Term(3), LogIndex(5), true));
  CHECK_FALSE(checker.on_turn(at(1), b, Term(5), LogIndex(4), false));
  // A deposed leader may go on writing what will never be committed.
  CHECK_FALSE(checker.on_entry(at(2), LogIndex(5), Term(2), 77));
  CHECK_FALSE(checker.on_entry(at(2), LogIndex(5), Term(3), 78));
  CHECK_FALSE(checker.on_entry(at(2), LogIndex(6), Term(4), 79));
  CHECK(checker.on_entry(at(3), LogIndex(5), Term(4), 80)->message ==
        "an entry of term 4 stands at 5, and before that term 5 was committed");
  CHECK_FALSE(checker.on_turn(at(4), a, Term(4), LogIndex(9), true));
  CHECK(checker.on_entry(at(5), LogIndex(9), Term(6), 81)->message ==
        "an entry of term 6 stands at 9, and before that term 9 was committed");
  CHECK_FALSE(checker.on_entry(at(5), LogIndex(9), Term(4), 82));
}

TEST_CASE("O1 names every answer about a move of leadership that is not true") {
  const MemberId self(1);
  const MemberId other(2);
  struct Moment {
    std::uint64_t term = 5;
    bool leads = true;
    Term other_leads = {};
    MoveContext context = {.followed = {}, .is_target_voter = true, .election_timeout = Duration::seconds(3)};
  };
  // Asked in term 5, answered at second 2.
  const auto said = [&](MemberId target, MoveAnswer answer, const Moment& moment) -> std::string {
    ElectionChecker checker;
    CHECK_FALSE(checker.on_turn(at(0), self, Term(5), LogIndex(), moment.leads));
    checker.on_move_asked(at(0), self, RequestId(9), target);
    if (moment.other_leads > Term()) {
      CHECK_FALSE(checker.on_turn(at(1), other, moment.other_leads, LogIndex(), true));
    }
    CHECK_FALSE(checker.on_turn(at(2), self, Term(moment.term), LogIndex(), moment.leads));
    CHECK(checker.move_of(self, RequestId(9)) == target);
    const auto violation = checker.on_move_answered(at(2), self, RequestId(9), answer, moment.context);
    CHECK_FALSE(checker.move_of(self, RequestId(9)));
    CHECK(checker.moves_done() + checker.moves_refused() == 1);
    return violation ? violation->message.substr(0, violation->message.find(',')) : "";
  };
  const Moment deposed = {.term = 6, .leads = false, .other_leads = Term(6)};
  CHECK(said(other, MoveAnswer::moved, deposed) == "");
  CHECK(said(self, MoveAnswer::moved, {}) == "");
  CHECK(said(other, MoveAnswer::not_leader, {.leads = false}) == "");
  CHECK(said(other, MoveAnswer::bad_target, {.context = {.is_target_voter = false}}) == "");
  CHECK(said(other, MoveAnswer::gave_up, {.context = {.election_timeout = Duration::seconds(2)}}) == "");
  CHECK(said(other, MoveAnswer::gave_up, {.term = 6}) == "");
  CHECK(said(other, MoveAnswer::too_late, {.term = 7, .leads = false}) == "");

  const std::string nobody = "a member says that somebody leads who does not";
  CHECK(said(other, MoveAnswer::moved, {}) == nobody);
  CHECK(said(other, MoveAnswer::moved, {.term = 7, .leads = false, .other_leads = Term(6)}) == nobody);
  CHECK(said(other, MoveAnswer::moved, {.leads = false, .other_leads = Term(5)}) == nobody);
  CHECK(said(self, MoveAnswer::moved, {.leads = false}) == nobody);
  CHECK(said(other, MoveAnswer::not_leader, {}) == "a leader says that it is none");
  CHECK(said(other, MoveAnswer::bad_target, {}) == "a leader says of a voter that it may not lead");
  CHECK(said(self, MoveAnswer::bad_target, {}) == "a leader says that it may not lead");
  CHECK(said(other, MoveAnswer::bad_target, {.leads = false}) ==
        "who does not lead judges whom it is asked to hand over to");
  CHECK(said(other, MoveAnswer::gave_up, {}) == "a leader gives up handing over before its time");
  CHECK(said(other, MoveAnswer::gave_up, {.leads = false}) == "who does not lead gives up handing over");
  CHECK(said(other, MoveAnswer::too_late,
             {.term = 6, .leads = false, .other_leads = Term(6), .context = {.followed = other}}) ==
        "a member says that it is too late");
}

TEST_CASE("O1 names what a leader knows of a peer and forgets, and neither another term nor a peer that joins anew") {
  MatchChecker checker;
  const MemberId peer(2);
  CHECK(!checker.on_peer(at(1), Term(1), peer, LogIndex(5)));
  CHECK(!checker.on_peer(at(1), Term(1), MemberId(3), LogIndex(2)));
  CHECK(!checker.on_peer(at(2), Term(2), peer, LogIndex(3)));
  CHECK(!checker.on_peer(at(3), Term(2), peer, LogIndex()));
  CHECK(!checker.on_peer(at(4), Term(2), peer, LogIndex(9)));
  CHECK(checker.on_peer(at(5), Term(2), peer, LogIndex(8))->message ==
        "what the leader of term 2 knows of 2 falls from 9 to 8");
  CHECK(checker.judged() == 4);
}

TEST_CASE("contract 1.8: a learner that lacks more than a tenth of the log is not promoted") {
  MatchChecker checker;
  const MemberId learner(2);
  CHECK(checker.on_promotion(at(1), learner, LogIndex(21))->oracle == "contract 1.8");
  CHECK(!checker.on_peer(at(1), Term(1), learner, LogIndex(17)));
  CHECK(checker.on_promotion(at(1), learner, LogIndex(21))->message ==
        "the learner 2 is promoted, of whom the leader knows only 17 of 20 entries");
  CHECK(!checker.on_peer(at(2), Term(1), learner, LogIndex(18)));
  CHECK(!checker.on_promotion(at(2), learner, LogIndex(21)));
}

TEST_CASE("law 5 and O10 name a reply too many, one too late, and a queue too long") {
  Limits limits;
  limits.proposals_pending_max = 1;
  limits.reads_pending_max = 1;
  ReplyChecker checker(limits, Duration::seconds(10));
  CHECK_FALSE(checker.on_request(at(1), RequestId(1), at(5)));
  CHECK(checker.on_request(at(1), RequestId(1), at(5)));
  CHECK_FALSE(checker.on_turn(at(15)));
  CHECK(checker.on_turn(at(16))->message == "request 1 has no reply in time");
  CHECK_FALSE(checker.on_reply(at(3), RequestId(1)));
  CHECK(checker.on_reply(at(3), RequestId(1))->oracle == "law 5");
  for (std::uint64_t id = 2; id < 5; ++id) CHECK_FALSE(checker.on_request(at(20), RequestId(id), at(30)));
  CHECK_FALSE(checker.on_turn(at(20)));
  CHECK_FALSE(checker.on_request(at(20), RequestId(5), at(30)));
  CHECK(checker.on_turn(at(20))->oracle == "O10");
  checker.on_closed(RequestId(5));
  CHECK_FALSE(checker.on_turn(at(20)));
  checker.on_crash();
  CHECK_FALSE(checker.on_turn(at(99)));
  CHECK_FALSE(checker.on_request(at(99), RequestId(2), at(100)));
}

std::string said(const std::optional<Violation>& violation) {
  if (!violation) return "";
  CHECK(violation->oracle == "O11");
  return violation->message;
}

TEST_CASE("O11 accepts a refusal of what another hand has changed, by its name, or of a disk that does not work") {
  const DiskChecker checker{Duration::seconds(1)};
  CHECK(said(checker.on_refused(at(1), "member/x: a bad checksum", "member/x", true)).empty());
  CHECK(said(checker.on_refused(at(1), "member/x: Input/output error", "", false)).empty());
  CHECK(said(checker.on_refused(at(1), "member/x: a bad checksum", "member/y", true)) ==
        "a boot was refused: member/x: a bad checksum");
  CHECK_FALSE(said(checker.on_refused(at(1), "member/x: a bad checksum", "", true)).empty());
  const std::string log = "the log in member/wal ends at entry 5: its newest segments are gone or old ones";
  CHECK(said(checker.on_refused(at(1), log, "member/wal/1.wal", true)).empty());
  CHECK_FALSE(said(checker.on_refused(at(1), log, "member/identity", true)).empty());
  CHECK(said(checker.on_failure(at(1), "sync", false)).empty());
  CHECK(said(checker.on_failure(at(1), "sync", true)) == "storage failed on a disk that works: sync");
}

TEST_CASE(
    "O11 rejects a member that goes on though its disk has failed, unless it is paused, and one that tries again") {
  DiskChecker checker{Duration::seconds(1)};
  CHECK(said(checker.on_broken(at(1), false)).empty());
  CHECK(said(checker.on_broken(at(3), false)).empty());
  checker.on_paused(Duration::seconds(5));
  CHECK(said(checker.on_broken(at(8), false)).empty());
  CHECK(said(checker.on_broken(at(9), false)) == "the member goes on, though its disk has failed");
  checker.on_down();
  CHECK(said(checker.on_broken(at(9), false)).empty());
  CHECK(said(checker.on_broken(at(9), true)) == "what failed on the disk is tried again");
}

TEST_CASE("law 5 gives a member that was paused that much more time, and no more") {
  ReplyChecker checker({}, Duration::seconds(1));
  CHECK_FALSE(checker.on_request(at(0), RequestId(1), at(2)));
  checker.on_paused(Duration::seconds(10));
  CHECK_FALSE(checker.on_turn(at(13)));
  CHECK(checker.on_turn(at(14)));
}

}  // namespace
}  // namespace metastore::sim
