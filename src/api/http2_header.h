// The few words of nghttp2's C interface that its server and client sessions share. Only http2 files include this.
#ifndef METASTORE_API_HTTP2_HEADER_H_
#define METASTORE_API_HTTP2_HEADER_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/assert.h"

namespace metastore::api {

constexpr std::size_t http2_frame_head_bytes = 9;

/// For headers whose name and value stay where they are until they are sent: literals.
constexpr std::uint8_t uncopied = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

inline nghttp2_nv header(std::string_view name, std::string_view value, std::uint8_t flags) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return nghttp2_nv{bytes(name), bytes(value), name.size(), value.size(), flags};
}

inline std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// The calls that it wraps fail only for want of memory or by our own mistake.
inline void nghttp2_must(int result) { ASSERT(result == 0); }

}  // namespace metastore::api

#endif  // METASTORE_API_HTTP2_HEADER_H_
