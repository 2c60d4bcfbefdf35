#include "core/kv/command.h"

#include <doctest/doctest.h>

#include <string>

#include "core/proto/raft_internal.pb.h"

namespace metastore::kv {
namespace {

constexpr std::uint64_t first_id = std::uint64_t{1} << 63;

etcdserverpb::InternalRaftRequest parsed(const Bytes& command) {
  etcdserverpb::InternalRaftRequest out;
  REQUIRE(out.ParseFromArray(command.data(), static_cast<int>(command.size())));
  return out;
}

TEST_CASE("a put in the log has these bytes") {
  const std::string put{
      "\x0a\x01"
      "a"
      "\x12\x01"
      "1"};
  const std::string golden = "\x22\x06" + put +  // put = 4
                             "\xa2\x06\x0b"
                             "\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x01"  // header = 100: ID = 1
      ;
  const Bytes command = encode_command(first_id + 1, Method::put, put);
  CHECK(command.view() == golden);
  CHECK(command_size(Method::put, put.size()) == golden.size());
}

TEST_CASE("a command holds the received bytes as they came, unknown fields included") {
  // A duplicated key and a field 900 that no version knows.
  const std::string received{
      "\x0a\x01"
      "x"
      "\x0a\x01"
      "a"
      "\xa0\x38\x05"};
  const Bytes command = encode_command(first_id + 7, Method::put, received);
  CHECK(command.view().find(received) != BytesView::npos);
  const std::optional<Command> decoded = decode_command(command.view());
  REQUIRE(decoded.has_value());
  CHECK(decoded->id == first_id + 7);
  const auto* put = std::get_if<PutRequest>(&decoded->body);
  REQUIRE(put != nullptr);
  CHECK(put->key == "a");
}

TEST_CASE("every proposed method stands in its own field") {
  etcdserverpb::DeleteRangeRequest deletion;
  deletion.set_key("a");
  etcdserverpb::TxnRequest txn;
  txn.add_compare()->set_key("a");
  etcdserverpb::CompactionRequest compaction;
  compaction.set_revision(7);

  const auto encoded = [](Method method, const google::protobuf::Message& message) {
    return encode_command(~std::uint64_t{0}, method, message.SerializeAsString());
  };
  CHECK(parsed(encoded(Method::delete_range, deletion)).delete_range().key() == "a");
  CHECK(parsed(encoded(Method::txn, txn)).txn().compare(0).key() == "a");
  CHECK(parsed(encoded(Method::compact, compaction)).compaction().revision() == 7);
  CHECK(parsed(encoded(Method::compact, compaction)).header().id() == ~std::uint64_t{0});

  const auto decoded = [&](Method method, const google::protobuf::Message& message) {
    return decode_command(encoded(method, message).view()).value().body;
  };
  CHECK(std::holds_alternative<DeleteRangeRequest>(decoded(Method::delete_range, deletion)));
  CHECK(std::holds_alternative<TxnRequest>(decoded(Method::txn, txn)));
  CHECK(std::holds_alternative<CompactionRequest>(decoded(Method::compact, compaction)));
  // The empty message is there, too: it compacts at 0.
  CHECK(parsed(encode_command(first_id, Method::compact, "")).has_compaction());
  CHECK(std::holds_alternative<CompactionRequest>(
      decode_command(encode_command(first_id, Method::compact, "").view())->body));
}

TEST_CASE("the size of a command is known before it is made, whatever its id") {
  for (const std::size_t size : {0, 1, 127, 128, 16'383, 16'384, 1'572'864}) {
    const std::string message(size, '\0');
    for (const std::uint64_t id : {first_id, ~std::uint64_t{0}}) {
      CHECK(encode_command(id, Method::txn, message).size() == command_size(Method::txn, size));
    }
  }
}

TEST_CASE("a member's attributes and the cluster version go through the log") {
  const Bytes attributes =
      encode_member_attributes(first_id, {MemberId(0xfedc), "m1", {"http://a:1", "http://b:2"}, 9, "3.7.1"});
  const auto seen = parsed(attributes).cluster_member_attr_set();
  CHECK(seen.member_id() == 0xfedc);
  CHECK(seen.member_attributes().name() == "m1");
  CHECK(seen.member_attributes().client_urls(1) == "http://b:2");
  const auto decoded_attributes = decode_command(attributes.view());
  REQUIRE(decoded_attributes.has_value());
  CHECK(std::get<MemberAttributes>(decoded_attributes->body) ==
        MemberAttributes{MemberId(0xfedc), "m1", {"http://a:1", "http://b:2"}, 9, "3.7.1"});

  const Bytes version = encode_cluster_version(first_id + 3, "3.7.0");
  CHECK(parsed(version).cluster_version_set().ver() == "3.7.0");
  CHECK(parsed(version).header().id() == first_id + 3);
  const auto decoded_version = decode_command(version.view());
  REQUIRE(decoded_version.has_value());
  CHECK(std::get<ClusterVersion>(decoded_version->body) == ClusterVersion{"3.7.0"});
  CHECK(decoded_version->id == first_id + 3);
}

TEST_CASE("alarms go through the log, a client's and a member's own") {
  const Alarm alarm{AlarmType::nospace, MemberId(0xfedc)};
  const Bytes own = encode_alarm(first_id, alarm);
  CHECK(parsed(own).alarm().action() == etcdserverpb::AlarmRequest::ACTIVATE);
  CHECK(parsed(own).alarm().memberid() == 0xfedc);
  CHECK(parsed(own).alarm().alarm() == etcdserverpb::NOSPACE);
  const Bytes asked = encode_command(first_id, Method::alarm, parsed(own).alarm().SerializeAsString());
  CHECK(asked == own);
  const auto decoded = decode_command(own.view());
  const auto& body = std::get<AlarmRequest>(decoded.value().body);
  CHECK(body.action == AlarmAction::activate);
  CHECK(body.alarm == alarm);
}

TEST_CASE("what is ours alone goes through the log in a form that etcd's tools skip") {
  const Bytes point = encode_state_hash_point(first_id);
  CHECK(point.view().front() == '\0');
  CHECK_FALSE(etcdserverpb::InternalRaftRequest().ParseFromArray(point.data(), static_cast<int>(point.size())));
  const auto decoded = decode_command(point.view());
  REQUIRE(decoded.has_value());
  CHECK(decoded->id == first_id);
  CHECK(std::holds_alternative<StateHashPoint>(decoded->body));

  const std::vector<lease::Remaining> leases = {{LeaseId(7), 300}, {LeaseId(1'000'000), 0}, {LeaseId(-2), 1}};
  const Bytes checkpoint = encode_lease_checkpoint(first_id, leases);
  CHECK(checkpoint.view().front() == '\0');
  CHECK(std::get<LeaseCheckpoint>(decode_command(checkpoint.view()).value().body).leases == leases);
  etcdserverpb::InternalRaftRequest seen;
  REQUIRE(seen.ParseFromArray(checkpoint.data() + 1, static_cast<int>(checkpoint.size()) - 1));
  CHECK(seen.lease_checkpoint().checkpoints(0).id() == 7);
  CHECK(seen.lease_checkpoint().checkpoints(0).remaining_ttl() == 300);
}

TEST_CASE("what protobuf writes in the order of its numbers is what we write") {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_header()->set_id(first_id + 9);
  request.mutable_put()->set_key("a");
  CHECK(encode_command(first_id + 9, Method::put, request.put().SerializeAsString()).view() ==
        request.SerializeAsString());
  request.clear_put();
  request.mutable_cluster_version_set()->set_ver("3.7.0");
  CHECK(encode_cluster_version(first_id + 9, "3.7.0").view() == request.SerializeAsString());
  request.clear_cluster_version_set();
  auto& attributes = *request.mutable_cluster_member_attr_set();
  attributes.set_member_id(5);
  attributes.mutable_member_attributes()->set_name("n");
  attributes.mutable_member_attributes()->add_client_urls("u");
  CHECK(encode_member_attributes(first_id + 9, {MemberId(5), "n", {"u"}}).view() == request.SerializeAsString());
}

TEST_CASE("a damaged command and one of a kind that we do not write are no commands") {
  const Bytes command = encode_command(first_id, Method::put,
                                       "\x0a\x01"
                                       "a");
  for (std::size_t size = 0; size < command.size(); ++size) {
    CHECK(!decode_command(command.view().substr(0, size)).has_value());
  }
  CHECK(decode_command(command.view()).has_value());
  etcdserverpb::InternalRaftRequest other;
  other.mutable_header()->set_id(1);
  other.mutable_auth_enable();
  CHECK(!decode_command(other.SerializeAsString()).has_value());
  CHECK(!decode_command(std::string("\0state hash", 11)).has_value());
}

}  // namespace
}  // namespace metastore::kv
