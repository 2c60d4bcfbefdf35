#include "storage/schema.h"

#include <algorithm>
#include <charconv>

#include "core/base/assert.h"
#include "core/base/crc32c.h"

namespace metastore::storage {

namespace {

constexpr std::size_t head_header_bytes = 8;
constexpr std::size_t first_bytes_max = item_bytes_max - head_header_bytes;
constexpr std::size_t part_bytes_max = item_bytes_max - part_header_bytes;
constexpr std::string_view format_begin = "metastore-engine ";

void write_u32(std::uint32_t value, char* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

std::uint32_t read_u32(BytesView in) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<unsigned char>(in[i])} << (8 * i);
  return value;
}

/// Of a head: table, key, and all of the item behind the checksum.
std::uint32_t head_crc(Table table, BytesView key, BytesView rest) {
  const char number = static_cast<char>(table);
  return crc32c_extend(crc32c_extend(crc32c_extend(0, {&number, 1}), key), rest);
}

std::uint32_t part_crc(BytesView part_key, BytesView bytes) { return crc32c_extend(crc32c_extend(0, part_key), bytes); }

/// Takes " NAME VALUE" from the front of `text`.
bool take_field(std::string_view& text, std::string_view name, std::uint64_t& value) {
  if (!text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::string_view table_name(Table table) {
  switch (table) {
    case Table::state:
      return "state";
    case Table::records:
      return "records";
    case Table::leases:
      return "leases";
    case Table::members:
      return "members";
    case Table::alarms:
      return "alarms";
  }
  UNREACHABLE();
}

std::string encode_format(const Summary& summary) {
  const std::string text = std::string(format_begin) + std::to_string(format_version) + " items " +
                           std::to_string(summary.items) + " sum " + std::to_string(summary.sum);
  return text + " crc32c " + std::to_string(crc32c_extend(0, text)) + "\n";
}

Result<Summary, std::string> decode_format(BytesView item) {
  std::string_view rest = item;
  std::uint64_t version = 0;
  if (!take_field(rest, format_begin, version)) return std::string("its format row is damaged");
  if (version > format_version) {
    return "it has format " + std::to_string(version) + ", and this build of metastore knows formats up to " +
           std::to_string(format_version) + "; start a newer build on it";
  }
  Summary summary;
  const bool whole = take_field(rest, " items ", summary.items) && take_field(rest, " sum ", summary.sum);
  // One spelling: the checksum and everything else are right if the text is what we would write.
  if (!whole || encode_format(summary) != item) return std::string("its format row is damaged");
  return summary;
}

std::size_t head_size(std::size_t value_size) { return head_header_bytes + std::min(value_size, first_bytes_max); }

std::uint32_t write_head(Table table, BytesView key, BytesView value, char* out) {
  ASSERT(value.size() <= UINT32_MAX);
  write_u32(static_cast<std::uint32_t>(value.size()), out + 4);
  const std::size_t size = head_size(value.size());
  value.copy(out + head_header_bytes, size - head_header_bytes);
  const std::uint32_t crc = head_crc(table, key, BytesView(out + 4, size - 4));
  write_u32(crc, out);
  return crc;
}

Result<Head, std::string_view> read_head(Table table, BytesView key, BytesView item) {
  if (item.size() < head_header_bytes) return std::string_view("it is too short");
  Head head{read_u32(item), read_u32(item.substr(4)), item.substr(head_header_bytes)};
  if (head.crc != head_crc(table, key, item.substr(4))) return std::string_view("its checksum does not match");
  if (item.size() != head_size(head.value_size)) return std::string_view("its length does not fit its value");
  return head;
}

std::size_t part_count(std::size_t value_size) {
  if (value_size <= first_bytes_max) return 0;
  return (value_size - first_bytes_max + part_bytes_max - 1) / part_bytes_max;
}

std::string part_key(Table table, BytesView key, std::size_t number) {
  std::string result;
  result.reserve(key.size() + 5);
  result.push_back(static_cast<char>(table));
  result.append(key);
  for (int shift = 24; shift >= 0; shift -= 8) result.push_back(static_cast<char>(number >> shift));
  return result;
}

BytesView part_of(BytesView value, std::size_t number) {
  return value.substr(first_bytes_max + number * part_bytes_max, part_bytes_max);
}

std::uint32_t write_part(BytesView part_key, BytesView part, char* out) {
  const std::uint32_t crc = part_crc(part_key, part);
  write_u32(crc, out);
  part.copy(out + part_header_bytes, part.size());
  return crc;
}

Result<Part, std::string_view> read_part(BytesView part_key, BytesView item) {
  if (item.size() <= part_header_bytes) return std::string_view("a part of it is too short");
  const Part part{read_u32(item), item.substr(part_header_bytes)};
  if (part.crc != part_crc(part_key, part.bytes)) return std::string_view("the checksum of a part does not match");
  return part;
}

std::string describe_row(Table table, BytesView key) {
  std::string name;
  const bool is_text = std::all_of(key.begin(), key.end(), [](char c) { return ('a' <= c && c <= 'z') || c == ' '; });
  if (is_text) {
    name = "'" + std::string(key) + "'";
  } else {
    for (const char c : key) {
      const auto byte = static_cast<unsigned char>(c);
      name.push_back("0123456789abcdef"[byte >> 4]);
      name.push_back("0123456789abcdef"[byte & 15]);
    }
  }
  return "row " + name + " of table " + std::string(table_name(table));
}

}  // namespace metastore::storage
