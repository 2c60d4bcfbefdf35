#include "sim/checkers/model.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "core/base/assert.h"

namespace metastore::sim {

namespace {

/// The part of a sorted map that a range covers.
template <typename Map>
auto span(Map& map, const KeyRange& range) {
  const auto begin = map.lower_bound(range.begin);
  if (range.end.empty()) return std::pair(begin, map.upper_bound(range.begin));
  if (range.end == all_keys().end) return std::pair(begin, map.end());
  return std::pair(begin, range.end <= range.begin ? begin : map.lower_bound(range.end));
}

/// A total order: of those that are equal the smaller key comes first, in descending order too.
bool precedes(const Get& get, const KeyValue& a, const KeyValue& b) {
  std::strong_ordering order = std::strong_ordering::equal;
  switch (get.sorted_by) {
    case SortBy::key:
      order = a.key <=> b.key;
      break;
    case SortBy::version:
      order = a.version <=> b.version;
      break;
    case SortBy::creation:
      order = a.create_revision <=> b.create_revision;
      break;
    case SortBy::modification:
      order = a.mod_revision <=> b.mod_revision;
      break;
    case SortBy::value:
      order = a.value <=> b.value;
      break;
  }
  if (order == 0) return a.key < b.key;
  return get.is_descending ? order > 0 : order < 0;
}

}  // namespace

/// One request against the present state. Remembers what the keys that it touched were before.
class Model::Evaluation {
 public:
  explicit Evaluation(Model& model) : model_(model), keys_(model.keys_) {}

  Response answer(const Request& request) {
    Response response;
    if (const auto* get = std::get_if<Get>(&request)) {
      response.reply = run(*get);
    } else if (const auto* put = std::get_if<Put>(&request)) {
      response.reply = run(*put);
    } else if (const auto* remove = std::get_if<Delete>(&request)) {
      response.reply = run(*remove);
    } else if (const auto* txn = std::get_if<Txn>(&request)) {
      // All comparisons read the state before the transaction, those of nested ones too.
      decide(*txn);
      response.reply = run(*txn);
    } else {
      ASSERT(std::holds_alternative<Compact>(request));
      response.reply = CompactReply{};
    }
    response.revision = model_.revision_ + (touched_.empty() ? 0 : 1);
    return response;
  }

  Former& touched() { return touched_; }
  bool is_refused() const { return is_refused_; }

  static GetReply get_from(const Model& model, const Get& get) {
    GetReply reply;
    const auto take = [&](const KeyValue& kv) {
      ++reply.count;
      if (!get.is_count_only) reply.kvs.push_back(kv);
    };
    if (get.revision == 0) {
      const auto [begin, end] = span(model.keys_, get.keys);
      for (auto at = begin; at != end; ++at) take(at->second);
    } else {
      const auto [begin, end] = span(model.past_, get.keys);
      for (auto at = begin; at != end; ++at) {
        if (const KeyValue* kv = model.find(at->first, get.revision)) take(*kv);
      }
    }
    // The count is still that of all.
    std::erase_if(reply.kvs, [&get](const KeyValue& kv) {
      const auto is_out = [](std::int64_t revision, std::int64_t least, std::int64_t most) {
        return (least != 0 && revision < least) || (most != 0 && revision > most);
      };
      return is_out(kv.create_revision, get.create_revision_min, get.create_revision_max) ||
             is_out(kv.mod_revision, get.mod_revision_min, get.mod_revision_max);
    });
    // Keys are unique: a total order.
    std::sort(reply.kvs.begin(), reply.kvs.end(),
              [&get](const KeyValue& a, const KeyValue& b) { return precedes(get, a, b); });
    if (get.limit > 0 && reply.kvs.size() > static_cast<std::size_t>(get.limit)) {
      reply.kvs.resize(static_cast<std::size_t>(get.limit));
      reply.more = true;
    }
    if (get.is_keys_only) {
      // As etcd's index, which knows no lease; what is sorted by values it does not serve.
      for (KeyValue& kv : reply.kvs) {
        kv.value.clear();
        if (get.sorted_by != SortBy::value) kv.lease = 0;
      }
    }
    return reply;
  }

 private:
  GetReply run(const Get& get) const { return get_from(model_, get); }
  PutReply run(const Put& put) {
    PutReply reply;
    KeyValue& kv = keys_[put.key];
    touched_.try_emplace(put.key, kv);
    if (kv.version > 0 && put.wants_previous) reply.previous = kv;
    is_refused_ = is_refused_ || (kv.version == 0 && (put.keeps_value || put.keeps_lease));
    kv.key = put.key;
    if (!put.keeps_value) kv.value = put.value;
    if (!put.keeps_lease) kv.lease = put.lease;
    kv.mod_revision = model_.revision_ + 1;
    if (kv.version == 0) kv.create_revision = kv.mod_revision;
    ++kv.version;
    return reply;
  }

  DeleteReply run(const Delete& remove) {
    DeleteReply reply;
    const auto [begin, end] = span(keys_, remove.keys);
    for (auto at = begin; at != end; ++at) {
      ++reply.deleted;
      if (remove.wants_previous) reply.previous.push_back(at->second);
      touched_.try_emplace(at->first, at->second);
    }
    keys_.erase(begin, end);
    return reply;
  }

  TxnReply run(const Txn& txn) {
    TxnReply reply;
    reply.succeeded = decisions_.at(next_decision_++);
    // The decisions of the branch not taken are in the list too; they are stepped over.
    if (!reply.succeeded) next_decision_ += nested_count(txn.success);
    for (const Action& action : reply.succeeded ? txn.success : txn.failure) {
      if (const auto* get = std::get_if<Get>(&action)) {
        reply.replies.emplace_back(run(*get));
      } else if (const auto* put = std::get_if<Put>(&action)) {
        reply.replies.emplace_back(run(*put));
      } else if (const auto* remove = std::get_if<Delete>(&action)) {
        reply.replies.emplace_back(run(*remove));
      } else {
        std::vector<TxnReply> nested;
        nested.push_back(run(std::get<std::vector<Txn>>(action).front()));
        reply.replies.emplace_back(std::move(nested));
      }
    }
    if (reply.succeeded) next_decision_ += nested_count(txn.failure);
    return reply;
  }

  void decide(const Txn& txn) {
    decisions_.push_back(std::all_of(txn.comparisons.begin(), txn.comparisons.end(),
                                     [this](const Comparison& comparison) { return holds(comparison); }));
    for (const auto* actions : {&txn.success, &txn.failure}) {
      for (const Action& action : *actions) {
        if (const auto* nested = std::get_if<std::vector<Txn>>(&action)) decide(nested->front());
      }
    }
  }

  static std::size_t nested_count(const std::vector<Action>& actions) {
    std::size_t count = 0;
    for (const Action& action : actions) {
      if (const auto* nested = std::get_if<std::vector<Txn>>(&action)) {
        count += 1 + nested_count(nested->front().success) + nested_count(nested->front().failure);
      }
    }
    return count;
  }

  bool holds(const Comparison& comparison) const {
    const auto [begin, end] = span(keys_, comparison.keys);
    if (begin == end) return comparison.target != CompareTarget::value && holds(comparison, KeyValue());
    return std::all_of(begin, end, [&comparison](const auto& entry) { return holds(comparison, entry.second); });
  }

  static bool holds(const Comparison& comparison, const KeyValue& kv) {
    std::strong_ordering order = std::strong_ordering::equal;
    switch (comparison.target) {
      case CompareTarget::version:
        order = kv.version <=> comparison.number;
        break;
      case CompareTarget::create:
        order = kv.create_revision <=> comparison.number;
        break;
      case CompareTarget::mod:
        order = kv.mod_revision <=> comparison.number;
        break;
      case CompareTarget::value:
        order = kv.value <=> comparison.value;
        break;
      case CompareTarget::lease:
        order = kv.lease <=> comparison.number;
        break;
    }
    switch (comparison.result) {
      case CompareResult::equal:
        return order == 0;
      case CompareResult::greater:
        return order > 0;
      case CompareResult::less:
        return order < 0;
      case CompareResult::not_equal:
        return order != 0;
    }
    UNREACHABLE();
  }

  const Model& model_;
  Keys& keys_;
  Former touched_;
  bool is_refused_ = false;
  std::vector<bool> decisions_;
  std::size_t next_decision_ = 0;
};

Response Model::apply(const Request& request) {
  Evaluation evaluation(*this);
  Response response = evaluation.answer(request);
  former_ = std::move(evaluation.touched());
  is_refused_ = evaluation.is_refused();
  if (has_changed()) ++revision_;
  for (const auto& [key, former] : former_) {
    const auto found = keys_.find(key);
    past_[key].push_back({revision_, found == keys_.end(), found == keys_.end() ? KeyValue() : found->second});
  }
  return response;
}

void Model::undo() {
  if (has_changed()) --revision_;
  for (auto& [key, former] : former_) {
    past_.find(key)->second.pop_back();
    if (former.version == 0) {
      keys_.erase(key);
    } else {
      keys_[key] = std::move(former);
    }
  }
  former_.clear();
  is_refused_ = false;
}

Response Model::read(const Get& get) const { return {revision_, Evaluation::get_from(*this, get)}; }

const KeyValue* Model::find(std::string_view key, std::int64_t revision) const {
  const auto found = past_.find(key);
  if (found == past_.end()) return nullptr;
  const auto later = std::upper_bound(found->second.begin(), found->second.end(), revision,
                                      [](std::int64_t at, const Past& past) { return at < past.revision; });
  if (later == found->second.begin() || std::prev(later)->is_deleted) return nullptr;
  return &std::prev(later)->kv;
}

bool Model::end_lease(std::int64_t lease) {
  const std::int64_t revision = revision_ + 1;
  for (auto at = keys_.begin(); at != keys_.end();) {
    if (at->second.lease != lease) {
      ++at;
      continue;
    }
    revision_ = revision;
    past_[at->first].push_back({revision, true, {}});
    at = keys_.erase(at);
  }
  return revision_ == revision;
}

std::int64_t Model::gone_after(std::string_view key, std::int64_t revision) const {
  const auto found = past_.find(key);
  if (found == past_.end()) return 0;
  const auto gone = std::find_if(found->second.begin(), found->second.end(),
                                 [revision](const Past& past) { return past.is_deleted && past.revision > revision; });
  return gone == found->second.end() ? std::numeric_limits<std::int64_t>::max() : gone->revision;
}

std::vector<std::string> Model::keys_of(std::int64_t lease, std::int64_t revision) const {
  std::vector<std::string> keys;
  for (const auto& entry : past_) {
    const KeyValue* const kv = find(entry.first, revision);
    if (kv != nullptr && kv->lease == lease) keys.push_back(entry.first);
  }
  return keys;
}

std::vector<Model::Change> Model::changes() const {
  std::vector<Change> changes;
  for (const auto& [key, versions] : past_) {
    for (const Past& past : versions) {
      KeyValue deleted{.key = key, .value = {}, .mod_revision = past.revision};
      changes.push_back({past.is_deleted, past.is_deleted ? deleted : past.kv});
    }
  }
  // A key changes once in a revision: a total order.
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::tie(a.kv.mod_revision, a.kv.key) < std::tie(b.kv.mod_revision, b.kv.key);
  });
  return changes;
}

}  // namespace metastore::sim
