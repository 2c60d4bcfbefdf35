#include "tests/crash/model.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace metastore::crash {

namespace {

[[noreturn]] void broken(const std::string& what) { throw Broken(what); }

std::string in_words(const Model::Events& events) {
  std::string words;
  for (const mvccpb::Event& event : events) {
    mvccpb::Event shown = event;
    if (shown.kv().value().size() > 40) shown.mutable_kv()->mutable_value()->resize(40);
    words += " {" + shown.ShortDebugString() + "}";
  }
  return words.empty() ? " nothing" : words;
}

std::string in_words(const Operation& operation) {
  constexpr const char* names[] = {"put", "erase", "txn", "grant", "revoke", "compact"};
  return std::string(names[static_cast<int>(operation.kind)]) + " " + std::to_string(operation.number) + " of key '" +
         operation.key + "', other key '" + operation.other + "', lease " + std::to_string(operation.lease);
}

bool equal(const Model::Events& one, const Model::Events& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const auto& a, const auto& b) { return a.SerializeAsString() == b.SerializeAsString(); });
}

/// The number of the operation that an event's value names; none if no event puts anything.
std::optional<std::uint64_t> number_in(const Model::Events& events) {
  for (const mvccpb::Event& event : events) {
    if (event.type() == mvccpb::Event::PUT) return std::stoull(event.kv().value());
  }
  return std::nullopt;
}

bool is_unmarked(const Operation& operation) { return operation.kind == Kind::erase || operation.kind == Kind::revoke; }

template <typename Response>
Response decode(const std::string& bytes) {
  Response response;
  if (!response.ParseFromString(bytes)) broken("an answer is no " + response.GetTypeName());
  return response;
}

void set_put(etcdserverpb::PutRequest& put, const std::string& key, const Operation& operation) {
  put.set_key(key);
  put.set_value(operation.value);
  put.set_lease(operation.lease);
}

}  // namespace

std::string value_of(std::uint64_t number, std::size_t size) {
  std::string value = std::to_string(number) + " ";
  while (value.size() < size) value += static_cast<char>('a' + (value.size() + number) % 26);
  return value;
}

Request encode(const Operation& operation) {
  switch (operation.kind) {
    case Kind::put: {
      etcdserverpb::PutRequest put;
      set_put(put, operation.key, operation);
      return {"/etcdserverpb.KV/Put", put.SerializeAsString()};
    }
    case Kind::erase: {
      etcdserverpb::DeleteRangeRequest erase;
      erase.set_key(operation.key);
      erase.set_range_end(operation.other);
      return {"/etcdserverpb.KV/DeleteRange", erase.SerializeAsString()};
    }
    case Kind::txn: {
      etcdserverpb::TxnRequest txn;
      etcdserverpb::Compare& compare = *txn.add_compare();
      compare.set_target(etcdserverpb::Compare::CREATE);
      compare.set_result(etcdserverpb::Compare::EQUAL);
      compare.set_key(operation.key);
      compare.set_create_revision(0);
      set_put(*txn.add_success()->mutable_request_put(), operation.key, operation);
      txn.add_failure()->mutable_request_delete_range()->set_key(operation.key);
      for (auto* branch : {txn.mutable_success(), txn.mutable_failure()}) {
        set_put(*branch->Add()->mutable_request_put(), operation.other, operation);
      }
      return {"/etcdserverpb.KV/Txn", txn.SerializeAsString()};
    }
    case Kind::grant: {
      etcdserverpb::LeaseGrantRequest grant;
      grant.set_id(operation.lease);
      grant.set_ttl(100'000);
      return {"/etcdserverpb.Lease/LeaseGrant", grant.SerializeAsString()};
    }
    case Kind::revoke: {
      etcdserverpb::LeaseRevokeRequest revoke;
      revoke.set_id(operation.lease);
      return {"/etcdserverpb.Lease/LeaseRevoke", revoke.SerializeAsString()};
    }
    case Kind::compact: {
      etcdserverpb::CompactionRequest compaction;
      compaction.set_revision(operation.revision);
      return {"/etcdserverpb.KV/Compact", compaction.SerializeAsString()};
    }
  }
  std::abort();
}

void Model::asked(const Operation& operation) {
  open_.emplace(operation.number, operation);
  if (is_unmarked(operation)) {
    unmarked_.push_back({operation});
    ++unmarked_open_;
  }
  if (operation.kind == Kind::compact) compaction_asked_ = std::max(compaction_asked_, operation.revision);
}

void Model::answered(std::uint64_t number, const std::string& bytes) {
  const auto found = open_.extract(number);
  if (found.empty()) broken("operation " + std::to_string(number) + " is answered twice");
  const Operation& operation = found.mapped();
  ++counts_.acknowledged;
  std::int64_t revision = 0;
  switch (operation.kind) {
    case Kind::put:
      revision = decode<etcdserverpb::PutResponse>(bytes).header().revision();
      break;
    case Kind::txn:
      revision = decode<etcdserverpb::TxnResponse>(bytes).header().revision();
      break;
    case Kind::erase: {
      const auto response = decode<etcdserverpb::DeleteRangeResponse>(bytes);
      unmarked_.back().acknowledged = true;
      unmarked_.back().deleted = response.deleted();
      --unmarked_open_;
      if (response.deleted() > 0) revision = response.header().revision();
      break;
    }
    case Kind::revoke:
      unmarked_.back().acknowledged = true;
      --unmarked_open_;
      revoked(operation.lease);
      break;
    case Kind::grant:
      if (decode<etcdserverpb::LeaseGrantResponse>(bytes).id() != operation.lease) broken("a lease of another id");
      leases_.insert(operation.lease);
      break;
    case Kind::compact:
      compaction_told_ = std::max(compaction_told_, operation.revision);
      break;
  }
  if (revision == 0) return;
  if (revision <= folded_) {
    broken("revision " + std::to_string(revision) + " is given again, to " + in_words(operation));
  }
  if (!told_.emplace(revision, operation).second) broken("one revision, two operations: " + in_words(operation));
}

void Model::revoked(std::int64_t lease) {
  leases_.erase(lease);
  leases_revoked_.insert(lease);
}

void Model::refused(std::uint64_t number, const std::string& why) {
  const auto found = open_.extract(number);
  // A put under a lease that is being revoked may come too late; all else was asked rightly.
  if (found.empty() || found.mapped().lease == 0 || found.mapped().kind == Kind::grant) {
    broken("operation " + std::to_string(number) + " is refused: " + why);
  }
  if (is_unmarked(found.mapped())) broken("a revoke is refused: " + why);
}

void Model::event(const mvccpb::Event& event) {
  const std::int64_t revision = event.kv().mod_revision();
  const bool goes_on = revision == watched_ && events_.contains(revision);
  if (!goes_on && revision != watched_ + 1) {
    broken("after revision " + std::to_string(watched_) + " a watch shows" + in_words({event}));
  }
  watched_ = revision;
  events_[revision].push_back(event);
}

std::vector<std::int64_t> Model::usable_leases() const {
  std::vector<std::int64_t> leases(leases_.begin(), leases_.end());
  for (const Unmarked& unmarked : unmarked_) std::erase(leases, unmarked.operation.lease);
  return leases;
}

void Model::settle(std::int64_t revision, const std::set<std::int64_t>& leases) {
  if (revision != watched_) {
    broken("the member is at revision " + std::to_string(revision) + " after a watch showed revision " +
           std::to_string(watched_));
  }
  while (folded_ < revision) {
    fold(folded_ + 1, events_.at(folded_ + 1));
    ++folded_;
  }
  if (!told_.empty()) {
    broken("the member is at revision " + std::to_string(revision) + ", but revision " +
           std::to_string(told_.rbegin()->first) + " was acknowledged to " + in_words(told_.rbegin()->second));
  }
  for (const Unmarked& unmarked : unmarked_) settle_unmarked(unmarked, {}, revision);
  settle_leases(leases);
  for (const auto& [number, operation] : open_) {
    if (operation.kind == Kind::put || operation.kind == Kind::txn) ++counts_.absent;
  }
  open_.clear();
  unmarked_.clear();
  unmarked_open_ = 0;
  while (base_revision_ < compaction_asked_) apply(base_, events_.at(++base_revision_));
  events_.erase(events_.begin(), events_.upper_bound(compaction_asked_));
}

void Model::settle_leases(const std::set<std::int64_t>& leases) {
  std::set<std::int64_t> doubtful;
  for (const auto& [number, operation] : open_) {
    if (operation.kind == Kind::grant || operation.kind == Kind::revoke) doubtful.insert(operation.lease);
  }
  for (const std::int64_t lease : leases_) {
    if (leases.contains(lease) || doubtful.contains(lease)) continue;
    broken("lease " + std::to_string(lease) + " was granted and is gone");
  }
  for (const std::int64_t lease : leases) {
    if (leases_revoked_.contains(lease)) broken("lease " + std::to_string(lease) + " was revoked and is there");
    if (leases_.contains(lease) || doubtful.contains(lease)) continue;
    broken("lease " + std::to_string(lease) + " was never granted");
  }
  for (const auto& [key, value] : state_) {
    if (value.lease() == 0 || leases.contains(value.lease())) continue;
    broken("lease " + std::to_string(value.lease()) + " of key " + key + " is gone");
  }
  leases_ = leases;
  leases_revoked_.clear();
}

void Model::fold(std::int64_t revision, const Events& events) {
  if (const std::optional<std::uint64_t> number = number_in(events)) {
    const auto told = told_.find(revision);
    const auto open = open_.find(*number);
    const bool is_told = told != told_.end() && told->second.number == *number;
    if (!is_told && open == open_.end()) {
      broken("revision " + std::to_string(revision) + " is of operation " + std::to_string(*number) +
             ", which was not asked, was asked before a former kill or was told another revision:" + in_words(events));
    }
    const Operation& operation = is_told ? told->second : open->second;
    const Events expected = effect(operation, revision);
    if (!equal(expected, events)) {
      broken("revision " + std::to_string(revision) + " has" + in_words(events) + "; " + in_words(operation) +
             " would have done" + in_words(expected));
    }
    if (is_told) {
      told_.erase(told);
    } else {
      open_.erase(open);
      ++counts_.whole;
    }
  } else {
    fold_unmarked(revision, events);
  }
  apply(state_, events);
}

/// Those before the one that did this had no effect, then or ever.
void Model::fold_unmarked(std::int64_t revision, const Events& events) {
  for (; !unmarked_.empty(); unmarked_.pop_front()) {
    const Unmarked& unmarked = unmarked_.front();
    const auto told = told_.find(revision);
    const bool is_told = told != told_.end() && told->second.number == unmarked.operation.number;
    // An erase that was answered had its effect at the revision that it was told, if any.
    const bool may_match = is_told || !unmarked.acknowledged || unmarked.operation.kind == Kind::revoke;
    if (!may_match || !equal(effect(unmarked.operation, revision), events)) {
      settle_unmarked(unmarked, events, revision);
      continue;
    }
    if (is_told) told_.erase(told);
    if (!unmarked.acknowledged) {
      ++counts_.whole;
      open_.erase(unmarked.operation.number);
      if (unmarked.operation.kind == Kind::revoke) revoked(unmarked.operation.lease);
    }
    unmarked_.pop_front();
    return;
  }
  broken("revision " + std::to_string(revision) + " deletes what nobody asked to delete:" + in_words(events));
}

/// An operation that is not what did `events`: it may have had no effect.
void Model::settle_unmarked(const Unmarked& unmarked, const Events& events, std::int64_t revision) {
  if (unmarked.deleted == 0) return;
  broken(in_words(unmarked.operation) + " was told that it deleted, and at revision " + std::to_string(revision) +
         " there is still" + in_words(events));
}

Model::Events Model::effect(const Operation& operation, std::int64_t revision) const {
  Events events;
  const auto put = [&](const std::string& key) {
    mvccpb::KeyValue& kv = *events.emplace_back().mutable_kv();
    const auto before = state_.find(key);
    kv.set_key(key);
    kv.set_create_revision(before == state_.end() ? revision : before->second.create_revision());
    kv.set_mod_revision(revision);
    kv.set_version(before == state_.end() ? 1 : before->second.version() + 1);
    kv.set_value(operation.value);
    kv.set_lease(operation.lease);
  };
  const auto erase = [&](const std::string& key) {
    mvccpb::Event& event = events.emplace_back();
    event.set_type(mvccpb::Event::DELETE);
    event.mutable_kv()->set_key(key);
    event.mutable_kv()->set_mod_revision(revision);
  };
  switch (operation.kind) {
    case Kind::put:
      put(operation.key);
      break;
    case Kind::txn:
      state_.contains(operation.key) ? erase(operation.key) : put(operation.key);
      put(operation.other);
      break;
    case Kind::erase:
      for (auto at = state_.lower_bound(operation.key); at != state_.end() && at->first < operation.other; ++at) {
        erase(at->first);
      }
      break;
    case Kind::revoke:
      for (const auto& [key, kv] : state_) {
        if (kv.lease() == operation.lease) erase(key);
      }
      break;
    case Kind::grant:
    case Kind::compact:
      break;
  }
  return events;
}

void Model::apply(State& state, const Events& events) {
  for (const mvccpb::Event& event : events) {
    if (event.type() == mvccpb::Event::PUT) {
      state[event.kv().key()] = event.kv();
    } else {
      state.erase(event.kv().key());
    }
  }
}

Model::State Model::state_at(std::int64_t revision) const {
  State state = base_;
  for (auto at = events_.upper_bound(base_revision_); at != events_.end() && at->first <= revision; ++at) {
    apply(state, at->second);
  }
  return state;
}

Model::Events Model::events_from(std::int64_t revision) const {
  Events found;
  for (auto at = events_.lower_bound(revision); at != events_.end(); ++at) {
    found.insert(found.end(), at->second.begin(), at->second.end());
  }
  return found;
}

}  // namespace metastore::crash
