#include "sim/words.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace metastore::sim {
namespace {

bool is_plain(char letter) { return letter > ' ' && letter <= '~' && letter != '"' && letter != '\\'; }

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool is_quoted = false;
  bool has_begun = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char letter = line[i];
    if (letter == '"') {
      is_quoted = !is_quoted;
      has_begun = true;
    } else if (is_quoted && letter == '\\' && i + 1 < line.size()) {
      const char escape = line[++i];
      if (escape == 'x') {
        unsigned byte = 0;
        const std::string_view digits = line.substr(i + 1, 2);
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        word += static_cast<char>(byte);
        i += 2;
      } else {
        word += escape == '0' ? '\0' : escape == 'n' ? '\n' : escape;
      }
    } else if (!is_quoted && letter == ' ') {
      if (has_begun) words.push_back(std::exchange(word, {}));
      has_begun = false;
    } else {
      word += letter;
      has_begun = true;
    }
  }
  if (has_begun) words.push_back(word);
  return words;
}

std::string quoted_word(std::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  std::string out = "\"";
  for (const char letter : word) {
    if (is_plain(letter) || letter == ' ') {
      out += letter;
    } else if (letter == '"' || letter == '\\') {
      out += {'\\', letter};
    } else if (letter == '\0') {
      out += "\\0";
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(letter);
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out + "\"";
}

std::optional<std::int64_t> parse_integer(std::string_view text) { return parse_number<std::int64_t>(text); }
std::optional<std::uint64_t> parse_count(std::string_view text) { return parse_number<std::uint64_t>(text); }

std::optional<Duration> parse_duration(std::string_view text) {
  std::size_t digits_after_point = 9;  // Of a nanosecond in the unit.
  if (text.ends_with("ms")) {
    digits_after_point = 6;
  } else if (text.ends_with("us")) {
    digits_after_point = 3;
  } else if (!text.ends_with("s")) {
    return std::nullopt;
  }
  text.remove_suffix(digits_after_point == 9 ? 1 : 2);
  const std::size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  if (digits.empty() || fraction.size() > digits_after_point) return std::nullopt;
  fraction.resize(digits_after_point, '0');
  const auto nanoseconds = parse_count(digits + fraction);
  constexpr std::uint64_t longest = 1'000'000'000'000'000'000;
  if (!nanoseconds || *nanoseconds > longest) return std::nullopt;
  return Duration::nanoseconds(static_cast<std::int64_t>(*nanoseconds));
}

std::string duration_text(Duration duration) {
  const std::int64_t nanoseconds = duration.nanoseconds();
  if (nanoseconds % 1'000'000'000 == 0) return std::to_string(nanoseconds / 1'000'000'000) + "s";
  if (nanoseconds < 1'000'000'000) {
    if (nanoseconds % 1'000'000 == 0) return std::to_string(nanoseconds / 1'000'000) + "ms";
    if (nanoseconds % 1'000 == 0) return std::to_string(nanoseconds / 1'000) + "us";
  }
  std::string fraction = std::to_string(1'000'000'000 + nanoseconds % 1'000'000'000).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return std::to_string(nanoseconds / 1'000'000'000) + "." + fraction + "s";
}

std::string WordReader::take() {
  if (words_.empty()) return "";
  std::string word = std::move(words_.front());
  words_.erase(words_.begin());
  return word;
}

bool WordReader::take_flag(std::string_view name) {
  const auto found = std::find(words_.begin(), words_.end(), name);
  if (found == words_.end()) return false;
  words_.erase(found);
  return true;
}

std::optional<std::string> WordReader::take_value(std::string_view name) {
  const auto found = std::find_if(words_.begin(), words_.end(), [name](const std::string& word) {
    return word.starts_with(name) && std::string_view(word).substr(name.size()).starts_with("=");
  });
  if (found == words_.end()) return std::nullopt;
  std::string value = found->substr(name.size() + 1);
  words_.erase(found);
  return value;
}

std::int64_t WordReader::take_number(std::string_view name, std::int64_t fallback) {
  const auto value = take_value(name);
  if (!value) return fallback;
  const auto number = parse_integer(*value);
  is_wrong_ = is_wrong_ || !number;
  return number.value_or(fallback);
}

std::uint64_t WordReader::take_count(std::string_view name, std::uint64_t fallback) {
  const auto value = take_value(name);
  if (!value) return fallback;
  const auto number = parse_count(*value);
  is_wrong_ = is_wrong_ || !number;
  return number.value_or(fallback);
}

Duration WordReader::take_duration(std::string_view name, Duration fallback) {
  const auto value = take_value(name);
  if (!value) return fallback;
  const auto duration = parse_duration(*value);
  is_wrong_ = is_wrong_ || !duration;
  return duration.value_or(fallback);
}

std::optional<std::vector<std::string>> WordReader::take_braces() {
  if (words_.empty() || words_.front() != "{") return std::nullopt;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (words_[i] == "{") ++depth;
    if (words_[i] == "}" && --depth == 0) {
      const auto end = words_.begin() + static_cast<std::ptrdiff_t>(i);
      std::vector<std::string> inner(words_.begin() + 1, end);
      words_.erase(words_.begin(), end + 1);
      return inner;
    }
  }
  return std::nullopt;
}

}  // namespace metastore::sim
