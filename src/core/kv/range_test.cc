// What scripts cannot show yet: records with a lease, which no request can make before leases exist.
#include "core/kv/range.h"

#include <doctest/doctest.h>

#include <string>

#include "core/kv/txn.h"
#include "core/proto/rpc.pb.h"

namespace metastore::kv {
namespace {

void put_with_lease(mvcc::Store& store, BytesView key, BytesView value, std::int64_t lease) {
  mvcc::Transaction transaction(store);
  transaction.put(key, value, LeaseId(lease));
  transaction.commit();
}

etcdserverpb::RangeResponse answered(const mvcc::Store& store, const RangeRequest& request) {
  const Bytes reply = encode(Header{}, range(View(store), request).value());
  etcdserverpb::RangeResponse response;
  REQUIRE(response.ParseFromArray(reply.data(), static_cast<int>(reply.size())));
  CHECK(response.SerializeAsString() == reply.view());
  return response;
}

TEST_CASE("keys alone come without their leases, unless the sort needed the values") {
  mvcc::Store store;
  put_with_lease(store, "a", "value", -7);
  put_with_lease(store, "b", "", 300);
  put_with_lease(store, "c", std::string(1'000, 'x'), 0);
  RangeRequest request{.range = {"a", "z"}};

  auto all = answered(store, request);
  CHECK(all.kvs(0).lease() == -7);
  CHECK(all.kvs(2).value().size() == 1'000);

  request.keys_only = true;
  auto keys = answered(store, request);
  REQUIRE(keys.kvs_size() == 3);
  for (const auto& kv : keys.kvs()) {
    CHECK(kv.lease() == 0);
    CHECK(kv.value().empty());
    CHECK(kv.version() == 1);
  }
  CHECK(keys.kvs(0).key() == "a");
  CHECK(keys.kvs(1).mod_revision() == 3);

  request.sort_target = SortTarget::value;
  auto sorted = answered(store, request);
  REQUIRE(sorted.kvs_size() == 3);
  CHECK(sorted.kvs(0).key() == "b");
  CHECK(sorted.kvs(0).lease() == 300);
  CHECK(sorted.kvs(1).key() == "a");
  CHECK(sorted.kvs(1).lease() == -7);
  CHECK(sorted.kvs(1).value().empty());
  CHECK(sorted.kvs(2).lease() == 0);
}

TEST_CASE("a put that ignores its lease keeps the former one, and any other drops it") {
  mvcc::Store store;
  lease::Lessor lessor;
  REQUIRE(lessor.grant(LeaseId(7), 10, Instant()).ok());
  const State state{store, lessor};
  REQUIRE(put(state, {.key = "a", .value = "1", .lease = 7}).ok());
  REQUIRE(put(state, {.key = "a", .value = "2", .ignore_lease = true}).ok());
  CHECK(store.get("a", store.current_revision()).lease() == LeaseId(7));
  REQUIRE(put(state, {.key = "a", .ignore_value = true, .ignore_lease = true}).ok());
  CHECK(store.get("a", store.current_revision()).value() == "2");
  CHECK(store.get("a", store.current_revision()).lease() == LeaseId(7));
  REQUIRE(put(state, {.key = "a", .ignore_value = true}).ok());
  CHECK(store.get("a", store.current_revision()).lease() == LeaseId());
}

TEST_CASE("a txn compares leases") {
  mvcc::Store store;
  put_with_lease(store, "a", "1", 7);
  Compare compare{.target = CompareTarget::lease, .range = {"a", ""}};
  compare.operand = std::int64_t{7};
  compare.operand_target = CompareTarget::lease;
  TxnWork work;
  CHECK(read_txn(store, {.compare = {compare}}, work).value().succeeded);
  compare.operand = std::int64_t{8};
  CHECK(!read_txn(store, {.compare = {compare}}, work).value().succeeded);
}

}  // namespace
}  // namespace metastore::kv
