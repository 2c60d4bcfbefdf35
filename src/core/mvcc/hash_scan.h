// The number that HashKV tells: etcd's own, so that a member can be compared with one of etcd's that holds the same. It
// is the CRC-32C of the word "key" and of all changes up to a revision that a compaction has left, in their order: each
// as its place (17 bytes, or 18 of a tombstone) and its message. What is left of the changes up to the compact revision
// stands nowhere in their order, so that a scan finds it by the keys and sorts it first. It never changes the store.
#ifndef METASTORE_CORE_MVCC_HASH_SCAN_H_
#define METASTORE_CORE_MVCC_HASH_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/mvcc/record.h"
#include "core/mvcc/revision.h"
#include "core/mvcc/store.h"

namespace metastore::mvcc {

/// Of all changes up to `revision` that a compaction at `compacted` has left.
struct HashOfKeys {
  Revision revision;
  Revision compacted;
  std::uint32_t hash = 0;
};

class HashScan {
 public:
  /// Requires: store.check_readable(revision), or it is negative: then there is nothing to hash.
  HashScan(const Store& store, Revision revision);

  /// Goes on, until about as much was done as hashing `bytes` takes; true once the result has its hash.
  /// Requires: the store has not been compacted since.
  bool go_on(const Store& store, std::uint64_t bytes);
  const HashOfKeys& result() const { return result_; }

 private:
  enum class Phase : std::uint8_t { selecting, merging, following, finished };
  struct Selected {
    RevisionPair revision;
    Record record;
  };
  /// Records that were found and sorted together.
  struct Run {
    std::vector<Selected> selected;
    std::size_t next = 0;
    const Selected& front() const { return selected[next]; }
  };

  void select(const Store& store, std::uint64_t& bytes);
  void merge(std::uint64_t& bytes);
  void follow(const Store& store, std::uint64_t& bytes);
  void add(RevisionPair revision, Record record, std::uint64_t& bytes);

  HashOfKeys result_;
  Phase phase_;
  Revision selected_at_;
  bool found_any_ = false;
  std::string next_key_;   ///< Where to go on selecting.
  std::vector<Run> runs_;  ///< A heap by their first records, while they are merged.
  RevisionPair next_;      ///< Where to go on following the history.
};

/// Of the whole at once.   Requires: store.check_readable(revision).   Bounds: O(keys + history).
std::uint32_t hash_kv(const Store& store, Revision revision);

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_HASH_SCAN_H_
