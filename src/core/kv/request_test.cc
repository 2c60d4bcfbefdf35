#include "core/kv/request.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/base/encoder.h"
#include "core/base/prng.h"
#include "core/kv/cost.h"
#include "core/kv/sample_requests.h"
#include "core/proto/rpc.pb.h"

namespace metastore::kv {
namespace {

namespace pb = etcdserverpb;

Result<Request> decoded(Method method, const std::string& message, const Limits& limits = {}) {
  return decode(method, Bytes::copy_of(message), limits);
}

/// The name of the error, or "ok".
std::string outcome_of(Method method, const google::protobuf::Message& message, const Limits& limits = {}) {
  const Result<Request> request = decoded(method, message.SerializeAsString(), limits);
  return request ? "ok" : std::string(name(request.error()));
}

Consistency consistency_of(Method method, const google::protobuf::Message& message) {
  return decoded(method, message.SerializeAsString()).value().consistency();
}

pb::RangeRequest range_of(const std::string& key, bool serializable = false) {
  pb::RangeRequest request;
  request.set_key(key);
  request.set_serializable(serializable);
  return request;
}

pb::PutRequest put_of(const std::string& key) {
  pb::PutRequest request;
  request.set_key(key);
  return request;
}

pb::RequestOp operation_of(pb::PutRequest put) {
  pb::RequestOp operation;
  *operation.mutable_request_put() = std::move(put);
  return operation;
}

pb::RequestOp operation_of(pb::RangeRequest range) {
  pb::RequestOp operation;
  *operation.mutable_request_range() = std::move(range);
  return operation;
}

pb::RequestOp operation_of(pb::TxnRequest txn) {
  pb::RequestOp operation;
  *operation.mutable_request_txn() = std::move(txn);
  return operation;
}

pb::TxnRequest txn_of(const std::vector<pb::RequestOp>& success, const std::vector<pb::RequestOp>& failure = {}) {
  pb::TxnRequest txn;
  for (const auto& operation : success) *txn.add_success() = operation;
  for (const auto& operation : failure) *txn.add_failure() = operation;
  return txn;
}

TEST_CASE("a range wants a key and a sort that exists") {
  pb::RangeRequest request;
  CHECK(outcome_of(Method::range, request) == "empty_key");
  request.set_sort_order(pb::RangeRequest::SortOrder(3));
  CHECK(outcome_of(Method::range, request) == "empty_key");
  request.set_key("a");
  CHECK(outcome_of(Method::range, request) == "invalid_sort_option");
  request.set_sort_order(pb::RangeRequest::SortOrder(-1));
  CHECK(outcome_of(Method::range, request) == "invalid_sort_option");
  request.set_sort_order(pb::RangeRequest::DESCEND);
  CHECK(outcome_of(Method::range, request) == "ok");
  request.set_sort_target(pb::RangeRequest::SortTarget(5));
  CHECK(outcome_of(Method::range, request) == "invalid_sort_option");
  request.set_sort_target(pb::RangeRequest::SortTarget(-1));
  CHECK(outcome_of(Method::range, request) == "invalid_sort_option");
  request.set_sort_target(pb::RangeRequest::VALUE);
  CHECK(outcome_of(Method::range, request) == "ok");
}

TEST_CASE("a put wants a key, and no value or lease where it keeps the former one") {
  pb::PutRequest request;
  request.set_ignore_value(true);
  request.set_ignore_lease(true);
  request.set_value("1");
  request.set_lease(1);
  CHECK(outcome_of(Method::put, request) == "empty_key");
  request.set_key("a");
  CHECK(outcome_of(Method::put, request) == "value_provided");
  request.set_value("");
  CHECK(outcome_of(Method::put, request) == "lease_provided");
  request.set_lease(0);
  CHECK(outcome_of(Method::put, request) == "ok");
}

TEST_CASE("a delete wants a key, and a compaction nothing") {
  pb::DeleteRangeRequest request;
  request.set_range_end("z");
  CHECK(outcome_of(Method::delete_range, request) == "empty_key");
  request.set_key("a");
  CHECK(outcome_of(Method::delete_range, request) == "ok");
  CHECK(outcome_of(Method::compact, pb::CompactionRequest()) == "ok");
}

TEST_CASE("each operation of a txn is checked as its own request") {
  pb::TxnRequest txn;
  CHECK(outcome_of(Method::txn, txn) == "ok");
  txn.add_compare();
  CHECK(outcome_of(Method::txn, txn) == "empty_key");
  CHECK(outcome_of(Method::txn, txn_of({pb::RequestOp()})) == "key_not_found");
  CHECK(outcome_of(Method::txn, txn_of({}, {operation_of(put_of(""))})) == "empty_key");
  CHECK(outcome_of(Method::txn, txn_of({operation_of(range_of(""))})) == "empty_key");
  CHECK(outcome_of(Method::txn, txn_of({operation_of(txn_of({operation_of(put_of(""))}))})) == "empty_key");
  pb::RangeRequest range = range_of("a");
  range.set_sort_order(pb::RangeRequest::SortOrder(9));
  CHECK(outcome_of(Method::txn, txn_of({operation_of(range)})) == "invalid_sort_option");
  // The first in order decides, success before failure.
  CHECK(outcome_of(Method::txn, txn_of({pb::RequestOp()}, {operation_of(put_of(""))})) == "key_not_found");
}

TEST_CASE("the longest list of a txn spends from a budget that its nested txns share") {
  Limits limits;
  limits.txn_ops_max = 3;
  const auto ranges = [](std::size_t count) { return std::vector<pb::RequestOp>(count, operation_of(range_of("a"))); };
  const auto outcome_for = [&](const pb::TxnRequest& txn) { return outcome_of(Method::txn, txn, limits); };
  CHECK(outcome_for(txn_of(ranges(3), ranges(3))) == "ok");
  CHECK(outcome_for(txn_of(ranges(4))) == "too_many_ops");
  CHECK(outcome_for(txn_of({}, ranges(4))) == "too_many_ops");
  pb::TxnRequest compares;
  for (int i = 0; i < 4; ++i) compares.add_compare();
  CHECK(outcome_for(compares) == "too_many_ops");

  CHECK(outcome_for(txn_of({operation_of(txn_of(ranges(2)))})) == "ok");
  CHECK(outcome_for(txn_of({operation_of(txn_of(ranges(3)))})) == "too_many_ops");
  // Siblings do not spend from each other's budget, but all of their parent's longest list does.
  CHECK(outcome_for(txn_of({operation_of(txn_of(ranges(1))), operation_of(txn_of(ranges(1)))})) == "ok");
  CHECK(outcome_for(txn_of({operation_of(txn_of(ranges(2)))}, ranges(2))) == "too_many_ops");
  // At the bottom an empty txn costs nothing.
  pb::TxnRequest chain;
  for (int depth = 0; depth < 3; ++depth) chain = txn_of({operation_of(chain)});
  CHECK(outcome_for(chain) == "ok");
  chain = txn_of({operation_of(chain)});
  CHECK(outcome_for(chain) == "too_many_ops");
  // What is too long is not looked into.
  pb::TxnRequest long_and_empty = txn_of(std::vector<pb::RequestOp>(4));
  CHECK(outcome_for(long_and_empty) == "too_many_ops");
}

TEST_CASE("txns may nest as deep as the budget allows, and no message overflows our stack") {
  pb::TxnRequest chain = txn_of({operation_of(put_of("a"))});
  for (int depth = 1; depth < 128; ++depth) chain = txn_of({operation_of(chain)});
  CHECK(outcome_of(Method::txn, chain) == "ok");
  chain = txn_of({operation_of(chain)});
  CHECK(outcome_of(Method::txn, chain) == "too_many_ops");

  // From the inside out: a txn (field 4 of an operation) in an operation (field 2 of a txn).
  std::vector<std::string> heads;
  std::size_t size = 0;
  while (size < 1'000'000) {
    for (const char* tag : {"\x22", "\x12"}) {
      heads.emplace_back(tag);
      append_varint(heads.back(), size);
      size += heads.back().size();
    }
  }
  std::string bomb;
  for (auto head = heads.rbegin(); head != heads.rend(); ++head) bomb += *head;
  const Result<Request> request = decoded(Method::txn, bomb);
  REQUIRE(!request.ok());
  CHECK(name(request.error()) == "undecodable");
}

TEST_CASE("what a request needs before it is answered follows from its method and its wish") {
  CHECK(consistency_of(Method::range, range_of("a")) == Consistency::linearizable);
  CHECK(consistency_of(Method::range, range_of("a", true)) == Consistency::local);
  CHECK(consistency_of(Method::put, put_of("a")) == Consistency::proposed);
  pb::DeleteRangeRequest deletion;
  deletion.set_key("a");
  CHECK(consistency_of(Method::delete_range, deletion) == Consistency::proposed);
  CHECK(consistency_of(Method::compact, pb::CompactionRequest()) == Consistency::proposed);
  CHECK(consistency_of(Method::status, pb::StatusRequest()) == Consistency::local);
  CHECK(consistency_of(Method::alarm, pb::AlarmRequest()) == Consistency::proposed);
  pb::MemberListRequest list;
  CHECK(consistency_of(Method::member_list, list) == Consistency::local);
  list.set_linearizable(true);
  CHECK(consistency_of(Method::member_list, list) == Consistency::linearizable);

  const auto of_txn = [](const pb::TxnRequest& txn) { return consistency_of(Method::txn, txn); };
  CHECK(of_txn(txn_of({})) == Consistency::local);
  CHECK(of_txn(txn_of({operation_of(range_of("a", true))})) == Consistency::local);
  CHECK(of_txn(txn_of({operation_of(range_of("a", true))}, {operation_of(range_of("a"))})) ==
        Consistency::linearizable);
  CHECK(of_txn(txn_of({operation_of(range_of("a", true))}, {operation_of(put_of("a"))})) == Consistency::proposed);
  CHECK(of_txn(txn_of({operation_of(txn_of({}))})) == Consistency::proposed);
}

TEST_CASE("an alarm request is read whole, and one of a number that nobody knows is no mistake") {
  pb::AlarmRequest request;
  request.set_action(pb::AlarmRequest::DEACTIVATE);
  request.set_memberid(0xfedcba9876543210);
  request.set_alarm(pb::CORRUPT);
  const Result<Request> read = decoded(Method::alarm, request.SerializeAsString());
  REQUIRE(read.ok());
  const auto& body = std::get<AlarmRequest>(read.value().body());
  CHECK(body.action == AlarmAction::deactivate);
  CHECK(body.alarm == Alarm{AlarmType::corrupt, MemberId(0xfedcba9876543210)});
  request.set_alarm(static_cast<pb::AlarmType>(9));
  CHECK(outcome_of(Method::alarm, request) == "ok");
}

TEST_CASE("the quota counts what a write brings, of a txn the dearer branch, and nothing that makes room") {
  const auto cost_of = [](Method method, const google::protobuf::Message& message) {
    const Result<Request> request = decoded(method, message.SerializeAsString());
    REQUIRE(request.ok());
    return std::visit([](const auto& body) { return cost(body); }, request.value().body());
  };
  CHECK(cost_of(Method::put, put_of("key")) == 256 + 3);
  pb::PutRequest long_put = put_of("k");
  long_put.set_value("value");
  CHECK(cost_of(Method::put, long_put) == 256 + 1 + 5);
  CHECK(cost_of(Method::lease_grant, pb::LeaseGrantRequest()) == 64);
  pb::DeleteRangeRequest deletion;
  deletion.set_key("a");
  CHECK(cost_of(Method::delete_range, deletion) == 0);
  CHECK(cost_of(Method::compact, pb::CompactionRequest()) == 0);
  CHECK(cost_of(Method::alarm, pb::AlarmRequest()) == 0);
  const pb::TxnRequest inner = txn_of({operation_of(put_of("a")), operation_of(range_of("a"))});
  CHECK(cost_of(Method::txn, txn_of({operation_of(put_of("bb")), operation_of(inner)}, {operation_of(put_of("c"))})) ==
        (256 + 2) + (256 + 1));
  CHECK(cost_of(Method::txn, txn_of({operation_of(range_of("a"))}, {operation_of(inner)})) == 256 + 1);
  CHECK(cost_of(Method::txn, txn_of({operation_of(range_of("a"))})) == 0);
}

// What our reader made of a message, told back as protobuf's classes.
pb::RangeRequest told(const RangeRequest& in) {
  pb::RangeRequest out;
  out.set_key(std::string(in.range.key));
  out.set_range_end(std::string(in.range.end));
  out.set_limit(in.limit);
  out.set_revision(in.revision);
  out.set_sort_order(pb::RangeRequest::SortOrder(in.sort_order));
  out.set_sort_target(pb::RangeRequest::SortTarget(in.sort_target));
  out.set_serializable(in.serializable);
  out.set_keys_only(in.keys_only);
  out.set_count_only(in.count_only);
  out.set_min_mod_revision(in.min_mod_revision);
  out.set_max_mod_revision(in.max_mod_revision);
  out.set_min_create_revision(in.min_create_revision);
  out.set_max_create_revision(in.max_create_revision);
  return out;
}

pb::PutRequest told(const PutRequest& in) {
  pb::PutRequest out;
  out.set_key(std::string(in.key));
  out.set_value(std::string(in.value));
  out.set_lease(in.lease);
  out.set_prev_kv(in.prev_kv);
  out.set_ignore_value(in.ignore_value);
  out.set_ignore_lease(in.ignore_lease);
  return out;
}

pb::DeleteRangeRequest told(const DeleteRangeRequest& in) {
  pb::DeleteRangeRequest out;
  out.set_key(std::string(in.range.key));
  out.set_range_end(std::string(in.range.end));
  out.set_prev_kv(in.prev_kv);
  return out;
}

pb::Compare told(const Compare& in) {
  pb::Compare out;
  out.set_result(pb::Compare::CompareResult(in.result));
  out.set_target(pb::Compare::CompareTarget(in.target));
  out.set_key(std::string(in.range.key));
  out.set_range_end(std::string(in.range.end));
  if (const auto* value = std::get_if<BytesView>(&in.operand)) out.set_value(std::string(*value));
  if (const auto* number = std::get_if<std::int64_t>(&in.operand)) {
    if (in.operand_target == CompareTarget::version) out.set_version(*number);
    if (in.operand_target == CompareTarget::create) out.set_create_revision(*number);
    if (in.operand_target == CompareTarget::mod) out.set_mod_revision(*number);
    if (in.operand_target == CompareTarget::lease) out.set_lease(*number);
  }
  return out;
}

pb::TxnRequest told(const TxnRequest& in);

pb::RequestOp told(const Operation& in) {
  pb::RequestOp out;
  if (const auto* range = std::get_if<RangeRequest>(&in.request)) *out.mutable_request_range() = told(*range);
  if (const auto* put = std::get_if<PutRequest>(&in.request)) *out.mutable_request_put() = told(*put);
  if (const auto* deletion = std::get_if<DeleteRangeRequest>(&in.request)) {
    *out.mutable_request_delete_range() = told(*deletion);
  }
  if (const auto* txn = std::get_if<TxnRequest>(&in.request)) *out.mutable_request_txn() = told(*txn);
  return out;
}

pb::TxnRequest told(const TxnRequest& in) {
  pb::TxnRequest out;
  for (const Compare& compare : in.compare) *out.add_compare() = told(compare);
  for (const Operation& operation : in.success) *out.add_success() = told(operation);
  for (const Operation& operation : in.failure) *out.add_failure() = told(operation);
  return out;
}

pb::CompactionRequest told(const CompactionRequest& in) {
  pb::CompactionRequest out;
  out.set_revision(in.revision);
  out.set_physical(in.physical);
  return out;
}

/// Whether protobuf and we make the same of `bytes`.
template <typename Ours, typename Theirs>
bool read_alike(const std::string& bytes) {
  Ours ours;
  Theirs theirs;
  if (!read(bytes, ours) || !theirs.ParseFromString(bytes)) return read(bytes, ours) == theirs.ParseFromString(bytes);
  theirs.DiscardUnknownFields();
  return told(ours).SerializeAsString() == theirs.SerializeAsString();
}

TEST_CASE("requests are read as protobuf reads them, whole, joined and cut short") {
  Prng prng(1, "requests");
  SampleRequests samples(prng);
  for (int i = 0; i < 3'000; ++i) {
    const std::string txn = samples.txn(3).SerializeAsString();
    const std::string range = samples.range().SerializeAsString();
    const std::string put = samples.put().SerializeAsString();
    const std::string deletion = samples.delete_range().SerializeAsString();
    CHECK(read_alike<TxnRequest, pb::TxnRequest>(txn));
    CHECK(read_alike<RangeRequest, pb::RangeRequest>(range));
    CHECK(read_alike<PutRequest, pb::PutRequest>(put));
    CHECK(read_alike<DeleteRangeRequest, pb::DeleteRangeRequest>(deletion));
    CHECK(read_alike<CompactionRequest, pb::CompactionRequest>(deletion));
    // Of two messages in one, the later fields count, and lists are joined.
    CHECK(read_alike<TxnRequest, pb::TxnRequest>(txn + samples.txn(1).SerializeAsString()));
    CHECK(read_alike<PutRequest, pb::PutRequest>(put + samples.put().SerializeAsString()));
    CHECK(read_alike<RangeRequest, pb::RangeRequest>(range + put));
    CHECK(read_alike<TxnRequest, pb::TxnRequest>(txn.substr(0, prng.below(txn.size() + 1))));
    CHECK(read_alike<PutRequest, pb::PutRequest>(put.substr(0, prng.below(put.size() + 1))));
  }
}

TEST_CASE("a oneof that is sent twice is merged or replaced as protobuf does it") {
  const auto joined = [](const pb::RequestOp& first, const pb::RequestOp& second) {
    const std::string operation = first.SerializeAsString() + second.SerializeAsString();
    std::string txn = "\x12";
    append_varint(txn, operation.size());
    return txn + operation;
  };
  pb::PutRequest value;
  value.set_value("1");
  CHECK(read_alike<TxnRequest, pb::TxnRequest>(joined(operation_of(put_of("a")), operation_of(value))));
  CHECK(read_alike<TxnRequest, pb::TxnRequest>(joined(operation_of(put_of("a")), operation_of(range_of("")))));
  const pb::TxnRequest nested = txn_of({operation_of(put_of("a"))});
  CHECK(read_alike<TxnRequest, pb::TxnRequest>(joined(operation_of(nested), operation_of(nested))));
}

TEST_CASE("numbers too large for 64 bits, heads too long for 32, field 0 and groups are damage") {
  const auto reads = [](const std::string& message) {
    PutRequest put;
    return read(message, put);
  };
  const std::string nine(9, '\xff');
  CHECK(reads("\x18" + nine + "\x01"));
  CHECK(!reads("\x18" + nine + "\x02"));
  CHECK(!reads("\x18" + nine + "\x81" + std::string(1, '\0')));
  CHECK(!reads(std::string("\x00\x01", 2)));
  // A tag or a length of more bytes than 32 bits need, though they hold a small number.
  CHECK(reads("\xc0\x80\x80\x80\x08\x05"));
  CHECK(!reads("\xc0\x80\x80\x80\x88" + std::string(1, '\0') + "\x05"));
  CHECK(!reads("\x42\x80\x80\x80\x80\x80" + std::string(1, '\0')));
  CHECK(!reads("\x43\x44"));
  // A field that we do not know is skipped, whatever its type.
  CHECK(
      reads("\x40\x05"
            "\x41"
            "12345678"
            "\x42\x01"
            "1"
            "\x45"
            "1234"));
  CHECK(
      !reads("\x41"
             "1234567"));
}

TEST_CASE("damage in any byte of a request is read as protobuf reads it") {
  Prng prng(2, "damage");
  SampleRequests samples(prng);
  int compared = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string put = samples.put().SerializeAsString();
    if (put.empty()) continue;
    put[prng.below(put.size())] = static_cast<char>(prng.below(256));
    // Groups are the one thing that we refuse and protobuf skips, and a varint that is too long what it forgives.
    pb::PutRequest theirs;
    PutRequest ours;
    if (theirs.ParseFromString(put) && !read(put, ours)) continue;
    ++compared;
    CHECK(read_alike<PutRequest, pb::PutRequest>(put));
  }
  CHECK(compared > 15'000);
}

}  // namespace
}  // namespace metastore::kv
