// The grammar that all scripts of this repository share (tests/script/script.h), for the simulator's own scenarios:
// words apart by spaces, quotes with \0, \n, \", \\ and \xNN inside them, times and numbers. It reads and writes, and
// what it has written it reads as the same.
#ifndef METASTORE_SIM_WORDS_H_
#define METASTORE_SIM_WORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"

namespace metastore::sim {

std::vector<std::string> split_words(std::string_view line);
/// In quotes if it must be.
std::string quoted_word(std::string_view word);

std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<std::uint64_t> parse_count(std::string_view text);
/// "1.5s", "20ms", "7us"; "0s" is written for nothing.
std::optional<Duration> parse_duration(std::string_view text);
/// To the nanosecond: "0.000020s" in the largest unit that needs no fraction, or in seconds with as many digits as it
/// takes.
std::string duration_text(Duration duration);

/// Reads words from the left, and "name=value" words wherever they stand.
class WordReader {
 public:
  explicit WordReader(std::vector<std::string> words) : words_(std::move(words)) {}

  bool is_empty() const { return words_.empty(); }
  /// The first word that is left, taken away; "" if there is none.
  std::string take();
  const std::string& peek() const { return words_.front(); }
  /// Whether this word is there; it is taken away.
  bool take_flag(std::string_view name);
  /// The value of the first "name=value"; it is taken away.
  std::optional<std::string> take_value(std::string_view name);
  /// The same as a number; what is none makes is_wrong().
  std::int64_t take_number(std::string_view name, std::int64_t fallback);
  std::uint64_t take_count(std::string_view name, std::uint64_t fallback);
  Duration take_duration(std::string_view name, Duration fallback);
  bool is_wrong() const { return is_wrong_; }
  /// The words up to the brace that closes the one that comes next, both taken away. None if there is no such pair.
  std::optional<std::vector<std::string>> take_braces();
  /// All that is left.
  const std::vector<std::string>& rest() const { return words_; }

 private:
  std::vector<std::string> words_;
  bool is_wrong_ = false;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WORDS_H_
