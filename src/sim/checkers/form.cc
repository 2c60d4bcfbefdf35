#include "sim/checkers/form.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace metastore::sim {
namespace {

constexpr std::string_view empty_key = "etcdserver: key is not provided";

std::string_view keys_error(const Get& get) { return get.keys.begin.empty() ? empty_key : ""; }
std::string_view keys_error(const Put& put) {
  if (put.key.empty()) return empty_key;
  if (put.keeps_value && !put.value.empty()) return "etcdserver: value is provided";
  return put.keeps_lease && put.lease != 0 ? "etcdserver: lease is provided" : "";
}
std::string_view keys_error(const Delete& remove) { return remove.keys.begin.empty() ? empty_key : ""; }
std::string_view keys_error(const Compact&) { return ""; }
std::string_view keys_error(const Revoke&) { return ""; }
std::string_view keys_error(const TimeToLive&) { return ""; }
std::string_view keys_error(const Leases&) { return ""; }
std::string_view keys_error(const HashKv&) { return ""; }
std::string_view keys_error(const Alarm&) { return ""; }
std::string_view keys_error(const Defragment&) { return ""; }
std::string_view keys_error(const HashState&) { return ""; }
std::string_view keys_error(const Grant& grant) {
  constexpr std::int64_t ttl_seconds_max = 9'000'000'000;
  return grant.ttl_seconds > ttl_seconds_max ? "etcdserver: too large lease TTL" : "";
}

/// Numbers of operations, and keys, of the whole transaction: looked at before any key is compared with another.
std::string_view parts_error(const Txn& txn, std::uint64_t budget) {
  const std::uint64_t operations = std::max({txn.comparisons.size(), txn.success.size(), txn.failure.size()});
  if (operations > budget) return "etcdserver: too many operations in txn request";
  for (const Comparison& comparison : txn.comparisons) {
    if (comparison.keys.begin.empty()) return empty_key;
  }
  for (const std::vector<Action>* branch : {&txn.success, &txn.failure}) {
    for (const Action& action : *branch) {
      std::string_view error;
      if (const auto* nested = std::get_if<std::vector<Txn>>(&action)) {
        error = parts_error(nested->front(), budget - operations);
      } else if (const auto* get = std::get_if<Get>(&action)) {
        error = keys_error(*get);
      } else if (const auto* put = std::get_if<Put>(&action)) {
        error = keys_error(*put);
      } else {
        error = keys_error(std::get<Delete>(action));
      }
      if (!error.empty()) return error;
    }
  }
  return "";
}

/// Whether a branch puts a key twice, or puts a key that it deletes. Nested transactions are left aside: the workload
/// lets them change only keys that no sibling changes.
bool has_duplicate(const std::vector<Action>& branch) {
  std::set<std::string_view> puts;
  for (const Action& action : branch) {
    const auto* put = std::get_if<Put>(&action);
    if (put != nullptr && !puts.insert(put->key).second) return true;
  }
  return std::any_of(branch.begin(), branch.end(), [&puts](const Action& action) {
    const auto* remove = std::get_if<Delete>(&action);
    return remove != nullptr &&
           std::any_of(puts.begin(), puts.end(), [remove](std::string_view key) { return remove->keys.contains(key); });
  });
}

std::string_view keys_error(const Txn& txn) {
  const bool is_double = has_duplicate(txn.success) || has_duplicate(txn.failure);
  return is_double ? "etcdserver: duplicate key given in txn request" : "";
}

}  // namespace

std::string_view form_error(const Request& request, std::uint64_t txn_operations_max) {
  if (const auto* txn = std::get_if<Txn>(&request)) {
    const std::string_view error = parts_error(*txn, txn_operations_max);
    if (!error.empty()) return error;
  }
  return std::visit([](const auto& part) { return keys_error(part); }, request);
}

}  // namespace metastore::sim
