// Drawn requests for tests: few keys, short values, every field now and then, also where it makes no sense.
#ifndef METASTORE_CORE_KV_SAMPLE_REQUESTS_H_
#define METASTORE_CORE_KV_SAMPLE_REQUESTS_H_

#include <cstdint>
#include <string>

#include "core/base/prng.h"
#include "core/proto/rpc.pb.h"

namespace metastore::kv {

class SampleRequests {
 public:
  explicit SampleRequests(Prng& prng) : prng_(prng) {}

  std::string key() { return std::string(1, static_cast<char>('a' + prng_.below(6))); }
  /// None, a key, a key's successor, or the end of all.
  std::string range_end() {
    switch (prng_.below(6)) {
      case 0:
        return std::string(1, '\0');
      case 1:
        return key() + std::string(1, '\0');
      case 2:
        return key();
      case 3:
        return "z";
      default:
        return "";
    }
  }
  /// Mostly near what a short history has.
  std::int64_t revision() { return prng_.chance(1, 50) ? -1 : prng_.between(0, 24); }
  bool seldom() { return prng_.chance(1, 8); }

  etcdserverpb::RangeRequest range() {
    etcdserverpb::RangeRequest out;
    out.set_key(key());
    out.set_range_end(range_end());
    if (seldom()) out.set_limit(prng_.between(-1, 4));
    if (seldom()) out.set_revision(revision());
    if (seldom()) out.set_sort_order(etcdserverpb::RangeRequest::SortOrder(prng_.below(3)));
    if (seldom()) out.set_sort_target(etcdserverpb::RangeRequest::SortTarget(prng_.below(5)));
    if (seldom()) out.set_serializable(true);
    if (seldom()) out.set_keys_only(true);
    if (seldom()) out.set_count_only(true);
    if (seldom()) out.set_min_mod_revision(revision());
    if (seldom()) out.set_max_mod_revision(revision());
    if (seldom()) out.set_min_create_revision(revision());
    if (seldom()) out.set_max_create_revision(revision());
    return out;
  }

  etcdserverpb::PutRequest put() {
    etcdserverpb::PutRequest out;
    out.set_key(key());
    if (prng_.chance(1, 10)) out.set_ignore_value(true);
    if (prng_.chance(1, 10)) out.set_ignore_lease(true);
    if (!out.ignore_value() && !seldom())
      out.set_value(std::string(prng_.below(3), static_cast<char>('0' + prng_.below(4))));
    if (!out.ignore_lease() && prng_.chance(1, 40)) out.set_lease(prng_.between(-1, 300));
    out.set_prev_kv(seldom());
    return out;
  }

  etcdserverpb::DeleteRangeRequest delete_range() {
    etcdserverpb::DeleteRangeRequest out;
    out.set_key(key());
    if (prng_.chance(1, 3)) out.set_range_end(range_end());
    out.set_prev_kv(seldom());
    return out;
  }

  etcdserverpb::Compare compare() {
    etcdserverpb::Compare out;
    out.set_key(key());
    if (seldom()) out.set_range_end(range_end());
    // A fifth operator and a sixth target exist only on the wire.
    out.set_result(etcdserverpb::Compare::CompareResult(prng_.below(seldom() ? 5 : 4)));
    out.set_target(etcdserverpb::Compare::CompareTarget(prng_.below(seldom() ? 6 : 5)));
    const int operand = seldom() ? static_cast<int>(prng_.below(6)) : static_cast<int>(out.target());
    if (operand == 0) out.set_version(prng_.between(0, 3));
    if (operand == 1) out.set_create_revision(revision());
    if (operand == 2) out.set_mod_revision(revision());
    if (operand == 3) out.set_value(std::string(prng_.below(3), static_cast<char>('0' + prng_.below(4))));
    if (operand == 4) out.set_lease(prng_.between(0, 1));
    return out;
  }

  /// With txns in it up to `depth` deep.
  etcdserverpb::TxnRequest txn(int depth) {
    etcdserverpb::TxnRequest out;
    for (auto i = prng_.below(3); i > 0; --i) *out.add_compare() = compare();
    for (auto i = prng_.below(4); i > 0; --i) *out.add_success() = operation(depth);
    for (auto i = prng_.below(3); i > 0; --i) *out.add_failure() = operation(depth);
    return out;
  }

  etcdserverpb::RequestOp operation(int depth) {
    etcdserverpb::RequestOp out;
    const auto drawn = prng_.below(20);
    if (drawn < 6) {
      *out.mutable_request_range() = range();
    } else if (drawn < 12 || (drawn >= 16 && depth == 0)) {
      *out.mutable_request_put() = put();
    } else if (drawn < 16) {
      *out.mutable_request_delete_range() = delete_range();
    } else {
      *out.mutable_request_txn() = txn(depth - 1);
    }
    return out;
  }

 private:
  Prng& prng_;
};

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_SAMPLE_REQUESTS_H_
