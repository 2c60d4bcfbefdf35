#include "server/log_lines.h"

#include <array>
#include <charconv>

#include "core/base/utf8.h"

namespace metastore::server {
namespace {

constexpr std::string_view replacement = "\\ufffd";

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text[0];
    if (length == 0) {
      out += replacement;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

template <typename Integer>
void append_number(std::string& out, Integer value, std::size_t width = 0) {
  std::array<char, 24> digits;
  const char* end = std::to_chars(digits.begin(), digits.end(), value).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out.append(text.size() < width ? width - text.size() : 0, '0');
  out.append(text);
}

// The calendar of days since 1970-01-01, after Howard Hinnant's "chrono-compatible low-level date algorithms".
void append_date(std::string& out, std::int64_t days) {
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  append_number(out, year_of_era + era * 400 + (month <= 2 ? 1 : 0), 4);
  out += '-';
  append_number(out, month, 2);
  out += '-';
  append_number(out, day, 2);
}

void append_time(std::string& out, WallTime time) {
  const std::int64_t microseconds = time.unix_nanoseconds / 1'000;
  const std::int64_t seconds = microseconds / 1'000'000;
  append_date(out, seconds / 86'400);
  out += 'T';
  append_number(out, seconds / 3'600 % 24, 2);
  out += ':';
  append_number(out, seconds / 60 % 60, 2);
  out += ':';
  append_number(out, seconds % 60, 2);
  out += '.';
  append_number(out, microseconds % 1'000'000, 6);
  out += 'Z';
}

/// The last folder and the name of a path: what zap calls the short caller.
std::string_view short_path(std::string_view path) {
  const std::size_t name = path.rfind('/');
  if (name == std::string_view::npos || name == 0) return path;
  const std::size_t folder = path.rfind('/', name - 1);
  return folder == std::string_view::npos ? path : path.substr(folder + 1);
}

std::string_view level_name(TraceLevel level) {
  constexpr std::array<std::string_view, 4> names = {"debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

void append_value(std::string& out, const TraceField& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) {
    append_string(out, *text);
  } else if (const auto* number = std::get_if<std::uint64_t>(&field.value)) {
    append_number(out, *number);
  } else {
    append_number(out, std::get<std::int64_t>(field.value));
  }
}

}  // namespace

void append_log_line(std::string& out, WallTime time, const TraceLine& line) {
  out += "{\"level\":\"";
  out += level_name(line.level);
  out += "\",\"ts\":\"";
  append_time(out, time);
  out += "\",\"caller\":";
  append_string(out, std::string(short_path(line.source.file)) + ":" + std::to_string(line.source.line));
  out += ",\"msg\":";
  append_string(out, line.message);
  for (const TraceField& field : line.fields) {
    out += ',';
    append_string(out, field.key);
    out += ':';
    append_value(out, field);
  }
  out += "}\n";
}

std::string hexadecimal(std::uint64_t id) {
  std::array<char, 16> digits;
  return std::string(digits.data(), std::to_chars(digits.begin(), digits.end(), id, 16).ptr);
}

}  // namespace metastore::server
