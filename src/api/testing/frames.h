// HTTP/2 frames by hand, for tests: written with every freedom to be wrong, and read back as one line a frame, which
// golden transcripts compare. Only HPACK is nghttp2's; sessions under test share nothing else with this.
#ifndef METASTORE_API_TESTING_FRAMES_H_
#define METASTORE_API_TESTING_FRAMES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_hd_deflater;
struct nghttp2_hd_inflater;

namespace metastore::api::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The headers that every gRPC client sends, for `path`.
Headers grpc_headers(std::string_view path);
/// A message behind its five-byte prefix.
std::string prefixed(std::string_view message, char compressed = 0);

/// Writes a client's bytes. Each function returns one frame.
class FrameWriter {
 public:
  FrameWriter();

  static std::string preface() { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; }
  static std::string frame(int type, int flags, std::int32_t stream, std::string_view payload);
  static std::string settings(const std::vector<std::pair<int, std::uint32_t>>& values = {});
  static std::string settings_ack();
  static std::string data(std::int32_t stream, std::string_view payload, bool end);
  static std::string reset(std::int32_t stream, std::uint32_t code);
  static std::string ping(bool ack = false);
  static std::string window_update(std::int32_t stream, std::uint32_t increment);
  std::string headers(std::int32_t stream, const Headers& headers, bool end);

  /// Preface, settings, acknowledgement of the server's settings.
  static std::string opening() { return preface() + settings() + settings_ack(); }
  /// A whole unary call.
  std::string call(std::int32_t stream, std::string_view path, std::string_view message);

 private:
  struct Deleter {
    void operator()(nghttp2_hd_deflater* deflater) const;
  };
  std::unique_ptr<nghttp2_hd_deflater, Deleter> deflater_;
};

/// Reads a server's bytes, in pieces of any size.
class FrameReader {
 public:
  FrameReader();

  /// Lines of the frames that `bytes` complete: "HEADERS 1 end: grpc-status=0", "DATA 1 7", "GOAWAY last=0 code=11 x".
  std::vector<std::string> read(std::string_view bytes);
  /// All DATA of `stream` so far.
  const std::string& body(std::int32_t stream) { return bodies_[stream]; }

 private:
  struct Deleter {
    void operator()(nghttp2_hd_inflater* inflater) const;
  };
  std::string describe(int type, int flags, std::int32_t stream, std::string_view payload);

  std::unique_ptr<nghttp2_hd_inflater, Deleter> inflater_;
  std::string rest_;
  std::map<std::int32_t, std::string> bodies_;
};

}  // namespace metastore::api::testing

#endif  // METASTORE_API_TESTING_FRAMES_H_
