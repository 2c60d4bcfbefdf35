#include "sim/request_text.h"

#include <array>
#include <utility>

#include "core/base/overloaded.h"

namespace metastore::sim {
namespace {

constexpr std::string_view to_end("\0", 1);
constexpr std::array<std::string_view, 5> targets = {"version", "create", "mod", "value", "lease"};
constexpr std::array<std::string_view, 5> orders = {"by_key", "by_version", "by_creation", "by_modification",
                                                    "by_value"};
constexpr std::array<std::string_view, 4> results = {"=", ">", "<", "!="};

std::string number_text(std::string_view name, std::int64_t number) {
  return number == 0 ? "" : " " + std::string(name) + "=" + std::to_string(number);
}

std::string flag_text(std::string_view name, bool is_set) { return is_set ? " " + std::string(name) : ""; }

/// What is filled up with x is not spelled out.
std::string value_text(const std::string& value) {
  constexpr std::size_t spelled_max = 8;
  const std::size_t last = value.find_last_not_of('x');
  const std::size_t begin = last == std::string::npos ? 0 : last + 1;
  if (value.size() - begin <= spelled_max) return "value=" + quoted_word(value);
  return "value=" + quoted_word(value.substr(0, begin)) + " fill=" + std::to_string(value.size());
}

std::string get_text(const Get& get) {
  return "range " + keys_text(get.keys) + number_text("limit", get.limit) + number_text("revision", get.revision) +
         flag_text("serializable", get.is_serializable) + flag_text("count_only", get.is_count_only) +
         flag_text("keys_only", get.is_keys_only) +
         flag_text(orders[static_cast<std::size_t>(get.sorted_by)], get.sorted_by != SortBy::key) +
         flag_text("descending", get.is_descending) + number_text("created_from", get.create_revision_min) +
         number_text("created_up_to", get.create_revision_max) + number_text("changed_from", get.mod_revision_min) +
         number_text("changed_up_to", get.mod_revision_max);
}

std::string put_text(const Put& put) {
  return "put " + quoted_word(put.key) + " " + value_text(put.value) + flag_text("prev_kv", put.wants_previous) +
         number_text("lease", put.lease) + flag_text("keeps_value", put.keeps_value) +
         flag_text("keeps_lease", put.keeps_lease);
}

std::string delete_text(const Delete& remove) {
  return "delete " + keys_text(remove.keys) + flag_text("prev_kv", remove.wants_previous);
}

std::string action_text(const Action& action);

std::string txn_text(const Txn& txn) {
  std::string out = "txn";
  for (const Comparison& comparison : txn.comparisons) {
    const bool is_value = comparison.target == CompareTarget::value;
    out += " if " + std::string(targets[static_cast<std::size_t>(comparison.target)]) + " " +
           keys_text(comparison.keys) + " " + std::string(results[static_cast<std::size_t>(comparison.result)]) + " " +
           (is_value ? quoted_word(comparison.value) : std::to_string(comparison.number));
  }
  for (const Action& action : txn.success) out += " then { " + action_text(action) + " }";
  for (const Action& action : txn.failure) out += " else { " + action_text(action) + " }";
  return out;
}

std::string action_text(const Action& action) {
  return std::visit(
      Overloaded{[](const Get& get) { return get_text(get); }, [](const Put& put) { return put_text(put); },
                 [](const Delete& remove) { return delete_text(remove); },
                 [](const std::vector<Txn>& nested) { return txn_text(nested.front()); }},
      action);
}

Get take_get(WordReader& words) {
  Get get;
  get.keys = take_keys(words);
  get.limit = words.take_number("limit", 0);
  get.revision = words.take_number("revision", 0);
  get.is_serializable = words.take_flag("serializable");
  get.is_count_only = words.take_flag("count_only");
  get.is_keys_only = words.take_flag("keys_only");
  for (std::size_t i = 0; i < orders.size(); ++i) {
    if (words.take_flag(orders[i])) get.sorted_by = static_cast<SortBy>(i);
  }
  get.is_descending = words.take_flag("descending");
  get.create_revision_min = words.take_number("created_from", 0);
  get.create_revision_max = words.take_number("created_up_to", 0);
  get.mod_revision_min = words.take_number("changed_from", 0);
  get.mod_revision_max = words.take_number("changed_up_to", 0);
  return get;
}

Put take_put(WordReader& words) {
  Put put;
  put.key = words.take();
  put.value = words.take_value("value").value_or("");
  const std::uint64_t filled = words.take_count("fill", 0);
  constexpr std::uint64_t filled_max = 100'000'000;
  if (filled > put.value.size() && filled < filled_max) put.value.resize(filled, 'x');
  put.wants_previous = words.take_flag("prev_kv");
  put.lease = words.take_number("lease", 0);
  put.keeps_value = words.take_flag("keeps_value");
  put.keeps_lease = words.take_flag("keeps_lease");
  return put;
}

Delete take_delete(WordReader& words) {
  Delete remove;
  remove.keys = take_keys(words);
  remove.wants_previous = words.take_flag("prev_kv");
  return remove;
}

std::optional<Comparison> take_comparison(WordReader& words) {
  Comparison comparison;
  const std::string target = words.take();
  comparison.keys.begin = words.take();
  std::string result = words.take();
  // By its place alone: what follows may be a range, too.
  constexpr std::string_view end_word = "end=";
  if (result == "to_end" || result.starts_with(end_word)) {
    comparison.keys.end = result == "to_end" ? std::string(to_end) : result.substr(end_word.size());
    result = words.take();
  }
  std::size_t known = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (target == targets[i]) comparison.target = static_cast<CompareTarget>(i), ++known;
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (result == results[i]) comparison.result = static_cast<CompareResult>(i), ++known;
  }
  if (comparison.target == CompareTarget::value) {
    comparison.value = words.take();
  } else {
    const auto number = parse_integer(words.take());
    if (!number) return std::nullopt;
    comparison.number = *number;
  }
  return known == 2 ? std::optional(comparison) : std::nullopt;
}

std::optional<Txn> take_txn(WordReader& words);

std::optional<Action> take_action(WordReader& words) {
  auto inner = words.take_braces();
  if (!inner) return std::nullopt;
  WordReader action(std::move(*inner));
  const std::string verb = action.take();
  std::optional<Action> taken;
  if (verb == "range") taken = take_get(action);
  if (verb == "put") taken = take_put(action);
  if (verb == "delete") taken = take_delete(action);
  if (verb == "txn") {
    auto txn = take_txn(action);
    if (!txn) return std::nullopt;
    taken = std::vector<Txn>{std::move(*txn)};
  }
  if (!action.is_empty() || action.is_wrong()) return std::nullopt;
  return taken;
}

std::optional<Txn> take_txn(WordReader& words) {
  Txn txn;
  while (!words.is_empty()) {
    const std::string word = words.take();
    if (word == "if") {
      auto comparison = take_comparison(words);
      if (!comparison) return std::nullopt;
      txn.comparisons.push_back(std::move(*comparison));
    } else if (word == "then" || word == "else") {
      auto action = take_action(words);
      if (!action) return std::nullopt;
      (word == "then" ? txn.success : txn.failure).push_back(std::move(*action));
    } else {
      return std::nullopt;
    }
  }
  return txn;
}

std::int64_t take_id(WordReader& words, bool& is_wrong) {
  const auto id = parse_integer(words.take());
  is_wrong = is_wrong || !id;
  return id.value_or(0);
}

}  // namespace

std::string keys_text(const KeyRange& keys) {
  if (keys.end.empty()) return quoted_word(keys.begin);
  return quoted_word(keys.begin) + (keys.end == to_end ? " to_end" : " end=" + quoted_word(keys.end));
}

KeyRange take_keys(WordReader& words) {
  KeyRange keys;
  keys.begin = words.take();
  keys.end = words.take_flag("to_end") ? std::string(to_end) : words.take_value("end").value_or("");
  return keys;
}

std::string request_text(const Request& request) {
  return std::visit(
      Overloaded{[](const Get& get) { return get_text(get); }, [](const Put& put) { return put_text(put); },
                 [](const Delete& remove) { return delete_text(remove); }, [](const Txn& txn) { return txn_text(txn); },
                 [](const Compact& compact) {
                   return "compact " + std::to_string(compact.revision) + flag_text("physical", compact.is_physical);
                 },
                 [](const Grant& grant) {
                   return "grant " + std::to_string(grant.id) + " ttl=" + std::to_string(grant.ttl_seconds);
                 },
                 [](const Revoke& revoke) { return "revoke " + std::to_string(revoke.id); },
                 [](const TimeToLive& asked) {
                   return "time_to_live " + std::to_string(asked.id) + flag_text("keys", asked.wants_keys);
                 },
                 [](const Leases&) { return std::string("leases"); },
                 [](const HashKv& asked) { return "hash_kv" + number_text("revision", asked.revision); },
                 [](const Alarm& alarm) {
                   return alarm.disarmed == 0 ? "alarms" : "disarm " + std::to_string(alarm.disarmed);
                 },
                 [](const Defragment&) { return std::string("defragment"); },
                 [](const HashState&) { return std::string("hash_state"); }},
      request);
}

std::optional<Request> parse_request(WordReader& words) {
  const std::string verb = words.take();
  std::optional<Request> request;
  bool is_wrong = false;
  if (verb == "range") request = take_get(words);
  if (verb == "put") request = take_put(words);
  if (verb == "delete") request = take_delete(words);
  if (verb == "txn") {
    auto txn = take_txn(words);
    if (!txn) return std::nullopt;
    request = std::move(*txn);
  }
  if (verb == "compact") {
    const std::int64_t revision = take_id(words, is_wrong);
    request = Compact{revision, words.take_flag("physical")};
  }
  if (verb == "grant") {
    const std::int64_t id = take_id(words, is_wrong);
    request = Grant{id, words.take_number("ttl", 0)};
  }
  if (verb == "revoke") request = Revoke{take_id(words, is_wrong)};
  if (verb == "time_to_live") {
    const std::int64_t id = take_id(words, is_wrong);
    request = TimeToLive{id, words.take_flag("keys")};
  }
  if (verb == "leases") request = Leases{};
  if (verb == "hash_kv") request = HashKv{words.take_number("revision", 0)};
  if (verb == "alarms") request = Alarm{};
  if (verb == "disarm") request = Alarm{static_cast<std::uint64_t>(take_id(words, is_wrong))};
  if (verb == "defragment") request = Defragment{};
  if (verb == "hash_state") request = HashState{};
  if (!words.is_empty() || words.is_wrong() || is_wrong) return std::nullopt;
  return request;
}

}  // namespace metastore::sim
