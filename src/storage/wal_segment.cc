#include "storage/wal_segment.h"

#include "storage/remedy.h"

namespace metastore::storage {

namespace {

constexpr std::string_view suffix = ".wal";
constexpr std::size_t digits = 16;

void append_hex(std::string& out, std::uint64_t value) {
  for (std::size_t i = digits; i-- > 0;) out.push_back("0123456789abcdef"[value >> (4 * i) & 15]);
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

}  // namespace

std::string file_name(const Segment& segment) {
  std::string name;
  append_hex(name, segment.sequence);
  name.push_back('-');
  append_hex(name, segment.first_index.value());
  return name.append(suffix);
}

std::optional<Segment> parse_segment_name(std::string_view name) {
  if (name.size() != 2 * digits + 1 + suffix.size() || name[digits] != '-' || !name.ends_with(suffix)) {
    return std::nullopt;
  }
  const std::optional<std::uint64_t> sequence = parse_hex(name.substr(0, digits));
  const std::optional<std::uint64_t> first_index = parse_hex(name.substr(digits + 1, digits));
  if (!sequence || !first_index) return std::nullopt;
  return Segment{*sequence, LogIndex(*first_index)};
}

std::string path_in(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty()) path.push_back('/');
  return path.append(name);
}

port::StorageResult<std::vector<Segment>> list_segments(port::Files& files, std::string_view directory) {
  const port::StorageResult<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  std::vector<Segment> segments;
  for (const std::string& name : names.value()) {
    const std::optional<Segment> segment = parse_segment_name(name);
    if (!segment) continue;
    if (!segments.empty() && segment->sequence != segments.back().sequence + 1) {
      return port::StorageError{"the log has a gap: " + path_in(directory, file_name(segments.back())) +
                                " is followed by " + path_in(directory, name) + remedy_for_damage};
    }
    segments.push_back(*segment);
  }
  return segments;
}

}  // namespace metastore::storage
