// The bytes of the log: frames, records and their bodies, as etcd's WAL has them (docs/disk_format.md). Encoding
// gathers frames for one write; decoding takes exactly what encoding gives and refuses everything else, so that a
// flipped bit outside the checksummed data is damage too. Pure: it knows no file.
#ifndef METASTORE_STORAGE_WAL_RECORD_H_
#define METASTORE_STORAGE_WAL_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/tagged.h"
#include "core/raft/types.h"

namespace metastore::storage {

enum class RecordType : std::uint8_t { metadata = 1, entry = 2, hard_state = 3, crc = 4, snapshot = 5 };

/// Whose log it is. Stands in every segment.
struct Metadata {
  MemberId member_id;
  ClusterId cluster_id;
  bool operator==(const Metadata&) const = default;
};

/// Collects frames, each with the checksum chain's value behind it. Small payloads are copied into one buffer, large
/// ones are only viewed: they must outlive the use of parts(). Memory is kept between batches.
class FrameBuffer {
 public:
  explicit FrameBuffer(std::uint32_t crc) : crc_(crc) {}

  void add_crc();
  void add(const Metadata& metadata);
  void add(const raft::Entry& entry);
  void add(const raft::HardState& hard_state);
  void add(const raft::Mark& mark);

  /// The frames since the last clear(), to be written one behind another. Valid until the next call.
  std::span<const BytesView> parts();
  std::size_t size() const { return size_; }
  /// The chain's value behind the last frame.
  std::uint32_t crc() const { return crc_; }
  void clear();

  /// At least the size of the frame of an entry with `data_size` bytes of data.
  static constexpr std::size_t frame_size_bound(std::size_t data_size) { return data_size + 80; }

 private:
  /// A large payload, and how much of buffer_ stands before it.
  struct Viewed {
    std::size_t buffer_before;
    BytesView bytes;
  };
  void add_frame(RecordType type, BytesView payload);

  std::uint32_t crc_;
  std::size_t size_ = 0;
  std::string body_;    ///< The record's data up to its payload, while it is being added.
  std::string buffer_;  ///< Everything but the large payloads.
  std::vector<Viewed> viewed_;
  std::vector<BytesView> parts_;
};

/// The bytes of the record that a length word announces; none if it is cut off, zero, larger than any record or
/// misstates the padding.
std::optional<std::size_t> decode_length_word(BytesView bytes);

/// One frame as it lies in a segment. `data` views the segment.
struct Frame {
  RecordType type = RecordType::metadata;
  std::uint32_t crc = 0;
  BytesView data;
  std::size_t size = 0;  ///< With length word and padding: where the next frame begins.
};

/// Why bytes are no frame: half a sentence.
struct Damage {
  std::string_view reason;
};

/// The frame at the front of `bytes`. Says nothing about the checksum, which depends on the frames before.
Result<Frame, Damage> decode_frame(BytesView bytes);
/// True if the frame's checksum follows from that of the frame before. A Crc record must repeat it.
bool follows(const Frame& frame, std::uint32_t crc_before);

std::optional<Metadata> decode_metadata(BytesView data);
std::optional<raft::Entry> decode_entry(BytesView data);
std::optional<raft::HardState> decode_hard_state(BytesView data);
std::optional<raft::Mark> decode_mark(BytesView data);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_WAL_RECORD_H_
