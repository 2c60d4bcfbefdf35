#include "sim/workload.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore::sim {
namespace {

constexpr std::int64_t ttl_seconds_too_large = 9'000'000'001;

}  // namespace

Request Workload::draw(Instant now) {
  if (room_steps_ > 0) return make_room();
  if (plan_.traffic_percent > 0 && prng_.below(100) < plan_.traffic_percent) return traffic_.draw(now);
  switch (static_cast<Kind>(prng_.weighted(plan_.mix.data(), plan_.mix.size()))) {
    case Kind::put:
      return draw_put(draw_key());
    case Kind::get:
      return draw_get(false);
    case Kind::list:
      return draw_get(true);
    case Kind::remove:
      return Delete{prng_.chance(4, 5) ? KeyRange{draw_key(), ""} : draw_range(), prng_.chance(1, 3)};
    case Kind::txn:
      return draw_txn();
    case Kind::compact:
      return draw_compact();
    case Kind::malformed:
      return draw_malformed();
    case Kind::grant:
      return draw_grant();
    case Kind::revoke:
      return Revoke{draw_lease()};
    case Kind::time_to_live:
      return TimeToLive{draw_lease(), prng_.chance(1, 2)};
    case Kind::leases:
      return Leases{};
    case Kind::hash_kv: {
      const HashKv hash = draw_hash();
      if (whole_hashes_.chance(1, 4)) return HashState{};
      return hash;
    }
  }
  UNREACHABLE();
}

HashKv Workload::draw_hash() {
  // Several clients ask for the same, of several members.
  if (hashes_left_ > 0) {
    --hashes_left_;
    return HashKv{hashed_};
  }
  hashes_left_ = prng_.below(6);
  const std::int64_t newest = history_.newest_revision();
  if (prng_.chance(1, 40)) return HashKv{far_future};
  if (prng_.chance(1, 6)) return HashKv{};
  hashed_ = compacted_ > 0 && prng_.chance(1, 2) ? std::max<std::int64_t>(1, compacted_ + prng_.between(-1, 1))
                                                 : prng_.between(std::max<std::int64_t>(1, newest - 20), newest);
  return HashKv{hashed_};
}

Request Workload::make_room() {
  constexpr std::uint64_t begin_of_disarming = 4;
  if (room_steps_ > begin_of_disarming) {
    // Each member has a file of its own, so that several are told to write theirs anew.
    switch (room_steps_-- % 4) {
      case 0:
        return Delete{{"key/", "key0"}, false};
      case 3:
        compacted_ = history_.settled_revision();
        return Compact{compacted_, true};
      default:
        return Defragment{};
    }
  }
  if (alarming_.empty()) {
    room_steps_ = 0;
    return Alarm{};
  }
  const std::uint64_t member = alarming_.front();
  alarming_.pop_front();
  return Alarm{member};
}

Grant Workload::draw_grant() {
  Grant grant;
  grant.ttl_seconds = prng_.chance(1, 4) ? long_ttl_seconds : prng_.between(std::int64_t{-1}, plan_.ttl_seconds_max);
  // One in eight is the member's to name; some are asked for a second time, some have odd ids.
  if (prng_.chance(1, 8)) return grant;
  if (prng_.chance(1, 16) && !history_.leases().empty()) {
    grant.id = draw_lease();
    return grant;
  }
  grant.id = ++leases_asked_;
  if (prng_.chance(1, 16)) grant.id = -grant.id;
  return grant;
}

std::int64_t Workload::draw_lease() {
  const auto& known = history_.leases();
  constexpr std::int64_t never_asked = 123'456'789;
  if (known.empty() || prng_.chance(1, 40)) return never_asked;
  constexpr std::size_t latest = 4;
  const std::size_t begin = prng_.chance(3, 4) && known.size() > latest ? known.size() - latest : 0;
  return known[begin + prng_.below(known.size() - begin)];
}

Put Workload::draw_put(std::string key) {
  Put put{std::move(key), draw_value(), prng_.chance(1, 3)};
  keep_some(put);
  if (prng_.below(100) >= plan_.leased_percent || history_.leases().empty()) return put;
  if (!put.keeps_lease) put.lease = draw_lease();
  // Most of them keep away from the keys whose loss the other oracles look for.
  if (prng_.chance(2, 3)) put.key.insert(0, "leased ");
  return put;
}

void Workload::keep_some(Put& put) {
  put.keeps_value = rarities_.chance(1, 16);
  put.keeps_lease = rarities_.chance(1, 16);
  if (put.keeps_value) put.value.clear();
}

void Workload::learn(const Operation& operation) {
  traffic_.learn(operation);
  constexpr std::uint64_t steps_to_room = 14;
  if (plan_.makes_room && room_steps_ == 0 && operation.error == "etcdserver: mvcc: database space exceeded") {
    room_steps_ = steps_to_room;
  }
  if (const auto* alarm = std::get_if<Alarm>(&operation.request);
      alarm != nullptr && alarm->disarmed == 0 && operation.ending == Ending::done) {
    const auto& members = std::get<AlarmReply>(operation.response.reply).members;
    alarming_.assign(members.begin(), members.end());
    if (!members.empty()) room_steps_ = 1;
  }
  if (operation.ending != Ending::done) return;
  if (const auto* reply = std::get_if<GetReply>(&operation.response.reply)) {
    for (const KeyValue& kv : reply->kvs) seen_[kv.key] = kv;
  }
}

std::string Workload::draw_key() {
  // Half of the requests meet at a few keys.
  const std::uint64_t number =
      prng_.chance(1, 2) ? prng_.below(std::min<std::uint64_t>(plan_.keys, 3)) : prng_.below(plan_.keys);
  return "key/" + std::to_string(number);
}

std::string Workload::draw_new_key(std::set<std::string>& used) {
  std::string key = draw_key();
  // A transaction that changes a key twice is refused: rare enough not to hide what else transactions do.
  while (!used.insert(key).second && !prng_.chance(1, 20)) key = "other/" + std::to_string(used.size());
  return key;
}

std::string Workload::draw_value() {
  std::string value = "value " + std::to_string(++values_) + " ";
  value.resize(std::max<std::size_t>(value.size(), prng_.below(plan_.value_bytes_max + 1)), 'x');
  return value;
}

KeyRange Workload::draw_range() {
  switch (prng_.below(4)) {
    case 0:
      return all_keys();
    case 1:
      return {"key/", "key0"};
    case 2:
      return {draw_key(), all_keys().end};
    default:
      return {draw_key(), draw_key()};
  }
}

Get Workload::draw_get(bool is_list) {
  Get get;
  get.keys = is_list ? draw_range() : KeyRange{draw_key(), ""};
  get.is_serializable = prng_.below(100) < plan_.serializable_percent;
  if (prng_.below(100) < plan_.historical_percent) {
    get.revision = prng_.chance(1, 50) ? far_future : prng_.between(1, history_.newest_revision());
  }
  if (!is_list) return get;
  if (prng_.chance(1, 2)) get.limit = prng_.between(1, 10);
  get.is_count_only = prng_.chance(1, 10);
  get.is_keys_only = prng_.chance(1, 5);
  get.is_descending = prng_.chance(1, 5);
  if (rarities_.chance(1, 4)) get.sorted_by = static_cast<SortBy>(rarities_.below(5));
  for (std::int64_t* bound :
       {&get.create_revision_min, &get.create_revision_max, &get.mod_revision_min, &get.mod_revision_max}) {
    if (rarities_.chance(1, 16)) *bound = rarities_.between(1, history_.newest_revision());
  }
  return get;
}

Comparison Workload::draw_comparison() {
  Comparison comparison;
  comparison.keys.begin = draw_key();
  comparison.target = static_cast<CompareTarget>(prng_.below(4));
  if (rarities_.chance(1, 12)) comparison.target = CompareTarget::lease;
  comparison.result = static_cast<CompareResult>(prng_.below(4));
  const auto seen = seen_.find(comparison.keys.begin);
  if (seen == seen_.end() || prng_.chance(1, 5)) {
    comparison.number = prng_.between(0, 3);
    comparison.value = "value 1 ";
    return comparison;
  }
  // What was seen last often still holds: the usual optimistic transaction.
  const KeyValue& kv = seen->second;
  comparison.number = comparison.target == CompareTarget::version  ? kv.version
                      : comparison.target == CompareTarget::create ? kv.create_revision
                      : comparison.target == CompareTarget::lease  ? kv.lease
                                                                   : kv.mod_revision;
  comparison.value = kv.value;
  if (rarities_.chance(1, 6)) {
    comparison.keys = draw_range();
    // Some number that all, or none, or some of them exceed.
    if (rarities_.chance(1, 2)) comparison.number = rarities_.chance(1, 2) ? 0 : history_.newest_revision() / 2;
  }
  return comparison;
}

Action Workload::draw_action(std::set<std::string>& used, bool may_write, bool may_nest) {
  const std::uint64_t kind = prng_.below(may_write ? 10 : 3);
  if (kind < 3) {
    Get get = draw_get(prng_.chance(1, 2));
    get.is_serializable = false;
    return get;
  }
  if (kind < 7) {
    Put put{draw_new_key(used), draw_value(), prng_.chance(1, 3)};
    keep_some(put);
    if (prng_.below(100) < plan_.leased_percent && !put.keeps_lease) put.lease = lease_of_txn_;
    return put;
  }
  if (kind < 9 || !may_nest) {
    Delete remove{{draw_new_key(used), ""}, prng_.chance(1, 3)};
    if (rarities_.chance(1, 8)) {
      // A few keys: one that is put besides makes a duplicate.
      remove.keys.end = remove.keys.begin;
      remove.keys.end.back() += 2;
    }
    return remove;
  }
  // Its keys are nobody else's, so that only its own siblings could clash with it.
  Txn nested;
  nested.comparisons.push_back(draw_comparison());
  nested.success.emplace_back(Put{"nested/" + std::to_string(used.size()), draw_value(), true});
  used.insert("nested/" + std::to_string(used.size()));
  nested.failure.emplace_back(draw_get(true));
  return std::vector<Txn>{std::move(nested)};
}

Txn Workload::draw_txn() {
  Txn txn;
  lease_of_txn_ = history_.leases().empty() ? 0 : draw_lease();
  const bool may_write = prng_.chance(5, 6);
  for (std::uint64_t i = prng_.below(3); i > 0; --i) txn.comparisons.push_back(draw_comparison());
  for (std::vector<Action>* branch : {&txn.success, &txn.failure}) {
    std::set<std::string> used;
    for (std::uint64_t i = prng_.below(4); i > 0; --i) branch->push_back(draw_action(used, may_write, true));
  }
  return txn;
}

Compact Workload::draw_compact() {
  // Never past what is settled: the surveyor must still be able to look at every revision that is not.
  Compact compact;
  const std::int64_t settled = history_.settled_revision();
  compact.is_physical = prng_.chance(1, 3);
  compact.revision = prng_.chance(1, 20) ? far_future : prng_.between(std::max<std::int64_t>(1, settled - 20), settled);
  if (compact.revision != far_future) compacted_ = compact.revision;
  return compact;
}

Request Workload::draw_malformed() {
  switch (prng_.below(5)) {
    case 4:
      return Grant{++leases_asked_, ttl_seconds_too_large};
    case 0: {
      Put put{"", draw_value(), false};
      if (rarities_.chance(1, 2)) {
        put.key = draw_key();
        put.keeps_value = true;
      }
      return put;
    }
    case 1:
      return Get{};
    case 2:
      return Delete{};
    default: {
      Txn txn;
      for (std::uint64_t i = 0; i <= plan_.limits.txn_ops_max; ++i) {
        txn.success.emplace_back(Put{"many/" + std::to_string(i), draw_value(), false});
      }
      return txn;
    }
  }
}

}  // namespace metastore::sim
