#include "sim/checkers/durability.h"

#include <algorithm>
#include <utility>

#include "sim/history.h"

namespace metastore::sim {
namespace {

constexpr std::size_t ended_kept = 256;

Violation lost(const Operation& operation, const std::string& why) {
  return {"O3", operation.returned, why + ": " + describe(operation)};
}

void collect_deletions(const std::vector<Action>& actions, std::vector<KeyRange>& out) {
  for (const Action& action : actions) {
    if (const auto* remove = std::get_if<Delete>(&action)) out.push_back(remove->keys);
    if (const auto* nested = std::get_if<std::vector<Txn>>(&action)) {
      collect_deletions(nested->front().success, out);
      collect_deletions(nested->front().failure, out);
    }
  }
}

std::vector<KeyRange> deletions(const Request& request) {
  std::vector<KeyRange> out;
  if (const auto* remove = std::get_if<Delete>(&request)) out.push_back(remove->keys);
  if (const auto* txn = std::get_if<Txn>(&request)) {
    collect_deletions(txn->success, out);
    collect_deletions(txn->failure, out);
  }
  return out;
}

void collect_leased(const Put& put, std::set<std::string, std::less<>>& out) {
  if (put.lease != 0) out.insert(put.key);
}

void collect_leased(const Request& request, std::set<std::string, std::less<>>& out) {
  if (const auto* put = std::get_if<Put>(&request)) collect_leased(*put, out);
  const auto* txn = std::get_if<Txn>(&request);
  if (txn == nullptr || attached_lease(request) == 0) return;
  for (const auto* actions : {&txn->success, &txn->failure}) {
    for (const Action& action : *actions) {
      if (const auto* put = std::get_if<Put>(&action)) collect_leased(*put, out);
    }
  }
}

bool covers(const std::vector<KeyRange>& ranges, std::string_view key) {
  return std::any_of(ranges.begin(), ranges.end(), [key](const KeyRange& range) { return range.contains(key); });
}

}  // namespace

void DurabilityChecker::on_invoked(const Operation& operation) {
  std::vector<KeyRange> ranges = deletions(operation.request);
  if (!ranges.empty()) open_.push_back({operation.id, std::move(ranges)});
  collect_leased(operation.request, leased_);
}

std::optional<Violation> DurabilityChecker::on_returned(const Operation& operation) {
  if (operation.ending == Ending::unknown) return std::nullopt;
  end_deletion(operation);
  if (operation.ending != Ending::done || is_about_members(operation.request)) return std::nullopt;
  ++judged_;
  const auto* get = std::get_if<Get>(&operation.request);
  if (may_be_stale(operation.request)) return std::nullopt;
  const std::int64_t before = acknowledged_before(operation.invoked);
  const std::int64_t revision = operation.response.revision;
  if (revision < before) {
    return lost(operation, "revision " + std::to_string(before) + " had been acknowledged before it was asked");
  }
  if (has_changed(operation.response) && revision == before) {
    return lost(operation, "its revision had been acknowledged before it was asked");
  }
  if (acknowledged_.empty() || acknowledged_.back().revision < revision) {
    acknowledged_.push_back({revision, operation.returned});
  }
  if (const auto* put = std::get_if<Put>(&operation.request)) record(*put, operation);
  return get != nullptr ? judge_read(*get, operation) : std::nullopt;
}

std::int64_t DurabilityChecker::acknowledged_before(Instant when) const {
  const auto later = std::lower_bound(acknowledged_.begin(), acknowledged_.end(), when,
                                      [](const Written& point, Instant limit) { return point.returned < limit; });
  return later == acknowledged_.begin() ? 1 : std::prev(later)->revision;
}

void DurabilityChecker::end_deletion(const Operation& operation) {
  const auto found = std::find_if(open_.begin(), open_.end(), [&operation](const OpenDeletion& deletion) {
    return deletion.operation == operation.id;
  });
  if (found == open_.end()) return;
  std::erase_if(written_, [&found](const auto& entry) { return covers(found->ranges, entry.first); });
  ended_.push_back({operation.returned, std::move(found->ranges)});
  if (ended_.size() > ended_kept) ended_.pop_front();
  open_.erase(found);
}

void DurabilityChecker::record(const Put& put, const Operation& operation) {
  // A deletion that ended meanwhile may have come after it.
  for (auto deletion = ended_.rbegin(); deletion != ended_.rend() && deletion->ended >= operation.invoked; ++deletion) {
    if (covers(deletion->ranges, put.key)) return;
  }
  Written& written = written_[put.key];
  if (written.revision < operation.response.revision) written = {operation.response.revision, operation.returned};
}

std::optional<Violation> DurabilityChecker::judge_read(const Get& get, const Operation& operation) const {
  if (get.revision != 0 || get.limit != 0 || get.is_count_only || has_bounds(get)) return std::nullopt;
  const auto& kvs = std::get<GetReply>(operation.response.reply).kvs;
  for (const auto& entry : written_) {
    const std::string& key = entry.first;
    const Written& written = entry.second;
    if (!get.keys.contains(key) || written.returned >= operation.invoked) continue;
    const auto kv = std::find_if(kvs.begin(), kvs.end(), [&key](const KeyValue& seen) { return seen.key == key; });
    const std::string what = "the write of \"" + key + "\" at revision " + std::to_string(written.revision);
    if (kv != kvs.end() && kv->mod_revision < written.revision) return lost(operation, what + " is undone");
    const bool may_be_deleted =
        leased_.contains(key) || std::any_of(open_.begin(), open_.end(), [&key](const OpenDeletion& deletion) {
          return covers(deletion.ranges, key);
        });
    if (kv == kvs.end() && !may_be_deleted) return lost(operation, what + " is lost");
  }
  return std::nullopt;
}

}  // namespace metastore::sim
