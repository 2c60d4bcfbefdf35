// The state that a checkpoint left, put together again row by row: at boot what Replica starts from, beside the log,
// and from a snapshot of the leader's what a follower goes on from. It refuses rows that no member of ours writes, in a
// sentence; it never guesses. What a row means is said in docs/disk_format.md and written by core/replica/checkpoints.
#ifndef METASTORE_CORE_REPLICA_IMAGE_H_
#define METASTORE_CORE_REPLICA_IMAGE_H_

#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/kv/applier.h"
#include "core/raft/types.h"
#include "core/replica/checkpoint.h"
#include "core/replica/members.h"

namespace metastore {

class Image {
 public:
  enum class Source : std::uint8_t {
    checkpoint,  ///< All rows of a table come in the order of their keys, tables in the order of their numbers.
    snapshot,    ///< They come as ImageReader gives them.
  };
  explicit Image(Source source = Source::checkpoint);

  /// Takes the next row.
  [[nodiscard]] Status<std::string> take(Table table, BytesView key, BytesView value);
  /// All rows were taken. Only then is the rest to be called.
  [[nodiscard]] Status<std::string> finish();
  /// The same in slices of about so many keys; true once it is finished.
  [[nodiscard]] Result<bool, std::string> finish_some(std::uint64_t keys);

  /// Whether there was a checkpoint at all.
  bool empty() const { return applied.index == LogIndex(); }

  /// The entry that it stands for, and what ruled there.
  raft::Mark applied;
  std::unique_ptr<kv::Applier> applier;
  Members members;
  std::string cluster_version;

 private:
  [[nodiscard]] Status<std::string> take_fact(BytesView key, BytesView value);
  [[nodiscard]] Status<std::string> take_record(BytesView key, BytesView value);
  [[nodiscard]] Status<std::string> take_lease(BytesView key, BytesView value);
  [[nodiscard]] Status<std::string> take_member(BytesView key, BytesView value);
  [[nodiscard]] Status<std::string> take_alarm(BytesView key, BytesView value);

  Source source_;
  Revision current_{1};
  Revision compacted_ = mvcc::never_compacted;
  std::unique_ptr<mvcc::Restoration> records_;
  std::string next_key_;  ///< From here on keys are to be attached to their leases.
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_IMAGE_H_
