#include "core/replica/members.h"

#include <doctest/doctest.h>

#include "core/proto/raft.pb.h"

namespace metastore {
namespace {

Member founder(std::uint64_t id, std::string name) {
  return {.id = MemberId(id), .name = std::move(name), .peer_urls = {"http://127.0.0.1:2380"}};
}

raft::Entry change(raftpb::ConfChangeType type, std::uint64_t id, const std::string& context) {
  raftpb::ConfChange message;
  message.set_type(type);
  message.set_node_id(id);
  message.set_context(context);
  return {Term(2), LogIndex(9), raft::EntryType::conf_change, Bytes::copy_of(message.SerializeAsString())};
}

TEST_CASE("a new cluster's log begins with one change a member, sorted by id, that the table reads back") {
  const auto entries = bootstrap_entries({founder(7, "seven"), founder(3, "three")});
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].index == LogIndex(1));
  CHECK(entries[1].index == LogIndex(2));
  CHECK(entries[1].term == Term(1));

  Members members;
  for (const raft::Entry& entry : entries) members.apply_conf_change(entry);
  REQUIRE(members.all().size() == 2);
  CHECK(members.all().begin()->second == founder(3, "three"));
  CHECK(*members.find(MemberId(7)) == founder(7, "seven"));
}

TEST_CASE("ids above 2^53 survive the context's JSON") {
  const std::uint64_t large = 0x8e9e05c52164694d;
  raftpb::ConfChange message;
  const auto entry = bootstrap_entries({founder(large, "large")})[0];
  REQUIRE(message.ParseFromArray(entry.data.data(), static_cast<int>(entry.data.size())));
  CHECK(message.node_id() == large);
  CHECK(message.context().find("10276657743932975437") != std::string::npos);
}

TEST_CASE("etcd's changes are applied: add as learner, update, remove for good") {
  Members members;
  members.apply_conf_change(
      change(raftpb::ConfChangeAddLearnerNode, 4, R"({"id":4,"peerURLs":["http://a:1"],"isLearner":true})"));
  REQUIRE(members.find(MemberId(4)) != nullptr);
  CHECK(members.find(MemberId(4))->is_learner);
  CHECK(members.find(MemberId(4))->name.empty());

  members.publish({MemberId(4), "four", {"http://a:2"}, 77, "3.7.1"});
  members.apply_conf_change(change(raftpb::ConfChangeUpdateNode, 4, R"({"id":4,"peerURLs":["http://b:1"]})"));
  CHECK(members.find(MemberId(4))->peer_urls == std::vector<std::string>{"http://b:1"});
  CHECK(members.find(MemberId(4))->name == "four");
  CHECK(members.find(MemberId(4))->version == "3.7.1");
  CHECK(members.find(MemberId(4))->is_learner);

  members.apply_conf_change(change(raftpb::ConfChangeRemoveNode, 4, ""));
  CHECK(members.find(MemberId(4)) == nullptr);
  members.publish({MemberId(4), "ghost", {}});
  CHECK(members.all().empty());
}

}  // namespace
}  // namespace metastore
