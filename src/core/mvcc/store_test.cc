#include "core/mvcc/store.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "core/mvcc/hash_scan.h"

namespace metastore::mvcc {
namespace {

void put(Store& store, BytesView key, BytesView value) {
  Transaction txn(store);
  txn.put(key, value, LeaseId(0));
  txn.commit();
}

TEST_CASE("a record is the KeyValue message that a client gets, byte for byte") {
  Store store;
  Transaction txn(store);
  const Record created = txn.put("k", "v", LeaseId(300)).record;
  CHECK(created.encoded() == BytesView("\x0a\x01k\x10\x02\x18\x02\x20\x01\x2a\x01v\x30\xac\x02", 15));
  const Record empty = txn.put("k", "", LeaseId(-1)).record;
  CHECK(empty.encoded() ==
        BytesView("\x0a\x01k\x10\x02\x18\x02\x20\x02\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 20));
  CHECK(empty.lease() == LeaseId(-1));
  CHECK(empty.value().empty());
  txn.delete_range({"k", ""});
  txn.commit();
  store.history(Revision(2), [](Record record) {
    if (record.tombstone()) {
      CHECK(record.encoded() == BytesView("\x0a\x01k\x18\x02", 5));
      CHECK(record.revision() == RevisionPair{Revision(2), 2});
    }
    return true;
  });
}

TEST_CASE("an old revision of a busy key is found without walking through all younger ones") {
  Store store;
  const std::int64_t versions = 70'000;
  for (std::int64_t i = 0; i < versions; ++i) put(store, "busy", std::to_string(i));
  Prng prng(1, "revisions");
  for (int i = 0; i < 200; ++i) {
    const Revision revision(prng.between(2, versions + 1));
    CHECK(store.get("busy", revision).value() == std::to_string(revision.value() - 2));
    int steps = 0;
    for (Record record = store.get("busy", store.current_revision()); record.mod_revision() > revision; ++steps) {
      const Record::Far far = record.far();
      record = far.target != nullptr && far.main > revision ? Record(far.target) : record.previous();
    }
    CHECK(steps < 200);
  }
  // Links into what was compacted are never followed: a sanitizer would tell.
  CHECK(store.compact(Revision(versions / 2)).ok());
  CHECK(store.compact_some(1'000'000));
  for (std::int64_t i = versions; i < versions + 5'000; ++i) put(store, "busy", std::to_string(i));
  for (std::int64_t revision = versions / 2; revision < versions + 5'000; revision += 77) {
    CHECK(store.get("busy", Revision(revision)).value() == std::to_string(revision - 2));
  }
  store.check_invariants();
}

TEST_CASE("a visitor may stop, and go on later behind the last key it saw") {
  Store store;
  for (const char* key : {"a", "b", "c", "d", "e"}) put(store, key, key);
  std::vector<std::string> seen;
  std::string from = "a";
  while (seen.size() < 5) {
    int taken = 0;
    store.range({from, "z"}, store.current_revision(), [&](Record record) {
      seen.emplace_back(record.key());
      return ++taken < 2;
    });
    from = seen.back() + '\0';
  }
  CHECK(seen == std::vector<std::string>{"a", "b", "c", "d", "e"});
}

TEST_CASE("a transaction may stay open while readers see what was before it") {
  Store store;
  put(store, "a", "before");
  const std::uint32_t hash = hash_kv(store, store.current_revision());
  Transaction txn(store);
  txn.put("a", "after", LeaseId(0));
  txn.put("b", "after", LeaseId(0));
  txn.delete_range({"a", ""});
  CHECK(store.get("a", store.current_revision()).value() == "before");
  CHECK(store.count(KeyRange::all(), store.current_revision()) == 1);
  CHECK(hash_kv(store, store.current_revision()) == hash);
  int events = 0;
  store.history(Revision(2), [&](Record) { return ++events > 0; });
  CHECK(events == 1);
  txn.commit();
  CHECK(store.count(KeyRange::all(), store.current_revision()) == 1);
  CHECK_FALSE(store.get("a", store.current_revision()));
}

TEST_CASE("stores that hold different things have different hashes") {
  Store a;
  Store b;
  CHECK(a.hash() == b.hash());
  put(a, "k", "1");
  put(b, "k", "2");
  CHECK(a.hash() != b.hash());
  CHECK(hash_kv(a, Revision(2)) != hash_kv(b, Revision(2)));
  put(a, "k", "3");
  put(b, "k", "3");
  CHECK(a.hash() == b.hash());
  CHECK(a.compact(Revision(2)).ok());
  CHECK(a.hash() != b.hash());
}

TEST_CASE("HashKV is etcd's number") {
  // As etcd 3.4.23 told them of a 1, b 2, a deleted and c 3, before and after compactions.
  Store store;
  put(store, "a", "1");
  put(store, "b", "2");
  Transaction txn(store);
  txn.delete_range({"a", ""});
  txn.commit();
  put(store, "c", "3");
  CHECK(hash_kv(store, Revision(2)) == 2'587'454'935);
  CHECK(hash_kv(store, Revision(3)) == 1'827'592'406);
  CHECK(hash_kv(store, Revision(4)) == 1'562'576'432);
  CHECK(hash_kv(store, Revision(5)) == 878'850'413);
  CHECK(store.compact(Revision(3)).ok());
  CHECK(hash_kv(store, Revision(4)) == 776'148'148);
  CHECK(hash_kv(store, Revision(5)) == 2'496'403'218);
  CHECK(store.compact(Revision(4)).ok());
  CHECK(hash_kv(store, Revision(5)) == 4'196'123'440);
}

}  // namespace
}  // namespace metastore::mvcc
