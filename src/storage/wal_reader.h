// Reads a log from its first segment to its end, record by record, and judges damage (design D3). A batch ends with a
// hard state and is written only when the one before is durable. So damage with a later batch behind it, or in a
// segment that is not the last, or that no torn write leaves, is corruption: refused, with file and offset. What a
// torn write leaves is the tail, which the writer zeroes. The reader itself changes nothing.
#ifndef METASTORE_STORAGE_WAL_READER_H_
#define METASTORE_STORAGE_WAL_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/host/port/files.h"
#include "core/raft/types.h"
#include "storage/wal_record.h"
#include "storage/wal_segment.h"

namespace metastore::storage {

/// The first record of each segment.
struct ChainValue {
  std::uint32_t crc = 0;
  bool operator==(const ChainValue&) const = default;
};

using Record = std::variant<ChainValue, Metadata, raft::Entry, raft::HardState, raft::Mark>;

/// Where the log can be continued, known when all is read.
struct WalTail {
  Segment segment;
  std::uint64_t batch_begin = 0;  ///< Of the last whole batch, or of the segment's head.
  std::uint64_t end = 0;          ///< Behind it. What lies further on counts for nothing.
  std::uint64_t file_size = 0;
  std::uint32_t crc = 0;   ///< The chain's value at `end`.
  std::string torn;        ///< What lies behind `end`, half a sentence; empty if nothing does.
  std::string last_batch;  ///< Its bytes, as they lie in the file.
};

class WalReader {
 public:
  struct Place {
    Segment segment;
    std::uint64_t offset = 0;
  };

  /// Requires: `segments` is not empty, and `files` outlives the reader.
  WalReader(port::Files& files, std::string directory, std::vector<Segment> segments);

  /// The next record, or none at the end. Records behind the last hard state belong to no whole batch.
  port::StorageResult<std::optional<Record>> next();

  /// Where the record lies that next() gave last.
  Place place() const { return {segment(), record_offset_}; }
  /// "member/wal/0000000000000000-0000000000000000.wal at offset 96".
  std::string describe(const Place& place) const;
  /// Whether that record belongs to the head that each segment has had since it got its name.
  bool in_head() const { return ordinal_ <= head_records; }
  std::size_t segment_count() const { return segments_.size(); }
  const Segment& segment() const { return segments_[current_]; }
  std::uint64_t offset() const { return record_offset_; }

  /// Requires: next() has returned none.
  WalTail tail() const;

 private:
  static constexpr std::size_t head_records = 3;

  port::StorageStatus load();
  port::StorageResult<std::optional<Record>> judge(std::string_view reason);
  bool has_unwritten_part(std::size_t record_end) const;

  port::Files* files_;
  std::string directory_;
  std::vector<Segment> segments_;
  std::size_t current_ = 0;  ///< The segment that is being read.
  bool loaded_ = false;
  bool finished_ = false;
  std::string bytes_;  ///< The whole segment.
  std::uint64_t offset_ = 0;
  std::uint64_t record_offset_ = 0;
  std::size_t ordinal_ = 0;  ///< Records read from this segment.
  std::uint32_t crc_ = 0;
  std::optional<Metadata> metadata_;
  std::uint64_t batch_begin_ = 0;
  std::uint64_t batch_end_ = 0;
  std::uint32_t batch_crc_ = 0;
  std::string torn_;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_WAL_READER_H_
