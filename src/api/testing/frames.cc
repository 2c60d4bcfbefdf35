#include "api/testing/frames.h"

#include <nghttp2/nghttp2.h>

#include "api/http2_header.h"

namespace metastore::api::testing {
namespace {

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

Headers grpc_headers(std::string_view path) {
  return {{":method", "POST"},
          {":scheme", "http"},
          {":path", std::string(path)},
          {":authority", "localhost"},
          {"content-type", "application/grpc"},
          {"te", "trailers"}};
}

std::string prefixed(std::string_view message, char compressed) {
  return compressed + big_endian(message.size(), 4) + std::string(message);
}

void FrameWriter::Deleter::operator()(nghttp2_hd_deflater* deflater) const { nghttp2_hd_deflate_del(deflater); }

FrameWriter::FrameWriter() {
  nghttp2_hd_deflater* deflater = nullptr;
  nghttp2_must(nghttp2_hd_deflate_new(&deflater, 4096));
  deflater_.reset(deflater);
}

std::string FrameWriter::frame(int type, int flags, std::int32_t stream, std::string_view payload) {
  return big_endian(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         big_endian(static_cast<std::uint32_t>(stream), 4) + std::string(payload);
}

std::string FrameWriter::settings(const std::vector<std::pair<int, std::uint32_t>>& values) {
  std::string payload;
  for (const auto& [name, value] : values)
    payload += big_endian(static_cast<std::uint64_t>(name), 2) + big_endian(value, 4);
  return frame(NGHTTP2_SETTINGS, 0, 0, payload);
}

std::string FrameWriter::settings_ack() { return frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""); }

std::string FrameWriter::data(std::int32_t stream, std::string_view payload, bool end) {
  return frame(NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, stream, payload);
}

std::string FrameWriter::reset(std::int32_t stream, std::uint32_t code) {
  return frame(NGHTTP2_RST_STREAM, 0, stream, big_endian(code, 4));
}

std::string FrameWriter::ping(bool ack) {
  return frame(NGHTTP2_PING, ack ? NGHTTP2_FLAG_ACK : 0, 0, std::string(8, '\0'));
}

std::string FrameWriter::window_update(std::int32_t stream, std::uint32_t increment) {
  return frame(NGHTTP2_WINDOW_UPDATE, 0, stream, big_endian(increment, 4));
}

std::string FrameWriter::headers(std::int32_t stream, const Headers& headers, bool end) {
  std::vector<nghttp2_nv> fields;
  for (const auto& [name, value] : headers) fields.push_back(header(name, value, NGHTTP2_NV_FLAG_NONE));
  std::string block(nghttp2_hd_deflate_bound(deflater_.get(), fields.data(), fields.size()), '\0');
  const ssize_t size = nghttp2_hd_deflate_hd(deflater_.get(), reinterpret_cast<std::uint8_t*>(block.data()),
                                             block.size(), fields.data(), fields.size());
  ASSERT(size >= 0);
  block.resize(static_cast<std::size_t>(size));
  constexpr std::size_t piece_bytes = 16'384;
  const int end_flag = end ? NGHTTP2_FLAG_END_STREAM : 0;
  if (block.size() <= piece_bytes) return frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | end_flag, stream, block);
  std::string out = frame(NGHTTP2_HEADERS, end_flag, stream, block.substr(0, piece_bytes));
  for (std::size_t at = piece_bytes; at < block.size(); at += piece_bytes) {
    const bool last = at + piece_bytes >= block.size();
    out += frame(NGHTTP2_CONTINUATION, last ? NGHTTP2_FLAG_END_HEADERS : 0, stream, block.substr(at, piece_bytes));
  }
  return out;
}

std::string FrameWriter::call(std::int32_t stream, std::string_view path, std::string_view message) {
  return headers(stream, grpc_headers(path), false) + data(stream, prefixed(message), true);
}

void FrameReader::Deleter::operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }

FrameReader::FrameReader() {
  nghttp2_hd_inflater* inflater = nullptr;
  nghttp2_must(nghttp2_hd_inflate_new(&inflater));
  inflater_.reset(inflater);
}

std::vector<std::string> FrameReader::read(std::string_view bytes) {
  rest_.append(bytes);
  std::vector<std::string> lines;
  while (rest_.size() >= http2_frame_head_bytes) {
    const std::size_t size = read_big_endian(std::string_view(rest_).substr(0, 3));
    if (rest_.size() < http2_frame_head_bytes + size) break;
    const auto stream = static_cast<std::int32_t>(read_big_endian(std::string_view(rest_).substr(5, 4)));
    lines.push_back(describe(rest_[3], static_cast<unsigned char>(rest_[4]), stream,
                             std::string_view(rest_).substr(http2_frame_head_bytes, size)));
    rest_.erase(0, http2_frame_head_bytes + size);
  }
  return lines;
}

std::string FrameReader::describe(int type, int flags, std::int32_t stream, std::string_view payload) {
  const std::string on_stream = " " + std::to_string(stream);
  const std::string end = (flags & NGHTTP2_FLAG_END_STREAM) != 0 ? " end" : "";
  const std::string ack = (flags & NGHTTP2_FLAG_ACK) != 0 ? " ack" : "";
  switch (type) {
    case NGHTTP2_DATA:
      bodies_[stream].append(payload);
      return "DATA" + on_stream + " " + std::to_string(payload.size()) + end;
    case NGHTTP2_HEADERS: {
      std::string line = "HEADERS" + on_stream + end + ":";
      const auto* in = reinterpret_cast<const std::uint8_t*>(payload.data());
      std::size_t left = payload.size();
      for (;;) {
        nghttp2_nv field{};
        int inflated = 0;
        const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &inflated, in, left, 1);
        ASSERT(used >= 0);
        in += used;
        left -= static_cast<std::size_t>(used);
        if ((inflated & NGHTTP2_HD_INFLATE_EMIT) != 0) {
          line.append(" ").append(text_of(field.name, field.namelen)).append("=");
          line.append(text_of(field.value, field.valuelen));
        }
        if ((inflated & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      }
      nghttp2_must(nghttp2_hd_inflate_end_headers(inflater_.get()));
      return line;
    }
    case NGHTTP2_RST_STREAM:
      return "RST_STREAM" + on_stream + " code=" + std::to_string(read_big_endian(payload));
    case NGHTTP2_SETTINGS: {
      std::string line = "SETTINGS" + ack;
      for (; payload.size() >= 6; payload.remove_prefix(6)) {
        line += " " + std::to_string(read_big_endian(payload.substr(0, 2))) + "=" +
                std::to_string(read_big_endian(payload.substr(2, 4)));
      }
      return line;
    }
    case NGHTTP2_PING:
      return "PING" + ack;
    case NGHTTP2_GOAWAY:
      return "GOAWAY last=" + std::to_string(read_big_endian(payload.substr(0, 4))) +
             " code=" + std::to_string(read_big_endian(payload.substr(4, 4))) +
             (payload.size() > 8 ? " " + std::string(payload.substr(8)) : "");
    case NGHTTP2_WINDOW_UPDATE:
      return "WINDOW_UPDATE" + on_stream + " +" + std::to_string(read_big_endian(payload));
    default:
      return "frame of type " + std::to_string(type);
  }
}

}  // namespace metastore::api::testing
