#include "server/flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "server/build_version.h"

namespace metastore::server {
namespace {

/// Empty if `text` was of the flag's type, else Go's words for what is wrong.
using Complaint = std::string_view;
constexpr Complaint parse_error = "parse error";
constexpr Complaint range_error = "value out of range";

Complaint set(FlagText& field, std::string_view text) {
  field = text;
  return {};
}

Complaint set(FlagBoolean& field, std::string_view text) {
  constexpr std::array<std::string_view, 6> yes = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> no = {"0", "f", "F", "false", "FALSE", "False"};
  field = std::find(yes.begin(), yes.end(), text) != yes.end();
  return field || std::find(no.begin(), no.end(), text) != no.end() ? Complaint{} : parse_error;
}

// As Go's strconv.ParseUint with base 0, save that digits cannot be parted by underscores.
Complaint set(FlagNumber& field, std::string_view text) {
  int base = 10;
  const std::string_view prefix = text.substr(0, 2);
  if (prefix == "0x" || prefix == "0X") base = 16;
  if (prefix == "0b" || prefix == "0B") base = 2;
  if (prefix == "0o" || prefix == "0O") base = 8;
  if (base != 10) {
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field, base);
  if (error == std::errc::result_out_of_range) return range_error;
  return error == std::errc() && end == text.data() + text.size() ? Complaint{} : parse_error;
}

// As Go's strconv.ParseInt with base 0.
Complaint set(FlagInteger& field, std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  FlagNumber number = 0;
  if (const Complaint complaint = set(number, text); !complaint.empty()) return complaint;
  constexpr auto most = static_cast<FlagNumber>(std::numeric_limits<FlagInteger>::max());
  if (number > most + (negative ? 1 : 0)) return range_error;
  field = static_cast<FlagInteger>(negative ? 0 - number : number);
  return {};
}

/// Nanoseconds in the unit that `text` begins with, which is cut off; 0 if it begins with none.
std::int64_t take_unit(std::string_view& text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 8> units = {{{"ns", 1},
                                                                               {"us", 1'000},
                                                                               {"\u00b5s", 1'000},
                                                                               {"\u03bcs", 1'000},
                                                                               {"ms", 1'000'000},
                                                                               {"s", 1'000'000'000},
                                                                               {"m", 60'000'000'000},
                                                                               {"h", 3'600'000'000'000}}};
  for (const auto& [unit, nanoseconds] : units) {
    if (!text.starts_with(unit)) continue;
    text.remove_prefix(unit.size());
    return nanoseconds;
  }
  return 0;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// As Go's time.ParseDuration: "1h15m", "-1.5s", "0".
Complaint set(FlagDuration& field, std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return parse_error;
  std::int64_t total = 0;
  if (text == "0") text = {};
  while (!text.empty()) {
    std::int64_t whole = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (error == std::errc::result_out_of_range || text[0] == '-') return parse_error;
    bool has_digits = error == std::errc();
    if (has_digits) text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::string_view fraction;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      const auto past = std::find_if_not(text.begin(), text.end(), is_digit);
      fraction = text.substr(0, static_cast<std::size_t>(past - text.begin()));
      text.remove_prefix(fraction.size());
      has_digits = has_digits || !fraction.empty();
    }
    std::int64_t unit = take_unit(text);
    if (!has_digits || unit == 0) return parse_error;
    std::int64_t part = 0;
    if (__builtin_mul_overflow(whole, unit, &part) || __builtin_add_overflow(total, part, &total)) return parse_error;
    for (const char digit : fraction) {
      unit /= 10;
      if (__builtin_add_overflow(total, (digit - '0') * unit, &total)) return parse_error;
    }
  }
  field = Duration::nanoseconds(negative ? -total : total);
  return {};
}

struct Row {
  std::string_view flag;
  std::string_view initial;
  std::string_view help;
  bool is_boolean;
  Complaint (*set)(Flags& flags, std::string_view text);
};

constexpr std::array rows = {
#define METASTORE_FLAG_ROW(type, field, flag, initial, help)  \
  Row{flag, initial, help, std::is_same_v<type, FlagBoolean>, \
      [](Flags& flags, std::string_view text) { return set(flags.field, text); }},
    METASTORE_FLAGS(METASTORE_FLAG_ROW)
#undef METASTORE_FLAG_ROW
};

const Row* find_row(std::string_view flag) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.flag == flag; });
  return found == rows.end() ? nullptr : &*found;
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

constexpr std::string_view usage =
    "Usage:\n"
    "\n"
    "  metastore [flags]\n"
    "    Serve one member.\n"
    "\n"
    "  metastore wal dump DIR\n"
    "    Print the log in DIR, the member/wal of a data directory of ours or of etcd's.\n"
    "\n"
    "  metastore --version | --help | --help-limits\n"
    "    Show the version, every flag, or the limits with their reasons.\n";

std::string help_text() {
  std::string text =
      std::string(usage) +
      "\n"
      "Flags are written -name x, --name x or --name=x; booleans --name or --name=false. Each can be set\n"
      "by an environment variable too: ETCD_ and the name in capitals, with _ for -. The command line\n"
      "comes before the environment.\n"
      "\n";
  for (const Row& row : rows) {
    text += "  --" + std::string(row.flag) + " '" + std::string(row.initial) + "'\n";
    text += "    " + std::string(row.help) + "\n";
  }
  return text;
}

std::string limits_text() {
  std::string text;
#define METASTORE_LIMIT_LINE(name, value, unit, reason) \
  text += #name " = " + std::to_string(std::uint64_t{value}) + " " unit ": " reason "\n";
  METASTORE_LIMITS(METASTORE_LIMIT_LINE)
#undef METASTORE_LIMIT_LINE
  return text;
}

Exit wrong_usage(const std::string& sentence) { return {2, {}, sentence + "\n" + std::string(usage)}; }

std::string invalid_value(const Row& row, std::string_view value, std::string_view complaint) {
  return "invalid " + std::string(row.is_boolean ? "boolean value " : "value ") + quoted(value) +
         (row.is_boolean ? " for -" : " for flag -") + std::string(row.flag) + ": " + std::string(complaint);
}

std::string environment_name(std::string_view flag) {
  std::string name = "ETCD_";
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return name;
}

/// Reads the flags of the command line into `flags`; an Exit if the process is to end.
Status<Exit> read_arguments(std::span<const std::string_view> arguments, Flags& flags) {
  std::size_t next = 0;
  while (next < arguments.size()) {
    const std::string_view argument = arguments[next];
    if (argument.size() < 2 || argument[0] != '-') break;
    ++next;
    if (argument == "--") break;
    std::string_view flag = argument.substr(argument[1] == '-' ? 2 : 1);
    if (flag.starts_with('-') || flag.starts_with('=')) return wrong_usage("bad flag syntax: " + std::string(argument));
    std::string_view value;
    const std::size_t equals = flag.find('=');
    const bool has_value = equals != std::string_view::npos;
    if (has_value) {
      value = flag.substr(equals + 1);
      flag = flag.substr(0, equals);
    }
    const Row* row = find_row(flag);
    if (row == nullptr) {
      if (flag == "help" || flag == "h") return Exit{0, help_text(), {}};
      return wrong_usage("flag provided but not defined: -" + std::string(flag));
    }
    if (!has_value && row->is_boolean) {
      value = "true";
    } else if (!has_value) {
      if (next == arguments.size()) return wrong_usage("flag needs an argument: -" + std::string(flag));
      value = arguments[next++];
    }
    if (const Complaint complaint = row->set(flags, value); !complaint.empty()) {
      return wrong_usage(invalid_value(*row, value, complaint));
    }
    flags.given.insert(row->flag);
  }
  if (next < arguments.size()) return bad_configuration("'" + std::string(arguments[next]) + "' is not a valid flag");
  return Done{};
}

Status<Exit> read_environment(std::span<const std::string_view> environment, Flags& flags) {
  std::map<std::string_view, std::string_view> ours;
  for (const std::string_view variable : environment) {
    const std::size_t equals = variable.find('=');
    if (!variable.starts_with("ETCD_") || equals == std::string_view::npos) continue;
    ours.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  ours.erase("ETCD_VERSION");
  ours.erase("ETCD_UNSUPPORTED_ARCH");
  for (const Row& row : rows) {
    const std::string name = environment_name(row.flag);
    const auto found = ours.find(name);
    if (found == ours.end()) continue;
    const std::string_view value = found->second;
    ours.erase(found);
    if (flags.given.contains(row.flag)) {
      flags.warnings.push_back(name + " is shadowed by the command line's --" + std::string(row.flag));
      continue;
    }
    if (value.empty()) continue;
    if (const Complaint complaint = row.set(flags, value); !complaint.empty()) {
      return bad_configuration("invalid value " + quoted(value) + " for " + name + ": " + std::string(complaint));
    }
    flags.given.insert(row.flag);
  }
  for (const auto& [name, value] : ours) {
    flags.warnings.push_back("unrecognized environment variable " + std::string(name));
  }
  return Done{};
}

}  // namespace

Flags::Flags() {
  for (const Row& row : rows) ASSERT(row.set(*this, row.initial).empty());
}

std::optional<Duration> parse_duration(std::string_view text) {
  FlagDuration duration;
  if (!set(duration, text).empty()) return std::nullopt;
  return duration;
}

Exit bad_configuration(std::string_view sentence) {
  return {1, {}, "error verifying flags, " + std::string(sentence) + ". See 'metastore --help'.\n"};
}

Result<Flags, Exit> parse_flags(std::span<const std::string_view> arguments,
                                std::span<const std::string_view> environment) {
  Flags flags;
  if (const Status<Exit> status = read_arguments(arguments, flags); !status) return status.error();
  if (flags.version) return Exit{0, version_text(), {}};
  if (flags.help_limits) return Exit{0, limits_text(), {}};
  if (const Status<Exit> status = read_environment(environment, flags); !status) return status.error();
  return flags;
}

}  // namespace metastore::server
