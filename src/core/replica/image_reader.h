// The state as it is at one entry, read as rows while the state goes on changing: what a leader sends to a follower
// that is too far behind for its log (design, law 3). It takes the small tables along when it is made, and reads the
// records from the store in slices. So as long as it reads, nothing may be freed that a later compaction gives up.
//
// The rows: current and compact revision, the small tables, the records from before the compaction by key, those from
// the compaction on by revision, and at last the entry that all of it stands for.
#ifndef METASTORE_CORE_REPLICA_IMAGE_READER_H_
#define METASTORE_CORE_REPLICA_IMAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/kv/applier.h"
#include "core/raft/types.h"
#include "core/replica/checkpoint.h"
#include "core/replica/members.h"

namespace metastore {

class ImageReader {
 public:
  /// Requires: `applied` is the entry up to which all of it is applied.   Bounds: O(leases + members).
  ImageReader(raft::Mark applied, const kv::Applier& applier, const Members& members, std::string_view cluster_version);

  const raft::Mark& applied() const { return applied_; }
  /// kv::Applier::hash() of what it reads.
  std::uint64_t state_hash() const { return state_hash_; }
  bool is_finished() const { return stage_ == Stage::finished; }
  /// Whether it still reads what a compaction at `compacted` gives up.
  bool is_reading_behind(Revision compacted) const { return !is_finished() && compacted_ < compacted; }

  /// The next rows: about `bytes`, fewer at the end alone. None if so many `keys` were looked at before; each takes one
  /// of them.   Requires: !is_finished(), and nothing was freed that it still reads.
  std::optional<Bytes> read(const mvcc::Store& store, std::size_t bytes, std::uint64_t& keys);

 private:
  enum class Stage : std::uint8_t { small_tables, settled, history, finished };

  void read_small_tables(std::size_t bytes);
  /// False if the keys were too few.
  bool read_settled(const mvcc::Store& store, std::size_t bytes, std::uint64_t& keys);
  void read_history(const mvcc::Store& store, std::size_t bytes);

  const raft::Mark applied_;
  const Revision current_;
  const Revision compacted_;
  const std::uint64_t state_hash_;
  Stage stage_ = Stage::small_tables;
  RowWriter rows_;
  Bytes small_tables_;
  RowReader small_rows_;
  std::string next_key_;
  mvcc::RevisionPair next_revision_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_IMAGE_READER_H_
