#include "sim/operation.h"

#include <algorithm>

#include "sim/trace_log.h"

namespace metastore::sim {
namespace {

constexpr std::string_view open_end("\0", 1);

template <typename... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};

std::string quoted(std::string_view text) {
  constexpr std::size_t shown_max = 24;
  std::string out = "\"";
  for (const char letter : text.substr(0, shown_max)) {
    out += letter >= ' ' && letter <= '~' ? letter : '.';
  }
  return out + (text.size() > shown_max ? "..\"" : "\"");
}

std::string describe_keys(const KeyRange& keys) {
  if (keys.end.empty()) return quoted(keys.begin);
  return "[" + quoted(keys.begin) + ", " + (keys.end == open_end ? "all" : quoted(keys.end)) + ")";
}

std::string describe_action(const Action& action);

std::string describe_actions(const std::vector<Action>& actions) {
  std::string out = "{";
  for (const Action& action : actions) out += (out.size() > 1 ? "; " : "") + describe_action(action);
  return out + "}";
}

std::string describe_get(const Get& get) {
  std::string out = "get " + describe_keys(get.keys);
  if (get.limit != 0) out += " limit=" + std::to_string(get.limit);
  if (get.revision != 0) out += " revision=" + std::to_string(get.revision);
  if (get.is_serializable) out += " serializable";
  if (get.is_count_only) out += " count_only";
  if (get.is_keys_only) out += " keys_only";
  constexpr std::string_view orders[] = {"", " by_version", " by_creation", " by_modification", " by_value"};
  out += orders[static_cast<std::size_t>(get.sorted_by)];
  if (get.is_descending) out += " descending";
  if (get.create_revision_min != 0) out += " created_from=" + std::to_string(get.create_revision_min);
  if (get.create_revision_max != 0) out += " created_up_to=" + std::to_string(get.create_revision_max);
  if (get.mod_revision_min != 0) out += " changed_from=" + std::to_string(get.mod_revision_min);
  if (get.mod_revision_max != 0) out += " changed_up_to=" + std::to_string(get.mod_revision_max);
  return out;
}

std::string describe_put(const Put& put) {
  return "put " + quoted(put.key) + "=" + quoted(put.value) + (put.wants_previous ? " prev_kv" : "") +
         (put.lease != 0 ? " lease=" + std::to_string(put.lease) : "") + (put.keeps_value ? " keeps_value" : "") +
         (put.keeps_lease ? " keeps_lease" : "");
}

std::string describe_delete(const Delete& remove) {
  return "delete " + describe_keys(remove.keys) + (remove.wants_previous ? " prev_kv" : "");
}

std::string describe_txn(const Txn& txn) {
  constexpr std::string_view targets[] = {"version", "create", "mod", "value", "lease"};
  constexpr std::string_view results[] = {"=", ">", "<", "!="};
  std::string out = "txn if ";
  for (const Comparison& comparison : txn.comparisons) {
    out += std::string(targets[static_cast<std::size_t>(comparison.target)]) + "(" + describe_keys(comparison.keys) +
           ")" + std::string(results[static_cast<std::size_t>(comparison.result)]) +
           (comparison.target == CompareTarget::value ? quoted(comparison.value) : std::to_string(comparison.number)) +
           " ";
  }
  return out + "then " + describe_actions(txn.success) + " else " + describe_actions(txn.failure);
}

std::string describe_action(const Action& action) {
  return std::visit(
      Overload{[](const Get& get) { return describe_get(get); }, [](const Put& put) { return describe_put(put); },
               [](const Delete& remove) { return describe_delete(remove); },
               [](const std::vector<Txn>& nested) { return describe_txn(nested.front()); }},
      action);
}

std::string describe_kv(const KeyValue& kv) {
  return quoted(kv.key) + "=" + quoted(kv.value) + "@" + std::to_string(kv.mod_revision) + " (created " +
         std::to_string(kv.create_revision) + ", version " + std::to_string(kv.version) +
         (kv.lease != 0 ? ", lease " + std::to_string(kv.lease) : "") + ")";
}

std::string describe_kvs(const std::vector<KeyValue>& kvs) {
  constexpr std::size_t shown_max = 8;
  std::string out = "[";
  for (std::size_t i = 0; i < std::min(kvs.size(), shown_max); ++i) out += (i > 0 ? ", " : "") + describe_kv(kvs[i]);
  return out + (kvs.size() > shown_max ? ", ..]" : "]");
}

std::string describe_txn_reply(const TxnReply& reply);

std::string describe_reply(const GetReply& reply) {
  return describe_kvs(reply.kvs) + " count=" + std::to_string(reply.count) + (reply.more ? " more" : "");
}
std::string describe_reply(const PutReply& reply) {
  return reply.previous ? "previous " + describe_kv(*reply.previous) : "ok";
}
std::string describe_reply(const DeleteReply& reply) {
  return "deleted=" + std::to_string(reply.deleted) +
         (reply.previous.empty() ? "" : " previous " + describe_kvs(reply.previous));
}
std::string describe_reply(const std::vector<TxnReply>& nested) { return describe_txn_reply(nested.front()); }
std::string describe_reply(const TxnReply& reply) { return describe_txn_reply(reply); }
std::string describe_reply(const CompactReply&) { return "ok"; }
std::string describe_reply(const GrantReply& reply) {
  return "lease " + std::to_string(reply.id) + " for " + std::to_string(reply.ttl_seconds) + "s";
}
std::string describe_reply(const RevokeReply&) { return "ok"; }
std::string describe_reply(const TimeToLiveReply& reply) {
  std::string out =
      std::to_string(reply.remaining_seconds) + "s of " + std::to_string(reply.granted_seconds) + "s left";
  for (const std::string& key : reply.keys) out += " " + quoted(key);
  return out;
}
std::string describe_reply(const LeasesReply& reply) {
  std::string out = std::to_string(reply.ids.size()) + " leases";
  for (const std::int64_t id : reply.ids) out += " " + std::to_string(id);
  return out;
}

std::string describe_reply(const HashKvReply& reply) {
  return "hash " + std::to_string(reply.hash) + " of " + std::to_string(reply.revision) + ", compacted at " +
         std::to_string(reply.compacted);
}
std::string describe_reply(const AlarmReply& reply) {
  std::string out = "no room:";
  for (const std::uint64_t member : reply.members) out += " " + std::to_string(member);
  return out;
}
std::string describe_reply(const DefragmentReply&) { return "ok"; }
std::string describe_reply(const HashStateReply& reply) { return "hash " + std::to_string(reply.hash); }

std::string describe_txn_reply(const TxnReply& reply) {
  std::string out = reply.succeeded ? "succeeded {" : "failed {";
  for (std::size_t i = 0; i < reply.replies.size(); ++i) {
    out += (i > 0 ? "; " : "") + std::visit([](const auto& inner) { return describe_reply(inner); }, reply.replies[i]);
  }
  return out + "}";
}

std::int64_t attached_lease(const Txn& txn) {
  std::int64_t lease = 0;
  for (const auto* actions : {&txn.success, &txn.failure}) {
    for (const Action& action : *actions) {
      if (const auto* put = std::get_if<Put>(&action); put != nullptr && put->lease != 0) lease = put->lease;
    }
  }
  return lease;
}

void collect_kept_keys(const Put& put, std::vector<std::string>& out) {
  if (put.keeps_value || put.keeps_lease) out.push_back(put.key);
}

void collect_kept_keys(const Txn& txn, std::vector<std::string>& out) {
  for (const auto* actions : {&txn.success, &txn.failure}) {
    for (const Action& action : *actions) {
      if (const auto* put = std::get_if<Put>(&action)) collect_kept_keys(*put, out);
      if (const auto* nested = std::get_if<std::vector<Txn>>(&action)) collect_kept_keys(nested->front(), out);
    }
  }
}

bool writes(const std::vector<Action>& actions) {
  return std::any_of(actions.begin(), actions.end(),
                     [](const Action& action) { return !std::holds_alternative<Get>(action); });
}

}  // namespace

bool KeyRange::contains(std::string_view key) const {
  if (end.empty()) return key == begin;
  return key >= begin && (end == open_end || key < end);
}

KeyRange all_keys() { return {std::string(open_end), std::string(open_end)}; }

bool TxnReply::operator==(const TxnReply& other) const {
  return succeeded == other.succeeded && replies == other.replies;
}

bool has_bounds(const Get& get) {
  return get.create_revision_min != 0 || get.create_revision_max != 0 || get.mod_revision_min != 0 ||
         get.mod_revision_max != 0;
}

bool is_refusal(std::string_view error) {
  constexpr std::string_view open[] = {
      "",  // The connection broke.
      "etcdserver: request timed out",
      "etcdserver: request timed out, possibly due to previous leader failure",
      "etcdserver: request timed out, possibly due to connection lost",
      "etcdserver: leader changed",
      "etcdserver: server stopped",
      "etcdserver: mvcc: database space exceeded",  // What was applied and is too much is told so, too.
      "context deadline exceeded",
  };
  return std::find(std::begin(open), std::end(open), error) == std::end(open);
}

bool is_write(const Request& request) {
  if (const auto* txn = std::get_if<Txn>(&request)) return writes(txn->success) || writes(txn->failure);
  return std::holds_alternative<Put>(request) || std::holds_alternative<Delete>(request);
}

bool is_about_leases(const Request& request) {
  return std::holds_alternative<Grant>(request) || std::holds_alternative<Revoke>(request) ||
         std::holds_alternative<TimeToLive>(request) || std::holds_alternative<Leases>(request);
}

bool is_about_members(const Request& request) {
  return std::holds_alternative<HashKv>(request) || std::holds_alternative<Alarm>(request) ||
         std::holds_alternative<Defragment>(request) || std::holds_alternative<HashState>(request);
}

std::int64_t attached_lease(const Request& request) {
  if (const auto* put = std::get_if<Put>(&request)) return put->lease;
  const auto* txn = std::get_if<Txn>(&request);
  return txn != nullptr ? attached_lease(*txn) : 0;
}

std::vector<std::string> kept_keys(const Request& request) {
  std::vector<std::string> keys;
  if (const auto* put = std::get_if<Put>(&request)) collect_kept_keys(*put, keys);
  if (const auto* txn = std::get_if<Txn>(&request)) collect_kept_keys(*txn, keys);
  return keys;
}

bool may_be_stale(const Request& request) {
  if (std::holds_alternative<Leases>(request) || is_about_members(request)) return true;
  if (const auto* get = std::get_if<Get>(&request)) return get->is_serializable;
  const auto* txn = std::get_if<Txn>(&request);
  return txn != nullptr && txn->success.empty() && txn->failure.empty();
}

std::string describe(const Request& request) {
  return std::visit(
      Overload{[](const Get& get) { return describe_get(get); }, [](const Put& put) { return describe_put(put); },
               [](const Delete& remove) { return describe_delete(remove); },
               [](const Txn& txn) { return describe_txn(txn); },
               [](const Compact& compact) {
                 return "compact " + std::to_string(compact.revision) + (compact.is_physical ? " physical" : "");
               },
               [](const Grant& grant) {
                 return "grant lease " + std::to_string(grant.id) + " for " + std::to_string(grant.ttl_seconds) + "s";
               },
               [](const Revoke& revoke) { return "revoke lease " + std::to_string(revoke.id); },
               [](const TimeToLive& asked) {
                 return "time to live of lease " + std::to_string(asked.id) + (asked.wants_keys ? " keys" : "");
               },
               [](const Leases&) { return std::string("list leases"); },
               [](const HashKv& asked) { return "hash of revision " + std::to_string(asked.revision); },
               [](const Alarm& alarm) {
                 return alarm.disarmed == 0 ? "list alarms" : "disarm member " + std::to_string(alarm.disarmed);
               },
               [](const Defragment&) { return std::string("defragment"); },
               [](const HashState&) { return std::string("hash of the whole state"); }},
      request);
}

std::string describe(const Response& response) {
  return "revision " + std::to_string(response.revision) + ": " +
         std::visit([](const auto& reply) { return describe_reply(reply); }, response.reply);
}

std::string describe(const Operation& operation) {
  std::string out = "#" + std::to_string(operation.id) + " of client " + std::to_string(operation.client) +
                    ", asked member " + std::to_string(operation.member) + " at " + seconds_text(operation.invoked) +
                    ": " + describe(operation.request) + " -> ";
  switch (operation.ending) {
    case Ending::pending:
      return out + "pending";
    case Ending::done:
      return out + describe(operation.response);
    case Ending::refused:
      return out + "refused: " + operation.error;
    case Ending::unknown:
      return out + "unknown: " + (operation.error.empty() ? "the connection broke" : operation.error);
  }
  return out;
}

}  // namespace metastore::sim
