// Drawn requests against a model that is too simple to be wrong: a copy of all keys for every revision, loops instead
// of indexes, protobuf's own classes instead of ours. Replies must be equal byte for byte.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/prng.h"
#include "core/kv/applier.h"
#include "core/kv/sample_requests.h"
#include "core/proto/rpc.pb.h"

namespace metastore::kv {
namespace {

namespace pb = etcdserverpb;
using google::protobuf::RepeatedPtrField;
using Operations = RepeatedPtrField<pb::RequestOp>;
using State = std::map<std::string, mvccpb::KeyValue>;
using Error = std::optional<ErrorCode>;

const std::string open_end(1, '\0');

bool in_range(const std::string& key, const std::string& begin, const std::string& end) {
  if (end.empty()) return key == begin;
  return key >= begin && (end == open_end || key < end);
}

std::vector<mvccpb::KeyValue> select(const State& state, const std::string& begin, const std::string& end) {
  std::vector<mvccpb::KeyValue> out;
  for (const auto& [key, kv] : state) {
    if (in_range(key, begin, end)) out.push_back(kv);
  }
  return out;
}

/// The rule of duplicate keys in words: a key may not be put where it was put before, or where it is deleted.
struct Touched {
  std::vector<std::string> puts;
  std::vector<std::pair<std::string, std::string>> deletes;

  bool has(const std::string& key) const {
    return std::find(puts.begin(), puts.end(), key) != puts.end() ||
           std::any_of(deletes.begin(), deletes.end(), [&](const auto& deleted) {
             // An end of "\0" is smaller than every key, so that nothing lies before it.
             return deleted.second.empty() ? key == deleted.first : key >= deleted.first && key < deleted.second;
           });
  }
};

bool conflicts(const Operations& operations, Touched& touched) {
  for (const pb::RequestOp& operation : operations) {
    const auto& deletion = operation.request_delete_range();
    if (operation.has_request_delete_range()) touched.deletes.emplace_back(deletion.key(), deletion.range_end());
  }
  for (const pb::RequestOp& operation : operations) {
    if (!operation.has_request_txn()) continue;
    Touched within;
    for (const Operations* branch : {&operation.request_txn().success(), &operation.request_txn().failure()}) {
      Touched alone;
      if (conflicts(*branch, alone)) return true;
      within.puts.insert(within.puts.end(), alone.puts.begin(), alone.puts.end());
      within.deletes.insert(within.deletes.end(), alone.deletes.begin(), alone.deletes.end());
    }
    for (const std::string& key : within.puts) {
      if (touched.has(key)) return true;
    }
    touched.puts.insert(touched.puts.end(), within.puts.begin(), within.puts.end());
    touched.deletes.insert(touched.deletes.end(), within.deletes.begin(), within.deletes.end());
  }
  for (const pb::RequestOp& operation : operations) {
    if (!operation.has_request_put()) continue;
    if (touched.has(operation.request_put().key())) return true;
    touched.puts.push_back(operation.request_put().key());
  }
  return false;
}

bool conflicts(const Operations& operations) {
  Touched touched;
  return conflicts(operations, touched);
}

bool is_too_long(const pb::TxnRequest& txn, int budget) {
  const int longest = std::max({txn.compare_size(), txn.success_size(), txn.failure_size()});
  if (longest > budget) return true;
  for (const Operations* branch : {&txn.success(), &txn.failure()}) {
    for (const pb::RequestOp& operation : *branch) {
      if (operation.has_request_txn() && is_too_long(operation.request_txn(), budget - longest)) return true;
    }
  }
  return false;
}

bool compares(int result, int order) {
  return result == 0 ? order == 0 : result == 1 ? order > 0 : result == 2 ? order < 0 : result == 3 ? order != 0 : true;
}

bool holds(const pb::Compare& compare, const mvccpb::KeyValue& kv) {
  if (compare.target() == pb::Compare::VALUE) {
    const int order = kv.value().compare(compare.value());
    return compares(compare.result(), order);
  }
  const std::map<int, std::pair<std::int64_t, std::int64_t>> sides{
      {pb::Compare::VERSION, {kv.version(), compare.version()}},
      {pb::Compare::CREATE, {kv.create_revision(), compare.create_revision()}},
      {pb::Compare::MOD, {kv.mod_revision(), compare.mod_revision()}},
      {pb::Compare::LEASE, {kv.lease(), compare.lease()}}};
  const auto found = sides.find(compare.target());
  const auto [actual, wanted] = found == sides.end() ? std::pair<std::int64_t, std::int64_t>{} : found->second;
  return compares(compare.result(), actual < wanted ? -1 : actual > wanted ? 1 : 0);
}

class Model {
 public:
  explicit Model(int txn_ops_max) : txn_ops_max_(txn_ops_max) { history_[1]; }

  std::int64_t revision() const { return revision_; }

  std::string put(const pb::PutRequest& request) {
    if (const Error error = check(request)) return failed(*error);
    begin();
    pb::PutResponse response = apply(request);
    return commit(response);
  }

  std::string delete_range(const pb::DeleteRangeRequest& request) {
    begin();
    pb::DeleteRangeResponse response = apply(request);
    return commit(response);
  }

  std::string range(const pb::RangeRequest& request) {
    if (request.revision() > revision_) return failed(ErrorCode::future_revision);
    if (request.revision() > 0 && request.revision() < compacted_) return failed(ErrorCode::compacted);
    begin();
    pb::RangeResponse response = apply(request);
    return commit(response);
  }

  std::string compact(std::int64_t revision) {
    if (revision > revision_) return failed(ErrorCode::future_revision);
    if (revision <= compacted_) return failed(ErrorCode::compacted);
    compacted_ = revision;
    pb::CompactionResponse response;
    begin();
    return commit(response);
  }

  std::string txn(const pb::TxnRequest& request) {
    if (is_too_long(request, txn_ops_max_)) return failed(ErrorCode::too_many_ops);
    if (conflicts(request.success()) || conflicts(request.failure())) return failed(ErrorCode::duplicate_key);
    begin();
    if (const Error error = check(request)) return failed(*error);
    pb::TxnResponse response = apply(request);
    return commit(response);
  }

 private:
  static std::string failed(ErrorCode code) { return "error: " + std::string(name(code)); }

  void begin() {
    state_ = history_.at(revision_);
    changed_ = false;
  }

  /// The revision that a header shows now.
  std::int64_t shown() const { return changed_ ? revision_ + 1 : revision_; }

  template <typename Response>
  std::string commit(Response& response) {
    revision_ = shown();
    history_[revision_] = state_;
    response.mutable_header()->set_cluster_id(1);
    response.mutable_header()->set_member_id(2);
    response.mutable_header()->set_raft_term(3);
    response.mutable_header()->set_revision(revision_);
    return response.SerializeAsString();
  }

  bool decide(const pb::TxnRequest& txn) const {
    const State& before = history_.at(revision_);
    for (const pb::Compare& compare : txn.compare()) {
      const auto kvs = select(before, compare.key(), compare.range_end());
      if (kvs.empty() && (compare.target() == pb::Compare::VALUE || !holds(compare, {}))) return false;
      for (const auto& kv : kvs) {
        if (!holds(compare, kv)) return false;
      }
    }
    return true;
  }

  const Operations& taken(const pb::TxnRequest& txn) const { return decide(txn) ? txn.success() : txn.failure(); }

  Error check(const pb::PutRequest& put) const {
    if (put.lease() != 0) return ErrorCode::lease_not_found;
    const bool ignores = put.ignore_value() || put.ignore_lease();
    if (ignores && !history_.at(revision_).contains(put.key())) return ErrorCode::key_not_found;
    return std::nullopt;
  }

  Error check(const pb::TxnRequest& txn) const {
    for (const pb::RequestOp& operation : taken(txn)) {
      Error error;
      if (operation.has_request_put()) error = check(operation.request_put());
      if (operation.has_request_txn()) error = check(operation.request_txn());
      const std::int64_t asked = operation.request_range().revision();
      if (operation.has_request_range() && asked != 0 && asked > revision_) error = ErrorCode::future_revision;
      if (operation.has_request_range() && asked != 0 && asked < compacted_) error = ErrorCode::compacted;
      if (error) return error;
    }
    return std::nullopt;
  }

  pb::PutResponse apply(const pb::PutRequest& request) {
    pb::PutResponse response;
    changed_ = true;
    const auto found = state_.find(request.key());
    const bool exists = found != state_.end();
    if (exists && request.prev_kv()) *response.mutable_prev_kv() = found->second;
    mvccpb::KeyValue kv = exists ? found->second : mvccpb::KeyValue();
    if (!exists) kv.set_create_revision(shown());
    kv.set_key(request.key());
    kv.set_mod_revision(shown());
    kv.set_version(kv.version() + 1);
    if (!request.ignore_value()) kv.set_value(request.value());
    state_[request.key()] = kv;
    response.mutable_header()->set_revision(shown());
    return response;
  }

  pb::DeleteRangeResponse apply(const pb::DeleteRangeRequest& request) {
    pb::DeleteRangeResponse response;
    for (const auto& kv : select(state_, request.key(), request.range_end())) {
      if (request.prev_kv()) *response.add_prev_kvs() = kv;
      response.set_deleted(response.deleted() + 1);
      state_.erase(kv.key());
      changed_ = true;
    }
    response.mutable_header()->set_revision(shown());
    return response;
  }

  pb::RangeResponse apply(const pb::RangeRequest& request) {
    const State& state = request.revision() > 0 ? history_.at(request.revision()) : state_;
    auto kvs = select(state, request.key(), request.range_end());
    pb::RangeResponse response;
    response.mutable_header()->set_revision(shown());
    response.set_count(static_cast<std::int64_t>(kvs.size()));
    if (request.count_only()) return response;

    const bool filters = request.min_mod_revision() != 0 || request.max_mod_revision() != 0 ||
                         request.min_create_revision() != 0 || request.max_create_revision() != 0;
    const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(request.limit(), 0));
    const bool in_order = request.sort_order() == 0 || (request.sort_order() == 1 && request.sort_target() == 0);
    if (limit > 0 && in_order && !filters) kvs.resize(std::min(kvs.size(), limit + 1));
    std::erase_if(kvs, [&](const mvccpb::KeyValue& kv) {
      return (request.min_mod_revision() != 0 && kv.mod_revision() < request.min_mod_revision()) ||
             (request.max_mod_revision() != 0 && kv.mod_revision() > request.max_mod_revision()) ||
             (request.min_create_revision() != 0 && kv.create_revision() < request.min_create_revision()) ||
             (request.max_create_revision() != 0 && kv.create_revision() > request.max_create_revision());
    });
    const auto before = [&](const mvccpb::KeyValue& a, const mvccpb::KeyValue& b) {
      switch (request.sort_target()) {
        case pb::RangeRequest::KEY:
          return a.key() < b.key();
        case pb::RangeRequest::VERSION:
          return a.version() < b.version();
        case pb::RangeRequest::CREATE:
          return a.create_revision() < b.create_revision();
        case pb::RangeRequest::MOD:
          return a.mod_revision() < b.mod_revision();
        default:
          return a.value() < b.value();
      }
    };
    // Insertion sort: stable, and nothing to get wrong.
    for (std::size_t i = 1; i < kvs.size(); ++i) {
      const bool down = request.sort_order() == pb::RangeRequest::DESCEND;
      for (std::size_t j = i; j > 0 && (down ? before(kvs[j - 1], kvs[j]) : before(kvs[j], kvs[j - 1])); --j) {
        std::swap(kvs[j - 1], kvs[j]);
      }
    }
    if (limit > 0 && kvs.size() > limit) {
      kvs.resize(limit);
      response.set_more(true);
    }
    for (mvccpb::KeyValue& kv : kvs) {
      if (request.keys_only()) kv.clear_value();
      *response.add_kvs() = kv;
    }
    return response;
  }

  pb::TxnResponse apply(const pb::TxnRequest& request) {
    pb::TxnResponse response;
    response.mutable_header();
    response.set_succeeded(decide(request));
    for (const pb::RequestOp& operation : taken(request)) {
      pb::ResponseOp& out = *response.add_responses();
      if (operation.has_request_put()) *out.mutable_response_put() = apply(operation.request_put());
      if (operation.has_request_range()) *out.mutable_response_range() = apply(operation.request_range());
      if (operation.has_request_delete_range()) {
        *out.mutable_response_delete_range() = apply(operation.request_delete_range());
      }
      if (operation.has_request_txn()) *out.mutable_response_txn() = apply(operation.request_txn());
    }
    return response;
  }

  const int txn_ops_max_;
  std::int64_t revision_ = 1;
  std::int64_t compacted_ = -1;
  std::map<std::int64_t, State> history_;  ///< Every revision whole, compacted or not.
  State state_;                            ///< Within a request.
  bool changed_ = false;
};

class Member {
 public:
  explicit Member(int txn_ops_max) { limits_.txn_ops_max = static_cast<std::uint64_t>(txn_ops_max); }

  std::string ask(Method method, const google::protobuf::Message& message) {
    const Result<Request> request = decode(method, Bytes::copy_of(message.SerializeAsString()), limits_);
    if (!request) return "error: " + std::string(name(request.error()));
    const Result<Bytes> reply = answer(request.value(), message.SerializeAsString());
    return reply ? std::string(reply.value().view()) : "error: " + std::string(name(reply.error()));
  }

  void compact_some(std::size_t budget) { applier_.compact_some(budget); }
  const mvcc::Store& store() const { return applier_.store(); }

 private:
  Result<Bytes> answer(const Request& request, const std::string& message) {
    const Header header{ClusterId(1), MemberId(2), Term(3)};
    if (request.consistency() != Consistency::proposed) return applier_.read(request, header, Instant());
    const Bytes command = encode_command(std::uint64_t{1} << 63, request.method(), message);
    return applier_.apply(command.view(), header, Instant()).reply;
  }

  Limits limits_;
  Applier applier_;
};

TEST_CASE("drawn requests are answered as a simple model answers them") {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Prng prng(seed, "model");
    SampleRequests samples(prng);
    const int txn_ops_max = static_cast<int>(prng.between(3, 9));
    Model model(txn_ops_max);
    Member member(txn_ops_max);
    for (int step = 0; step < 60; ++step) {
      std::string expected;
      std::string actual;
      std::string asked;
      const auto drawn = prng.below(100);
      if (drawn < 20) {
        const pb::PutRequest request = samples.put();
        expected = model.put(request);
        actual = member.ask(Method::put, request);
        asked = "put " + request.ShortDebugString();
      } else if (drawn < 45) {
        const pb::RangeRequest request = samples.range();
        expected = model.range(request);
        actual = member.ask(Method::range, request);
        asked = "range " + request.ShortDebugString();
      } else if (drawn < 55) {
        const pb::DeleteRangeRequest request = samples.delete_range();
        expected = model.delete_range(request);
        actual = member.ask(Method::delete_range, request);
        asked = "delete " + request.ShortDebugString();
      } else if (drawn < 97) {
        const pb::TxnRequest request = samples.txn(2);
        expected = model.txn(request);
        actual = member.ask(Method::txn, request);
        asked = "txn " + request.ShortDebugString();
      } else {
        pb::CompactionRequest request;
        request.set_revision(prng.between(-2, model.revision() + 1));
        expected = model.compact(request.revision());
        actual = member.ask(Method::compact, request);
        asked = "compact " + request.ShortDebugString();
      }
      REQUIRE_MESSAGE((actual == expected), "seed " << seed << ", step " << step << ": " << asked);
      REQUIRE(member.store().current_revision().value() == model.revision());
      member.compact_some(prng.below(4));
      member.store().check_invariants();
      ++seen[expected.starts_with("error: ") ? expected : "ok"];
    }
  }
  // The draws reach what this test is for.
  for (const char* reached : {"ok", "error: compacted", "error: future_revision", "error: key_not_found",
                              "error: lease_not_found", "error: duplicate_key", "error: too_many_ops"}) {
    CHECK_MESSAGE(seen[reached] > 20, reached);
  }
}

}  // namespace
}  // namespace metastore::kv
