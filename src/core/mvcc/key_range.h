// Which keys a request means, with etcd's three spellings of a range (contract 5.2). A KeyRange views bytes of the
// request and owns nothing.
#ifndef METASTORE_CORE_MVCC_KEY_RANGE_H_
#define METASTORE_CORE_MVCC_KEY_RANGE_H_

#include "core/base/bytes.h"

namespace metastore::mvcc {

struct KeyRange {
  BytesView key;
  /// Empty: `key` alone. One zero byte: all keys from `key` on. Else: [key, end), which is empty if end <= key.
  BytesView end;

  static KeyRange all() { return {BytesView("\0", 1), BytesView("\0", 1)}; }

  bool is_single() const { return end.empty(); }
  bool is_open() const { return end == BytesView("\0", 1); }
  bool contains(BytesView candidate) const {
    if (is_single()) return candidate == key;
    return candidate >= key && (is_open() || candidate < end);
  }
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_KEY_RANGE_H_
