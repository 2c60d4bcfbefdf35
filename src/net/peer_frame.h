// How bytes between members are cut into frames: length, kind, checksum, payload. Sans I/O: bytes in, frames out, and
// any chunking of the same bytes gives the same frames. It must never hold more than it was allowed, whatever lengths
// the other side claims: memory grows with what has come, and all readers together reserve from one budget.
#ifndef METASTORE_NET_PEER_FRAME_H_
#define METASTORE_NET_PEER_FRAME_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace metastore::net {

/// Their numbers stand on the wire.
enum class FrameKind : std::uint32_t {
  hello = 1,
  welcome = 2,
  refusal = 3,
  message = 4,
  ping = 5,
  pong = 6,
  inquiry = 7,
  roster = 8,
};

struct Frame {
  FrameKind kind = FrameKind::hello;
  BytesView payload;
};

/// Little-endian: payload's length (4 bytes), kind (4), XXH3 of the payload seeded with both (8).
inline constexpr std::size_t frame_header_bytes = 16;

/// Makes room for a header at the end of `out`; the payload is appended behind it. Returns where the frame begins.
std::size_t begin_frame(std::string& out);
/// Fills in the header of the frame that begins at `begin` and ends with `out`.
void end_frame(std::string& out, std::size_t begin, FrameKind kind);
void append_frame(std::string& out, FrameKind kind, BytesView payload);

enum class FrameFault : std::uint8_t {
  too_long,      ///< Longer than this connection may send.
  unknown_kind,  ///< Of a later version, or no frame at all.
  damaged,       ///< The checksum is another.
  no_room,       ///< All connections together would hold too much.
};
std::string_view describe(FrameFault fault);

/// What all readers of a member may hold together.
struct FrameBudget {
  std::uint64_t bytes_max = 0;
  std::uint64_t held_bytes = 0;
};

class FrameReader {
 public:
  FrameReader(FrameBudget& budget, std::uint64_t payload_bytes_max)
      : budget_(budget), payload_bytes_max_(payload_bytes_max) {}
  ~FrameReader() { release(); }
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  void set_payload_bytes_max(std::uint64_t bytes) { payload_bytes_max_ = bytes; }
  /// Takes bytes from the front of `rest` up to the end of one frame. None: all were taken and more are needed. The
  /// payload is valid until the next call, and as long as `rest`'s bytes are. Nothing comes after a fault.
  Result<std::optional<Frame>, FrameFault> next(BytesView& rest);
  /// A frame has begun and is not whole.
  bool is_within_frame() const { return !buffer_.empty() && !is_delivered_; }

 private:
  void take(BytesView& rest, std::size_t size);
  void release();

  FrameBudget& budget_;
  std::uint64_t payload_bytes_max_;
  std::string buffer_;          ///< The beginning of a frame whose end has not come.
  std::uint64_t reserved_ = 0;  ///< Of the budget.
  bool is_delivered_ = false;   ///< The buffer holds the frame that was given out last.
};

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_FRAME_H_
