#include "net/peer_frame.h"

#include <xxhash.h>

#include <algorithm>

#include "core/base/assert.h"

namespace metastore::net {
namespace {

/// What a buffer may keep between frames, and grows by at least.
constexpr std::size_t small_buffer_bytes = 65'536;

void write_number(char* out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

std::uint64_t read_number(const char* in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  return value;
}

std::uint64_t checksum(std::uint64_t kind, BytesView payload) {
  return XXH3_64bits_withSeed(payload.data(), payload.size(), payload.size() | kind << 32);
}

struct Header {
  explicit Header(BytesView bytes)
      : payload_bytes(read_number(bytes.data(), 4)),
        kind(read_number(bytes.data() + 4, 4)),
        sum(read_number(bytes.data() + 8, 8)) {}
  std::uint64_t payload_bytes;
  std::uint64_t kind;
  std::uint64_t sum;
};

bool is_known(std::uint64_t kind) {
  return kind >= static_cast<std::uint64_t>(FrameKind::hello) && kind <= static_cast<std::uint64_t>(FrameKind::roster);
}

}  // namespace

std::size_t begin_frame(std::string& out) {
  const std::size_t begin = out.size();
  out.append(frame_header_bytes, '\0');
  return begin;
}

void end_frame(std::string& out, std::size_t begin, FrameKind kind) {
  const BytesView payload = BytesView(out).substr(begin + frame_header_bytes);
  ASSERT(payload.size() <= UINT32_MAX);
  const auto number = static_cast<std::uint64_t>(kind);
  const std::uint64_t sum = checksum(number, payload);
  write_number(out.data() + begin, payload.size(), 4);
  write_number(out.data() + begin + 4, number, 4);
  write_number(out.data() + begin + 8, sum, 8);
}

void append_frame(std::string& out, FrameKind kind, BytesView payload) {
  const std::size_t begin = begin_frame(out);
  out.append(payload);
  end_frame(out, begin, kind);
}

std::string_view describe(FrameFault fault) {
  switch (fault) {
    case FrameFault::too_long:
      return "a frame is longer than allowed";
    case FrameFault::unknown_kind:
      return "a frame is of no known kind";
    case FrameFault::damaged:
      return "a frame's checksum is wrong";
    case FrameFault::no_room:
      return "unfinished frames would take too much memory";
  }
  UNREACHABLE();
}

Result<std::optional<Frame>, FrameFault> FrameReader::next(BytesView& rest) {
  if (is_delivered_) release();
  // Most frames lie whole in what has just been read, and need no copy.
  if (!buffer_.empty() || rest.size() < frame_header_bytes) {
    take(rest, std::max(frame_header_bytes, buffer_.size()));
    if (buffer_.size() < frame_header_bytes) return std::optional<Frame>();
  }
  const bool is_buffered = !buffer_.empty();
  const Header header(is_buffered ? BytesView(buffer_) : rest);
  if (header.payload_bytes > payload_bytes_max_) return FrameFault::too_long;
  if (!is_known(header.kind)) return FrameFault::unknown_kind;
  const std::size_t frame_bytes = frame_header_bytes + header.payload_bytes;
  BytesView whole;
  if (!is_buffered && rest.size() >= frame_bytes) {
    whole = rest.substr(0, frame_bytes);
    rest.remove_prefix(frame_bytes);
  } else {
    if (reserved_ == 0) {
      if (frame_bytes > budget_.bytes_max - budget_.held_bytes) return FrameFault::no_room;
      budget_.held_bytes += frame_bytes;
      reserved_ = frame_bytes;
    }
    take(rest, frame_bytes);
    if (buffer_.size() < frame_bytes) return std::optional<Frame>();
    is_delivered_ = true;
    whole = buffer_;
  }
  const BytesView payload = whole.substr(frame_header_bytes);
  if (checksum(header.kind, payload) != header.sum) return FrameFault::damaged;
  return std::optional<Frame>(Frame{static_cast<FrameKind>(header.kind), payload});
}

void FrameReader::take(BytesView& rest, std::size_t size) {
  const std::size_t taken = std::min(rest.size(), size - buffer_.size());
  if (buffer_.size() + taken > buffer_.capacity()) {
    buffer_.reserve(std::min(size, std::max(buffer_.size() + taken, buffer_.capacity() * 2)));
  }
  buffer_.append(rest.substr(0, taken));
  rest.remove_prefix(taken);
}

void FrameReader::release() {
  budget_.held_bytes -= reserved_;
  reserved_ = 0;
  is_delivered_ = false;
  buffer_.clear();
  if (buffer_.capacity() > small_buffer_bytes) std::string().swap(buffer_);
}

}  // namespace metastore::net
