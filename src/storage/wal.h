// The log's writer: appends batches to the last segment, cuts to the next, fills zeros ahead of itself so that a batch
// overwrites blocks that the file already has, and removes segments that a mark stands for (design D3). A batch is one
// gathered write and one fdatasync, and ends with a hard state. All calls block and are made by one thread at a time;
// after a failed one nothing else may be called (law 4).
#ifndef METASTORE_STORAGE_WAL_H_
#define METASTORE_STORAGE_WAL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/host/port/files.h"
#include "core/raft/types.h"
#include "storage/disk_costs.h"
#include "storage/wal_reader.h"
#include "storage/wal_record.h"

namespace metastore::storage {

class Wal {
 public:
  /// Makes a log of one segment with one batch in it. The segment gets its name only when it is durable.
  static port::StorageStatus create(port::Files& files, std::string directory, const Metadata& metadata,
                                    const raft::LogWrite& first);

  /// What a reader has learnt of a log.
  struct Position {
    WalTail tail;
    Metadata metadata;
    raft::HardState hard_state;
    LogIndex last_index;
    std::vector<Segment> segments;
  };
  /// Continues a log: zeroes what is torn and makes durable what was read, before anything is appended.
  static port::StorageResult<std::unique_ptr<Wal>> resume(port::Files& files, std::string directory,
                                                          const Limits& limits, const Position& position);

  /// Writes `writes` as one batch. When it returns, they are durable.
  port::StorageStatus append(std::span<const raft::LogWrite> writes);

  /// Whether the zeros ahead are fewer than they should be, or a segment may go.
  bool wants_upkeep() const { return may_release() || wants_fill(); }
  /// Removes one segment, or writes some more zeros: in this segment or in the one to come.
  port::StorageStatus upkeep() { return may_release() ? release() : fill(); }

  const WalCosts& costs() const { return costs_; }

 private:
  Wal(port::Files& files, std::string directory, const Limits& limits, const Metadata& metadata, std::uint32_t crc);

  std::string path(const Segment& segment) const { return path_in(directory_, file_name(segment)); }
  std::string next_path() const { return path_in(directory_, "next.tmp"); }
  port::StorageStatus sync(port::File& file);
  port::StorageStatus remove_next();
  port::StorageStatus open_next();
  port::StorageStatus publish_next(const Segment& segment);
  port::StorageStatus cut();
  void take(const raft::LogWrite& write);
  bool wants_fill() const;
  port::StorageStatus fill();
  bool may_release() const;
  port::StorageStatus release();

  port::Files& files_;
  const std::string directory_;
  const std::uint64_t segment_size_;
  const std::uint64_t segments_kept_;  ///< 0: all.
  const Metadata metadata_;

  std::vector<Segment> segments_;  ///< The last one is written to.
  std::uint64_t marked_in_ = 0;    ///< The segment with the newest mark that this writer wrote: it stays.
  LogIndex release_to_;            ///< What the replica needs no more of.
  std::unique_ptr<port::File> file_;
  std::uint64_t end_ = 0;             ///< Where the next batch goes.
  bool only_head_ = false;            ///< No batch yet in this segment.
  std::uint64_t filled_ = 0;          ///< The file's size: from end_ on it holds zeros.
  std::unique_ptr<port::File> next_;  ///< The segment to come, without a name of its own yet.
  std::uint64_t next_filled_ = 0;

  raft::HardState hard_state_;
  LogIndex last_index_;
  FrameBuffer frames_;
  WalCosts costs_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_WAL_H_
