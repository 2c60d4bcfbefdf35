// The state that a checkpoint left, put together again row by row at boot: what Replica starts from, beside the log.
// It refuses rows that no checkpoint of ours holds, in a sentence; it never guesses. What a row means is said in
// docs/disk_format.md and written by core/replica/checkpoints.
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
  Image();

  /// Takes the next row: all of a table in the order of their keys, tables in the order of their numbers.
  [[nodiscard]] Status<std::string> take(Table table, BytesView key, BytesView value);
  /// All rows were taken. Only then is the rest to be called.
  [[nodiscard]] Status<std::string> finish();

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

  Revision current_{1};
  Revision compacted_ = mvcc::never_compacted;
  std::unique_ptr<mvcc::Restoration> records_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_IMAGE_H_
