// How much one transaction may read: what is refused, that nothing has changed then, and that all members agree on it.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/kv/txn.h"

namespace metastore::kv {
namespace {

const std::string value_of_a_mebibyte(1 << 20, 'v');
constexpr mvcc::KeyRange all_keys{"k", "l"};

struct Member {
  mvcc::Store store;
  lease::Lessor lessor;

  void put(const std::string& key, BytesView value = "v") {
    mvcc::Transaction transaction(store);
    transaction.put(key, value, LeaseId());
    transaction.commit();
  }
  void put_keys(int count) {
    mvcc::Transaction transaction(store);
    for (int i = 0; i < count; ++i) transaction.put("k" + std::to_string(100'000 + i), "v", LeaseId());
    transaction.commit();
  }
  void delete_all() {
    mvcc::Transaction transaction(store);
    transaction.delete_range(all_keys, [](mvcc::Record) {});
    transaction.commit();
  }

  std::optional<ErrorCode> refusal(const TxnRequest& txn, TxnWork work = {}) {
    const State state{store, lessor};
    const auto response = is_read_only(txn) ? read_txn(store, txn, work) : write_txn(state, txn, work);
    if (response.ok()) return std::nullopt;
    return response.error();
  }
};

TxnRequest ranges(int count, RangeRequest range = {.range = all_keys}) {
  TxnRequest txn;
  for (int i = 0; i < count; ++i) txn.success.push_back({range});
  return txn;
}

TEST_CASE("a transaction may look at so many keys in its ranges, and no more") {
  Member member;
  member.put_keys(1'000);
  CHECK(member.refusal(ranges(90)) == std::nullopt);
  CHECK(member.refusal(ranges(101)) == ErrorCode::txn_too_large);
  CHECK(member.refusal(ranges(101, {.range = all_keys, .limit = 10})) == std::nullopt);
  CHECK(member.refusal(ranges(128, {.range = all_keys, .count_only = true})) == std::nullopt);
  CHECK(member.refusal(ranges(101, {.range = all_keys, .limit = 1, .sort_order = SortOrder::descend})) ==
        ErrorCode::txn_too_large);
}

TEST_CASE("a transaction may look at so many keys in its comparisons, in nested transactions too") {
  Member member;
  member.put_keys(1'000);
  const Compare exists{.result = CompareResult::greater, .range = all_keys};
  const std::vector<Compare> some(60, exists);
  CHECK(member.refusal({.compare = some}) == std::nullopt);
  CHECK(member.refusal({.compare = some, .success = {{TxnRequest{.compare = some}}}}) == ErrorCode::txn_too_large);
  // The branch that is not taken costs nothing.
  CHECK(member.refusal({.compare = some, .failure = {{TxnRequest{.compare = some}}}}) == std::nullopt);
}

TEST_CASE("a transaction may show so many bytes, and no more, wherever they come from") {
  Member member;
  member.put("k", value_of_a_mebibyte);
  const RangeRequest single{.range = {"k", {}}};
  CHECK(member.refusal(ranges(31, single)) == std::nullopt);
  CHECK(member.refusal(ranges(32, single)) == ErrorCode::txn_too_large);
  CHECK(member.refusal(ranges(128, {.range = {"k", {}}, .keys_only = true})) == std::nullopt);

  // What it puts itself is read by the ranges behind it.
  TxnRequest own = ranges(32, {.range = {"new", {}}});
  own.success.insert(own.success.begin(), {PutRequest{.key = "new", .value = value_of_a_mebibyte}});
  CHECK(member.refusal(own) == ErrorCode::txn_too_large);
  CHECK(member.store.current_revision() == Revision(2));
  CHECK_FALSE(member.store.get("new", Revision(2)));
  std::rotate(own.success.begin(), own.success.begin() + 1, own.success.end());
  CHECK(member.refusal(own) == std::nullopt);
}

TEST_CASE("a limit bounds what a sorted range may show") {
  Member member;
  for (int i = 0; i < 40; ++i) member.put("k" + std::to_string(i), value_of_a_mebibyte);
  RangeRequest newest{.range = all_keys, .limit = 1, .sort_order = SortOrder::descend};
  newest.sort_target = SortTarget::mod;
  CHECK(member.refusal(ranges(10, newest)) == std::nullopt);
  newest.limit = 40;
  CHECK(member.refusal(ranges(1, newest)) == ErrorCode::txn_too_large);
}

TEST_CASE("what compaction has freed so far does not decide what is refused") {
  Member swept;
  Member waiting;
  for (Member* member : {&swept, &waiting}) {
    member->put_keys(1'000);
    member->delete_all();
    // Until they are compacted, the deleted keys are looked at.
    CHECK(member->refusal(ranges(101)) == ErrorCode::txn_too_large);
    member->put("kept");
    REQUIRE(member->store.compact(Revision(4)).ok());
  }
  while (!swept.store.compact_some(1'000)) continue;
  TxnRequest txn = ranges(120);
  txn.success.push_back({RangeRequest{.range = all_keys, .count_only = true}});
  for (Member* member : {&swept, &waiting}) {
    TxnWork work;
    CHECK(read_txn(member->store, txn, work).ok());
    CHECK(work.keys < 1'000);
  }
}

}  // namespace
}  // namespace metastore::kv
