#include "sim/traffic.h"

#include <algorithm>
#include <utility>

namespace metastore::sim {
namespace {

constexpr std::string_view compactor_key = "compact_rev_key";

}  // namespace

KeyRange Traffic::objects() { return {"registry/", "registry0"}; }

Request Traffic::draw(Instant now) {
  if (to_compact_ > 0) {
    // Only what is settled, so that the surveyor can look.
    const std::int64_t revision = std::min(std::exchange(to_compact_, 0), history_.settled_revision());
    if (revision > 1) return Compact{revision, true};
  }
  if (now >= compactor_due_) {
    compactor_due_ = now + plan_.traffic_compaction_interval;
    return take_compactor_turn();
  }
  if (next_page_ && prng_.chance(3, 4)) {
    ++counts_.pages;
    return *std::exchange(next_page_, std::nullopt);
  }
  switch (prng_.below(8)) {
    case 0:
    case 1:
      return Get{.keys = objects(), .limit = prng_.between(1, 8)};
    case 2:
      return Get{.keys = {objects().begin + std::to_string(prng_.below(plan_.keys)), ""}};
    case 3:
      return draw_update(true);
    default:
      return draw_update(false);
  }
}

Txn Traffic::draw_update(bool is_deletion) {
  const std::string key = objects().begin + std::to_string(prng_.below(plan_.keys));
  const auto seen = seen_.find(key);
  Txn txn;
  txn.comparisons.push_back(
      {.keys = {key, ""}, .target = CompareTarget::mod, .number = seen == seen_.end() ? 0 : seen->second});
  if (is_deletion) {
    txn.success.emplace_back(Delete{{key, ""}});
  } else {
    Put put{.key = key, .value = "object " + std::to_string(++values_)};
    put.value.resize(std::max<std::size_t>(put.value.size(), prng_.below(plan_.value_bytes_max + 1)), 'x');
    if (!history_.leases().empty() && prng_.chance(1, 6)) put.lease = history_.leases().back();
    txn.success.emplace_back(std::move(put));
  }
  txn.failure.emplace_back(Get{.keys = {key, ""}});
  return txn;
}

Txn Traffic::take_compactor_turn() const {
  Txn txn;
  txn.comparisons.push_back(
      {.keys = {std::string(compactor_key), ""}, .target = CompareTarget::version, .number = compactor_version_});
  txn.success.emplace_back(
      Put{.key = std::string(compactor_key), .value = std::to_string(history_.settled_revision())});
  txn.failure.emplace_back(Get{.keys = {std::string(compactor_key), ""}});
  return txn;
}

void Traffic::learn(const Operation& operation) {
  if (plan_.traffic_percent == 0) return;
  if (const auto* get = std::get_if<Get>(&operation.request)) learn_list(operation, *get);
  if (operation.ending != Ending::done) return;
  if (const auto* txn = std::get_if<Txn>(&operation.request)) learn_txn(operation, *txn);
}

void Traffic::learn_list(const Operation& operation, const Get& get) {
  if (get.keys.end != objects().end || get.limit == 0) {
    if (operation.ending == Ending::done) see(std::get<GetReply>(operation.response.reply));
    return;
  }
  // Whose pages are gone begins anew.
  if (operation.ending != Ending::done) return;
  const auto& reply = std::get<GetReply>(operation.response.reply);
  see(reply);
  const std::int64_t revision = get.revision != 0 ? get.revision : operation.response.revision;
  if (!reply.more || reply.kvs.empty()) {
    listed_revision_ = revision;
    return;
  }
  next_page_ = get;
  next_page_->keys.begin = reply.kvs.back().key + '\0';
  next_page_->revision = revision;
}

void Traffic::see(const GetReply& reply) {
  for (const KeyValue& kv : reply.kvs) {
    if (objects().contains(kv.key)) seen_[kv.key] = kv.mod_revision;
  }
}

void Traffic::learn_txn(const Operation& operation, const Txn& txn) {
  if (txn.comparisons.size() != 1 || txn.success.size() != 1 || txn.failure.size() != 1) return;
  const std::string& key = txn.comparisons[0].keys.begin;
  const auto& reply = std::get<TxnReply>(operation.response.reply);
  const auto* found = reply.succeeded ? nullptr : std::get_if<GetReply>(&reply.replies[0]);
  if (!reply.succeeded && found == nullptr) return;
  if (key == compactor_key) {
    if (found != nullptr) {
      compactor_version_ = found->kvs.empty() ? 0 : found->kvs.front().version;
      return;
    }
    ++compactor_version_;
    ++counts_.compactions;
    to_compact_ = std::exchange(compactable_, operation.response.revision);
    return;
  }
  if (!objects().contains(key)) return;
  if (found != nullptr) {
    ++counts_.lost;
    seen_.erase(key);
    return see(*found);
  }
  ++counts_.won;
  if (std::holds_alternative<Delete>(txn.success[0])) {
    seen_.erase(key);
  } else {
    seen_[key] = operation.response.revision;
  }
}

}  // namespace metastore::sim
