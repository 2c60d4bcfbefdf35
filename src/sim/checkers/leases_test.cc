// Tests of the tester: the oracle of leases is fed a story that it must accept, and each lie that it must see.
#include "sim/checkers/leases.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace metastore::sim {
namespace {

constexpr LeaseTerms terms{.ttl_seconds_min = 2,
                           .grace = Duration::seconds(1),
                           .slack_at_least = Duration::seconds(1),
                           .slack_a_request = Duration::seconds(1)};
constexpr std::int64_t lease = 7;
constexpr std::string_view not_found = "etcdserver: requested lease not found";

Instant at(std::int64_t second) { return Instant::from_nanoseconds(second * 1'000'000'000); }

/// What was asked at one second and answered at another, told in the order of asking.
class Story {
 public:
  explicit Story(const LeaseTerms& owed = terms) : terms_(owed) { boots(0); }

  Story& done(std::int64_t asked, std::int64_t answered, Request request, Response response) {
    truth_.model.apply(Put{"tick", std::to_string(asked)});
    response.revision = truth_.model.revision();
    history_.end_done(history_.begin(1, member_, std::move(request), at(asked)), std::move(response), at(answered));
    return *this;
  }
  /// What follows is asked another member.
  Story& at_member(std::uint64_t number) {
    member_ = number;
    return *this;
  }
  Story& failed(std::int64_t asked, std::int64_t answered, Request request, std::string_view error) {
    history_.end_failed(history_.begin(1, member_, std::move(request), at(asked)), std::string(error), at(answered));
    return *this;
  }
  Story& grant(std::int64_t asked, std::int64_t ttl, std::int64_t granted, std::int64_t id = lease) {
    return done(asked, asked + 1, Grant{lease, ttl}, {0, GrantReply{id, granted}});
  }
  Story& kept(std::int64_t asked, std::int64_t ttl) {
    KeepAlive& keep_alive = history_.begin_keep_alive(lease, member_, at(asked));
    keep_alive.returned = at(asked + 1);
    keep_alive.ttl_seconds = ttl;
    return *this;
  }
  /// Answered long after it was asked, and not with the first answer that was given.
  Story& too_late(std::int64_t asked, std::int64_t answered) {
    KeepAlive& keep_alive = history_.begin_keep_alive(lease, member_, at(asked));
    keep_alive.returned = at(answered);
    return *this;
  }
  Story& unanswered_keep_alive(std::int64_t asked) {
    history_.begin_keep_alive(lease, member_, at(asked));
    return *this;
  }
  Story& in_vain(std::uint64_t requests) {
    history_.asked_in_vain(requests);
    return *this;
  }
  Story& time(std::int64_t asked, std::int64_t remaining, std::int64_t granted, std::vector<std::string> keys = {}) {
    return done(asked, asked + 1, TimeToLive{lease, true}, {0, TimeToLiveReply{remaining, granted, std::move(keys)}});
  }
  Story& revoked(std::int64_t asked) { return done(asked, asked + 1, Revoke{lease}, {0, RevokeReply{}}); }
  Story& listed(std::int64_t asked, std::vector<std::int64_t> ids) {
    return done(asked, asked + 1, Leases{}, {0, LeasesReply{std::move(ids)}});
  }
  Story& hung(std::string key) {
    truth_.model.apply(Put{.key = std::move(key), .value = "x", .lease = lease});
    return *this;
  }
  /// Its keys go, and somebody sees a later revision at `second`.
  Story& ended(std::int64_t second) {
    REQUIRE(truth_.model.end_lease(lease));
    truth_.lease_ends.push_back({lease, truth_.model.revision()});
    return done(second, second, Get{.keys = {"x", ""}}, {0, GetReply{}});
  }
  Story& boots(std::int64_t second) {
    history_.booted(member_, at(second));
    history_.renewed_leases(at(second));
    return *this;
  }

  /// "" if it is accepted.
  std::string verdict() {
    const auto violation = check_leases(history_, truth_, terms_, counts_);
    if (!violation) return "";
    CHECK(violation->oracle == "O6");
    return violation->message.substr(0, violation->message.find(" #"));
  }
  const LeaseCounts& counts() const { return counts_; }

 private:
  const LeaseTerms terms_;
  std::uint64_t member_ = 1;
  History history_;
  Truth truth_;
  LeaseCounts counts_;
};

TEST_CASE("O6 accepts a lease that is granted, kept alive, looked at, and expires with its keys") {
  Story story;
  story.failed(0, 1, Put{"early", "1", false, lease}, not_found).grant(1, 10, 10).hung("a").time(3, 8, 10, {"a"});
  story.listed(5, {lease}).kept(6, 10).time(8, 8, 10, {"a"}).boots(9).time(12, 9, 10, {"a"}).ended(22);
  story.time(24, -1, 0).listed(26, {});
  CHECK(story.verdict() == "");
  CHECK(story.counts().promises == 2);
  CHECK(story.counts().expiries == 1);
  CHECK(story.counts().times_to_live == 4);
  CHECK(story.counts().keys == 3);
  CHECK(story.counts().lists == 2);
  CHECK(Story().grant(1, 10, 10).revoked(3).time(5, -1, 0).verdict() == "");
}

TEST_CASE("O6 rejects a grant of another time or id than was asked for") {
  CHECK(Story().grant(1, 10, 9).verdict() == "lease 7: it was granted 9s");
  CHECK(Story().grant(1, 0, 0).verdict() == "lease 7: it was granted 0s");
  CHECK(Story().grant(1, 10, 10, 8).verdict() == "lease 7: another was granted");
  CHECK(Story().done(1, 2, Grant{0, 5}, {0, GrantReply{-3, 5}}).verdict() ==
        "lease -3: the member picked an id that it must not");
}

TEST_CASE("O6 rejects an end before the time that a grant or a keep-alive promised, by every sign of it") {
  const std::string until_11 = " at 5.000000s, but at 1.000000s it was promised until 11.000000s";
  CHECK(Story().grant(1, 10, 10).time(4, -1, 0).verdict() == "lease 7: it had no time to live" + until_11);
  CHECK(Story().grant(1, 10, 10).failed(4, 5, Put{"a", "1", false, lease}, not_found).verdict() ==
        "lease 7: a put did not find it" + until_11);
  CHECK(Story().grant(1, 10, 10).failed(4, 5, Revoke{lease}, not_found).verdict() ==
        "lease 7: a revocation did not find it" + until_11);
  CHECK(Story().grant(1, 10, 10).kept(4, 0).verdict() == "lease 7: a keep-alive did not find it" + until_11);
  CHECK(Story().grant(1, 10, 10).listed(4, {}).verdict() == "lease 7: it was not listed" + until_11);
  CHECK(Story().grant(1, 10, 10).hung("a").ended(5).verdict() == "lease 7: its keys were deleted" + until_11);
  CHECK(Story().grant(1, 10, 10).kept(8, 10).time(16, -1, 0).verdict() ==
        "lease 7: it had no time to live at 17.000000s, but at 8.000000s it was promised until 18.000000s");
  // What somebody revoked may go at any time, but not before that was asked.
  CHECK(Story().grant(1, 10, 10).time(4, -1, 0).revoked(6).verdict() == "lease 7: it had no time to live" + until_11);
}

TEST_CASE("O6 rejects a lease that comes back, or that nobody granted") {
  CHECK(Story().grant(1, 3, 3).time(9, -1, 0).kept(12, 3).verdict() ==
        "lease 7: it was kept alive at 13.000000s, but it had no time to live at 10.000000s");
  CHECK(Story().grant(1, 9, 9).revoked(3).done(5, 6, Put{"a", "1", false, lease}, {0, PutReply{}}).verdict() ==
        "lease 7: a key was hung on it at 6.000000s, but it was revoked at 4.000000s");
  CHECK(Story().grant(1, 9, 9).revoked(3).listed(5, {lease}).verdict() ==
        "lease 7: it is listed, but it was revoked at 4.000000s");
  CHECK(Story().kept(1, 5).verdict() == "lease 7: it was kept alive at 2.000000s, but nobody granted it");
  CHECK(Story().listed(1, {99}).verdict() == "lease 99: it is listed and nobody granted it");
}

TEST_CASE("O6 allows for clocks that are fast or slow, by as much as they may be and no more") {
  LeaseTerms astray = terms;
  astray.clock_pace_ppm = 100'000;
  const auto story = [&] { return Story(astray); };
  CHECK(story().grant(1, 20, 20).time(18, -1, 0).verdict() == "");
  CHECK(story().grant(1, 20, 20).time(17, -1, 0).verdict().starts_with("lease 7: it had no time to live at 18"));
  CHECK(story().grant(1, 20, 20).time(11, 7, 20).verdict() == "");
  CHECK(story().grant(1, 20, 20).time(11, 4, 20).verdict() == "lease 7: less time is left than was promised:");
  CHECK(story().grant(1, 20, 20).time(12, 11, 20).verdict() == "");
  CHECK(story().grant(1, 20, 20).time(12, 12, 20).verdict() == "lease 7: more time is left than it was given:");
  CHECK(story().grant(1, 20, 20).time(26, -5, 20).verdict() == "");
  CHECK(story().grant(1, 20, 20).time(31, -9, 20).verdict() != "");
}

TEST_CASE("O6 lets a member's list be as old as that member is, and rejects one that is older") {
  LeaseTerms of_several = terms;
  of_several.is_alone = false;
  const auto story = [&] { return Story(of_several); };
  // Another member has not heard of the grant, or of the end.
  CHECK(story().grant(1, 10, 10).at_member(2).listed(3, {}).verdict() == "");
  CHECK(story().grant(1, 10, 10).revoked(3).at_member(2).listed(5, {lease}).verdict() == "");
  CHECK(story().grant(1, 10, 10).listed(3, {}).verdict() ==
        "lease 7: it was not listed at 4.000000s, but at 1.000000s it was promised until 11.000000s");
  CHECK(story().grant(1, 10, 10).revoked(3).listed(5, {lease}).verdict() ==
        "lease 7: it is listed, but it was revoked at 4.000000s");
  // What the leader said through a member is not what that member knows.
  CHECK(story().grant(1, 10, 10).at_member(2).time(3, 7, 10).listed(5, {}).verdict() == "");
  CHECK(story().grant(1, 3, 3).time(9, -1, 0).listed(11, {lease}).verdict() == "");
  // A start may take a member back, a keep-alive through it tells nothing of it.
  CHECK(story().grant(1, 10, 10).revoked(3).boots(5).listed(6, {lease}).verdict() == "");
  CHECK(story().at_member(2).grant(1, 10, 10).at_member(1).kept(3, 10).listed(5, {}).verdict() == "");
}

TEST_CASE("O6 rejects a lease that lives on although nobody keeps it alive") {
  CHECK(Story().grant(1, 3, 3).time(7, -2, 3).verdict() == "");
  CHECK(Story().grant(1, 3, 3).time(8, -3, 3).verdict() ==
        "lease 7: it had a time to live at 9.000000s, but it had to end by 7.000000s");
  CHECK(Story().grant(1, 3, 3).in_vain(1).time(8, -3, 3).verdict() == "");
  CHECK(Story().grant(1, 3, 3).unanswered_keep_alive(4).time(8, -1, 3).verdict() == "");
  CHECK(Story().grant(1, 3, 3).boots(6).time(8, 2, 3).verdict() == "");
}

TEST_CASE("O6 rejects a time to live that is no countdown from what was promised") {
  CHECK(Story().grant(1, 10, 10).time(4, 5, 10).verdict() == "lease 7: less time is left than was promised:");
  CHECK(Story().grant(1, 10, 10).time(4, 9, 10).verdict() == "lease 7: more time is left than it was given:");
  CHECK(Story().grant(1, 10, 10).too_late(8, 40).time(15, 4, 10).verdict() == "");
  CHECK(Story().grant(1, 10, 10).time(4, 7, 11).verdict() == "lease 7: another time was granted:");
  CHECK(Story().grant(1, 10, 10).kept(4, 11).verdict() == "lease 7: it was promised two times to live");
  CHECK(Story().grant(1, 3, 3).time(9, 1, 0).verdict() == "lease 7: it is gone, but has time left");
}

TEST_CASE("O6 rejects keys that a lease has not, and keys that outlive it") {
  CHECK(Story().grant(1, 10, 10).hung("a").time(4, 7, 10, {"b"}).verdict() == "lease 7: it has other keys:");
  CHECK(Story().grant(1, 10, 10).hung("a").time(4, 7, 10).verdict() == "lease 7: it has other keys:");
  CHECK(Story().grant(1, 3, 3).hung("a").time(9, -1, 0).verdict() == "lease 7: its keys have outlived it:");
  CHECK(Story().grant(1, 10, 10).hung("a").revoked(4).verdict() == "lease 7: its keys have outlived it:");
}

}  // namespace
}  // namespace metastore::sim
