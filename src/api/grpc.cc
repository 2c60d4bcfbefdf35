#include "api/grpc.h"

#include <algorithm>
#include <cstring>

namespace metastore::api {
namespace {

constexpr std::string_view hexadecimal = "0123456789ABCDEF";

struct TimeoutUnit {
  char letter;
  std::int64_t nanoseconds;
};

constexpr std::array timeout_units = {
    TimeoutUnit{'n', 1},
    TimeoutUnit{'u', 1'000},
    TimeoutUnit{'m', 1'000'000},
    TimeoutUnit{'S', 1'000'000'000},
    TimeoutUnit{'M', 60'000'000'000},
    TimeoutUnit{'H', 3'600'000'000'000},
};
constexpr std::int64_t timeout_value_max = 99'999'999;

int hexadecimal_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

void OutgoingBody::begin_message(std::uint64_t bytes) {
  ASSERT(is_complete());
  ASSERT(bytes <= 0xffffffff);
  next_prefix_ = {'\0', static_cast<char>(bytes >> 24), static_cast<char>(bytes >> 16), static_cast<char>(bytes >> 8),
                  static_cast<char>(bytes)};
  has_next_prefix_ = true;
  expected_bytes_ = bytes;
  if (bytes == 0) add(Bytes());
}

void OutgoingBody::add(Bytes part) {
  ASSERT(part.size() <= expected_bytes_);
  expected_bytes_ -= part.size();
  Piece piece{.prefix = next_prefix_, .prefix_size = has_next_prefix_ ? message_prefix_bytes : 0, .bytes = {}};
  has_next_prefix_ = false;
  unsent_bytes_ += piece.prefix_size + part.size();
  piece.bytes = std::move(part);
  pieces_.push_back(std::move(piece));
}

void OutgoingBody::clear() {
  pieces_.clear();
  first_ = 0;
  sent_bytes_ = 0;
  unsent_bytes_ = 0;
  expected_bytes_ = 0;
  has_next_prefix_ = false;
}

std::uint64_t OutgoingBody::send(std::uint64_t bytes, std::string& out) {
  ASSERT(bytes <= unsent_bytes_);
  unsent_bytes_ -= bytes;
  std::uint64_t payload = 0;
  while (bytes > 0) {
    Piece& piece = pieces_[first_];
    if (sent_bytes_ < piece.prefix_size) {
      const std::uint64_t size = std::min(bytes, piece.prefix_size - sent_bytes_);
      out.append(piece.prefix.data() + sent_bytes_, size);
      sent_bytes_ += size;
      bytes -= size;
    }
    const std::uint64_t from = sent_bytes_ - std::min<std::uint64_t>(sent_bytes_, piece.prefix_size);
    const std::uint64_t size = std::min(bytes, piece.bytes.size() - from);
    out.append(piece.bytes.view().substr(from, size));
    sent_bytes_ += size;
    bytes -= size;
    payload += size;
    if (sent_bytes_ < piece.prefix_size + piece.bytes.size()) break;
    piece.bytes = Bytes();
    sent_bytes_ = 0;
    ++first_;
  }
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
  } else if (first_ > pieces_.size() / 2 && first_ > 64) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return payload;
}

void MessageReader::clear() {
  prefix_filled_ = 0;
  message_bytes_ = 0;
  partial_.clear();
}

std::optional<Failure> MessageReader::check_prefix() {
  if (prefix_[0] == 1) {
    return Failure{StatusCode::internal, "grpc: compressed flag set with identity or empty encoding"};
  }
  if (prefix_[0] != 0) {
    return Failure{StatusCode::internal, "grpc: received unexpected payload format " +
                                             std::to_string(static_cast<unsigned char>(prefix_[0]))};
  }
  message_bytes_ = 0;
  for (std::size_t i = 1; i < message_prefix_bytes; ++i) {
    message_bytes_ = message_bytes_ << 8 | static_cast<unsigned char>(prefix_[i]);
  }
  if (message_bytes_ <= message_bytes_max_) return std::nullopt;
  return Failure{StatusCode::resource_exhausted, "grpc: received message larger than max (" +
                                                     std::to_string(message_bytes_) + " vs. " +
                                                     std::to_string(message_bytes_max_) + ")"};
}

std::optional<Failure> MessageReader::read(BytesView bytes, std::vector<Bytes>& messages) {
  while (!bytes.empty()) {
    if (prefix_filled_ < message_prefix_bytes) {
      const std::size_t taken = std::min(message_prefix_bytes - prefix_filled_, bytes.size());
      std::memcpy(prefix_.data() + prefix_filled_, bytes.data(), taken);
      prefix_filled_ += taken;
      bytes.remove_prefix(taken);
      if (prefix_filled_ < message_prefix_bytes) return std::nullopt;
      if (auto failure = check_prefix()) return failure;
    }
    // A message that came in one piece is copied once; only a split one waits in `partial_`, which grows with what was
    // really received and not with what the prefix promises.
    const BytesView piece = bytes.substr(0, message_bytes_ - partial_.size());
    bytes.remove_prefix(piece.size());
    const bool whole = partial_.empty() && piece.size() == message_bytes_;
    if (!whole) partial_.append(piece);
    if (!whole && partial_.size() < message_bytes_) return std::nullopt;
    messages.push_back(Bytes::copy_of(whole ? piece : BytesView(partial_)));
    clear();
  }
  return std::nullopt;
}

Result<Duration, std::string> parse_timeout(std::string_view value) {
  if (value.size() < 2) return "transport: timeout string is too short: " + quoted(value);
  if (value.size() > 9) return "transport: timeout string is too long: " + quoted(value);
  const auto unit = std::find_if(timeout_units.begin(), timeout_units.end(),
                                 [&](const TimeoutUnit& u) { return u.letter == value.back(); });
  if (unit == timeout_units.end()) return "transport: timeout unit is not recognized: " + quoted(value);
  std::int64_t count = 0;
  for (const char c : value.substr(0, value.size() - 1)) {
    if (c < '0' || c > '9') {
      return "strconv.ParseUint: parsing " + quoted(value.substr(0, value.size() - 1)) + ": invalid syntax";
    }
    count = count * 10 + (c - '0');
  }
  if (count > Duration::max().nanoseconds() / unit->nanoseconds) return Duration::max();
  return Duration::nanoseconds(count * unit->nanoseconds);
}

std::string format_timeout(Duration timeout) {
  const std::int64_t nanoseconds = std::max<std::int64_t>(timeout.nanoseconds(), 0);
  for (const TimeoutUnit& unit : timeout_units) {
    const std::int64_t count = nanoseconds / unit.nanoseconds + (nanoseconds % unit.nanoseconds == 0 ? 0 : 1);
    if (count <= timeout_value_max) return std::to_string(count) + unit.letter;
  }
  return std::to_string(timeout_value_max) + 'H';
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded.push_back('%');
    encoded.push_back(hexadecimal[byte >> 4]);
    encoded.push_back(hexadecimal[byte & 15]);
  }
  return encoded;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hexadecimal_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hexadecimal_digit(text[i + 2]) : -1;
    if (low < 0) {
      decoded.push_back(text[i]);
      continue;
    }
    decoded.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return decoded;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c >= ' ' && c <= '~') {
      out.push_back(c);
    } else {
      constexpr std::string_view lower_case = "0123456789abcdef";
      out.append("\\x");
      out.push_back(lower_case[byte >> 4]);
      out.push_back(lower_case[byte & 15]);
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace metastore::api
