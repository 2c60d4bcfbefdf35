// What gRPC adds to HTTP/2: messages behind a five-byte prefix, deadlines in a header, a status in the trailers.
// Values and functions only: it knows neither frames nor streams. Texts of failures are grpc-go's, because clients of
// etcd have learned those.
// Source: gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md).
#ifndef METASTORE_API_GRPC_H_
#define METASTORE_API_GRPC_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/result.h"
#include "core/base/time.h"

namespace metastore::api {

/// Why a call ends without a message.
struct Failure {
  StatusCode code = StatusCode::unknown;
  std::string text;
  int http_status = 200;  ///< Another one where the request is no gRPC at all.
  bool operator==(const Failure&) const = default;
};

/// One byte that says whether the message is compressed, four of big-endian length.
constexpr std::size_t message_prefix_bytes = 5;
using MessagePrefix = std::array<char, message_prefix_bytes>;

/// What one stream is still to send: messages, each behind its prefix, in pieces of any size. Their bytes are shared,
/// not copied.
class OutgoingBody {
 public:
  /// A message of `bytes` bytes begins. Requires: the one before is complete; the size fits in 32 bits.
  void begin_message(std::uint64_t bytes);
  /// Its next part. Requires: no more than was announced.
  void add(Bytes part);
  void clear();

  /// Prefixes included.
  std::uint64_t unsent_bytes() const { return unsent_bytes_; }
  /// Whether all announced bytes have been added.
  bool is_complete() const { return expected_bytes_ == 0; }
  /// Appends the next `bytes` bytes to `out`; returns how many of them were no prefix.
  /// Requires: bytes <= unsent_bytes().
  std::uint64_t send(std::uint64_t bytes, std::string& out);

 private:
  struct Piece {
    MessagePrefix prefix;
    std::size_t prefix_size = 0;  ///< 0 for a part that goes on with a message.
    Bytes bytes;
  };

  std::vector<Piece> pieces_;
  std::size_t first_ = 0;         ///< The piece that is being sent ...
  std::uint64_t sent_bytes_ = 0;  ///< ... and how much of it has been.
  std::uint64_t unsent_bytes_ = 0;
  std::uint64_t expected_bytes_ = 0;
  MessagePrefix next_prefix_{};
  bool has_next_prefix_ = false;
};

/// Cuts the body of one stream into messages, however it was cut into frames.
class MessageReader {
 public:
  explicit MessageReader(std::uint64_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  void clear();
  /// Takes the next bytes and appends the messages that they complete. After a failure nothing more may be read.
  [[nodiscard]] std::optional<Failure> read(BytesView bytes, std::vector<Bytes>& messages);
  /// Of a message that is not whole.
  std::uint64_t held_bytes() const { return partial_.size(); }
  /// False within a message.
  bool at_boundary() const { return prefix_filled_ == 0; }

 private:
  std::optional<Failure> check_prefix();

  std::uint64_t message_bytes_max_;
  MessagePrefix prefix_{};
  std::size_t prefix_filled_ = 0;
  std::size_t message_bytes_ = 0;
  std::string partial_;
};

/// The value of a grpc-timeout header: up to eight digits and a unit. The error is grpc-go's sentence.
Result<Duration, std::string> parse_timeout(std::string_view value);
/// The shortest value not below `timeout`, at most 99,999,999 hours.
std::string format_timeout(Duration timeout);

/// For grpc-message: printable ASCII but '%' stays, the rest becomes %XX.
std::string percent_encode(std::string_view text);
/// The inverse; what is no escape stays as it is.
std::string percent_decode(std::string_view text);

/// Go's %q for the printable texts that appear in failures; other bytes become \xNN.
std::string quoted(std::string_view text);

}  // namespace metastore::api

#endif  // METASTORE_API_GRPC_H_
