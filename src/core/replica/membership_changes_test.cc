#include "core/replica/membership_changes.h"

#include <doctest/doctest.h>

#include "core/kv/origin.h"
#include "core/proto/raft.pb.h"
#include "core/proto/rpc.pb.h"

namespace metastore {
namespace {

using Kind = MembershipChange::Kind;

/// Members 1 to `started` are voters who have published themselves, then come voters who have not.
Members table(std::uint64_t started, std::uint64_t all) {
  Members members;
  for (std::uint64_t n = 1; n <= all; ++n) {
    Member member{.id = MemberId(n), .peer_urls = {"http://p" + std::to_string(n) + ":1"}};
    if (n <= started) member.name = "m" + std::to_string(n);
    members.restore(member);
  }
  return members;
}

Members with_learner(Members members) {
  members.restore({.id = MemberId(9), .name = "m9", .peer_urls = {"http://p9:1"}, .is_learner = true});
  return members;
}

MembershipChange change(Kind kind, std::uint64_t id, std::vector<std::string> urls = {}) {
  return {kind, {.id = MemberId(id), .peer_urls = std::move(urls), .is_learner = kind == Kind::add_learner}};
}

Connections connected(std::uint64_t self, std::initializer_list<std::uint64_t> others) {
  Connections connections{.self = MemberId(self), .since = {}};
  for (const std::uint64_t id : others) connections.since[MemberId(id)] = Instant::from_nanoseconds(100);
  return connections;
}

constexpr Instant soon = Instant::from_nanoseconds(100);
constexpr Instant sooner = Instant::from_nanoseconds(99);

TEST_CASE("every change comes back from its entry, whoever handed it on") {
  for (const MembershipChange& one :
       {change(Kind::add, 7, {"http://a:1", "http://b:1"}), change(Kind::add_learner, 7, {"http://a:1"}),
        change(Kind::promote, 7), change(Kind::remove, 7), change(Kind::update, 7, {"http://c:1"})}) {
    const Bytes entry = encode(one, 5);
    CHECK(decode_membership_change(entry.view()) == one);
    CHECK(decode_membership_change(kv::with_origin(entry.view(), {MemberId(3), 1, 2}).view()) == one);
    raftpb::ConfChange message;
    REQUIRE(message.ParseFromArray(entry.data(), static_cast<int>(entry.size())));
    CHECK(message.id() == 5);
  }
  CHECK(decode_membership_change("\xff") == std::nullopt);
  raftpb::ConfChange damaged;
  damaged.set_type(raftpb::ConfChangeAddNode);
  damaged.set_context("{");
  CHECK(decode_membership_change(damaged.SerializeAsString()) == std::nullopt);
}

TEST_CASE("the id of a member that is added follows from its URLs, however spelled, and from the second") {
  const auto added = [](std::vector<std::string> urls, std::int64_t nanoseconds) {
    etcdserverpb::MemberAddRequest message;
    for (const std::string& url : urls) message.add_peerurls(url);
    const auto request =
        kv::decode(kv::Method::member_add, Bytes::copy_of(message.SerializeAsString()), Limits()).value();
    return membership_change(request, WallTime{nanoseconds}).member;
  };
  // Of `printf http://10.0.0.10:23801575000000 | sha1sum` the first 8 bytes.
  CHECK(raft::describe(added({"http://10.0.0.10:2380"}, 1'575'000'000'999'999'999).id) == "abbe2b1fadd38654");
  const Member two = added({"http://b:1", " http://a:1"}, 0);
  CHECK(two.peer_urls == std::vector<std::string>{"http://a:1", "http://b:1"});
  CHECK(two.id == added({"http://a:1", "http://b:1"}, 999'999'999).id);
  CHECK(two.id != added({"http://a:1", "http://b:1"}, 1'000'000'000).id);
}

TEST_CASE("the table refuses what etcd's refuses") {
  Members members = with_learner(table(2, 3));
  members.restore_removed(MemberId(5));
  const auto verdict = [&](const MembershipChange& one) { return objection(members, one, 1); };
  CHECK(verdict(change(Kind::add, 7, {"http://new:1"})) == std::nullopt);
  CHECK(verdict(change(Kind::add, 1, {"http://new:1"})) == ErrorCode::member_exists);
  CHECK(verdict(change(Kind::add, 7, {"http://new:1", "http://p2:1"})) == ErrorCode::peer_url_exists);
  CHECK(verdict(change(Kind::add_learner, 7, {"http://new:1"})) == ErrorCode::too_many_learners);
  CHECK(objection(members, change(Kind::add_learner, 7, {"http://new:1"}), 2) == std::nullopt);
  CHECK(verdict(change(Kind::add, 5, {"http://new:1"})) == ErrorCode::member_not_found);
  CHECK(verdict(change(Kind::remove, 4)) == ErrorCode::member_not_found);
  CHECK(verdict(change(Kind::remove, 5)) == ErrorCode::member_not_found);
  CHECK(verdict(change(Kind::remove, 1)) == std::nullopt);
  CHECK(verdict(change(Kind::update, 1, {"http://p1:1", "http://new:1"})) == std::nullopt);
  CHECK(verdict(change(Kind::update, 1, {"http://p2:1"})) == ErrorCode::peer_url_exists);
  CHECK(verdict(change(Kind::promote, 1)) == ErrorCode::member_not_learner);
  CHECK(verdict(change(Kind::promote, 9)) == std::nullopt);
}

TEST_CASE("too few have started: one alone may get company, nobody may lose its quorum") {
  CHECK_FALSE(leaves_too_few_started(table(1, 1), change(Kind::add, 7)));
  CHECK(leaves_too_few_started(table(1, 2), change(Kind::add, 7)));
  CHECK_FALSE(leaves_too_few_started(table(2, 2), change(Kind::add, 7)));
  CHECK_FALSE(leaves_too_few_started(table(1, 2), change(Kind::add_learner, 7)));
  CHECK(leaves_too_few_started(table(1, 1), change(Kind::remove, 1)));
  CHECK_FALSE(leaves_too_few_started(table(1, 2), change(Kind::remove, 2)));
  CHECK(leaves_too_few_started(table(1, 2), change(Kind::remove, 1)));
  CHECK_FALSE(leaves_too_few_started(with_learner(table(1, 1)), change(Kind::remove, 9)));
  CHECK_FALSE(leaves_too_few_started(with_learner(table(2, 3)), change(Kind::promote, 9)));
  CHECK(leaves_too_few_started(with_learner(table(1, 3)), change(Kind::promote, 9)));
}

TEST_CASE("too few are connected: who has just come does not count, who is gone may go") {
  const MembershipChange add = change(Kind::add, 7);
  CHECK_FALSE(leaves_too_few_connected(table(1, 1), add, connected(1, {}), soon));
  CHECK_FALSE(leaves_too_few_connected(table(3, 3), add, connected(1, {2, 3}), soon));
  CHECK(leaves_too_few_connected(table(3, 3), add, connected(1, {2, 3}), sooner));
  CHECK(leaves_too_few_connected(table(3, 3), change(Kind::add_learner, 7), connected(1, {2, 3}), sooner));
  // Of four, three are needed, and the new one is not there.
  CHECK(leaves_too_few_connected(table(3, 3), add, connected(1, {2}), soon));
  CHECK(leaves_too_few_connected(table(2, 2), add, connected(1, {}), soon));
  CHECK_FALSE(leaves_too_few_connected(with_learner(table(2, 2)), add, connected(1, {2}), soon));

  CHECK_FALSE(leaves_too_few_connected(table(3, 3), change(Kind::remove, 3), connected(1, {2}), soon));
  CHECK(leaves_too_few_connected(table(3, 3), change(Kind::remove, 2), connected(1, {2}), soon));
  CHECK(leaves_too_few_connected(table(3, 3), change(Kind::remove, 1), connected(1, {2}), soon));
  CHECK_FALSE(leaves_too_few_connected(table(3, 3), change(Kind::remove, 1), connected(1, {2, 3}), soon));
  CHECK_FALSE(leaves_too_few_connected(table(2, 2), change(Kind::remove, 2), connected(1, {2}), soon));
}

}  // namespace
}  // namespace metastore
