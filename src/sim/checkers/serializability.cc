#include "sim/checkers/serializability.h"

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "sim/checkers/form.h"
#include "sim/checkers/model.h"

namespace metastore::sim {
namespace {

constexpr std::string_view oracle = "O4";
/// Choices among writes that did the same are rare: whoever needs more of them has failed.
constexpr int tries_max = 1'000;
constexpr std::string_view compacted_error = "etcdserver: mvcc: required revision has been compacted";
constexpr std::string_view missing_error = "etcdserver: key not found";
constexpr std::string_view learner_error = "etcdserver: rpc not supported for learner";
constexpr std::string_view future_error = "etcdserver: mvcc: required revision is a future revision";

Violation violation(const Operation& operation, std::string why) {
  return {oracle, operation.returned == Instant::never() ? operation.invoked : operation.returned,
          std::move(why) + ": " + describe(operation)};
}

/// The largest value among things that happened before an instant.
class RunningMaximum {
 public:
  void add(Instant when, std::int64_t value, std::uint64_t owner) { points_.push_back({when, value, owner, {}}); }
  void seal() {
    // A total order: one operation has one point in each list.
    std::sort(points_.begin(), points_.end(),
              [](const Point& a, const Point& b) { return std::tie(a.when, a.owner) < std::tie(b.when, b.owner); });
    // The two largest by different owners, so that one may be asked about all others.
    Best best;
    for (Point& point : points_) {
      best.take(point.value, point.owner);
      point.best = best;
    }
  }
  /// `floor` if nothing happened before.
  std::int64_t before(Instant when, std::int64_t floor) const {
    const Point* const point = last_before(when);
    return point == nullptr ? floor : std::max(floor, point->best.value);
  }
  std::int64_t before_by_others(Instant when, std::int64_t floor, std::uint64_t owner) const {
    const Point* const point = last_before(when);
    if (point == nullptr) return floor;
    return std::max(floor, point->best.owner == owner ? point->best.second : point->best.value);
  }

 private:
  struct Best {
    std::int64_t value = INT64_MIN;
    std::uint64_t owner = 0;
    std::int64_t second = INT64_MIN;
    void take(std::int64_t candidate, std::uint64_t by) {
      if (candidate > value) {
        second = value;
        value = candidate;
        owner = by;
      } else {
        second = std::max(second, candidate);
      }
    }
  };
  struct Point {
    Instant when;
    std::int64_t value = 0;
    std::uint64_t owner = 0;
    Best best;
  };
  const Point* last_before(Instant when) const {
    const auto at = std::lower_bound(points_.begin(), points_.end(), when,
                                     [](const Point& point, Instant limit) { return point.when < limit; });
    return at == points_.begin() ? nullptr : &*std::prev(at);
  }
  std::vector<Point> points_;
};

/// Explicit revisions that a transaction reads at, nested ones included: those of the branches taken, or of all.
void collect_revisions(const Txn& txn, const TxnReply* reply, std::vector<std::int64_t>& out) {
  for (const bool is_success : {true, false}) {
    if (reply != nullptr && reply->succeeded != is_success) continue;
    const std::vector<Action>& actions = is_success ? txn.success : txn.failure;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (const auto* get = std::get_if<Get>(&actions[i]); get != nullptr && get->revision > 0) {
        out.push_back(get->revision);
      }
      if (const auto* nested = std::get_if<std::vector<Txn>>(&actions[i])) {
        const TxnReply* inner = nullptr;
        if (reply != nullptr && i < reply->replies.size()) {
          const auto* replies = std::get_if<std::vector<TxnReply>>(&reply->replies[i]);
          if (replies != nullptr) inner = &replies->front();
        }
        collect_revisions(nested->front(), inner, out);
      }
    }
  }
}

std::vector<std::int64_t> read_revisions(const Operation& operation) {
  std::vector<std::int64_t> out;
  if (const auto* get = std::get_if<Get>(&operation.request); get != nullptr && get->revision > 0) {
    out.push_back(get->revision);
  }
  if (const auto* txn = std::get_if<Txn>(&operation.request)) {
    collect_revisions(*txn, std::get_if<TxnReply>(&operation.response.reply), out);
  }
  return out;
}

class SerializabilityCheck {
 public:
  SerializabilityCheck(const History& history, std::uint64_t txn_operations_max, SerializabilityCounts& counts)
      : history_(history), txn_operations_max_(txn_operations_max), counts_(counts) {}

  std::optional<Violation> run() {
    gather();
    if (auto found = place_all()) return found;
    for (const Operation& operation : history_.operations()) {
      if (operation.ending == Ending::done && !is_for_learners(operation.request) &&
          history_.was_learner_throughout(operation.member, operation.invoked, operation.returned)) {
        return violation(operation, "a learner must refuse it");
      }
      if (std::holds_alternative<HashKv>(operation.request)) continue;
      if (auto found = operation.ending == Ending::done ? check_revisions(operation) : check_error(operation)) {
        return found;
      }
    }
    return std::nullopt;
  }

  /// Requires: run() is over.
  Truth take_truth() { return {std::move(model_), std::move(lease_ends_)}; }

 private:
  /// Where an operation stands: a write of revision r at 2r, what saw revision r and changed nothing at 2r + 1.
  struct Placed {
    std::int64_t position = 0;
    const Operation* operation = nullptr;
  };

  /// Among so many writes of unknown outcome that explain the same revision one was taken.
  struct Choice {
    std::size_t taken = 0;
    std::size_t among = 0;
  };

  static void sort(std::vector<Placed>& placed) {
    // A total order: no two operations have the same id.
    std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
      return std::tie(a.position, a.operation->id) < std::tie(b.position, b.operation->id);
    });
  }

  void gather() {
    for (const Operation& operation : history_.operations()) {
      const auto* compact = std::get_if<Compact>(&operation.request);
      if (compact != nullptr && operation.ending != Ending::refused) {
        compactions_asked_.add(operation.invoked, compact->revision, operation.id);
      }
      if (is_about_members(operation.request)) continue;
      if (operation.ending == Ending::done) {
        const std::int64_t revision = operation.response.revision;
        placed_.push_back({revision * 2 + (has_changed(operation.response) ? 0 : 1), &operation});
        revisions_seen_.add(operation.returned, revision, operation.id);
        if (compact != nullptr) compactions_done_.add(operation.returned, compact->revision, operation.id);
      } else if (operation.ending != Ending::refused && is_write(operation.request) &&
                 form_error(operation.request, txn_operations_max_).empty()) {
        unknown_.push_back(&operation);
      }
    }
    std::uint64_t owner = history_.operations().size();
    for (const UnaskedCompaction& own : history_.unasked_compactions()) {
      compactions_asked_.add(own.at, own.revision, owner++);
    }
    sort(placed_);
    revisions_seen_.seal();
    compactions_asked_.seal();
    compactions_done_.seal();
  }

  /// Where several unknown writes do the same, another choice among them may make sense of what comes later.
  std::optional<Violation> place_all() {
    const std::optional<Violation> first = attempt();
    std::optional<Violation> found = first;
    for (int tries = 1; found && tries < tries_max && choose_otherwise(); ++tries) found = attempt();
    return found ? first : std::nullopt;
  }

  bool choose_otherwise() {
    while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().among) choices_.pop_back();
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

  std::optional<Violation> attempt() {
    counts_ = SerializabilityCounts();
    model_ = Model();
    lease_ends_.clear();
    unknown_left_ = unknown_;
    next_choice_ = 0;
    std::vector<Placed> placed = placed_;
    if (auto found = replay(placed)) return found;
    return check_real_time(placed);
  }

  /// Adds the unknown writes that have taken place to what is placed.
  std::optional<Violation> replay(std::vector<Placed>& placed) {
    std::size_t next = 0;
    std::vector<Placed> found_later;
    constexpr std::int64_t first_position = 3;  // What saw the empty store.
    if (!placed.empty() && placed.front().position < first_position) {
      return violation(*placed.front().operation, "a revision below the first one, or a change in it");
    }
    for (std::int64_t revision = 1; revision <= history_.newest_revision(); ++revision) {
      if (revision > 1) {
        const bool is_known = next < placed.size() && placed[next].position == revision * 2;
        if (is_known) {
          const Operation& write = *placed[next++].operation;
          if (auto found = judge(write, model_.apply(write.request))) return found;
          if (next < placed.size() && placed[next].position == revision * 2) {
            return violation(*placed[next].operation,
                             "two writes were acknowledged with revision " + std::to_string(revision));
          }
        } else if (auto found = place_unknown(revision, found_later)) {
          return found;
        }
        if (model_.revision() != revision) {
          return violation(*placed[next - 1].operation, "a write that changes nothing got a revision of its own");
        }
      }
      if (auto found = check_survey(revision)) return found;
      for (; next < placed.size() && placed[next].position == revision * 2 + 1; ++next) {
        const Operation& read = *placed[next].operation;
        if (is_about_leases(read.request)) continue;
        const auto* get = std::get_if<Get>(&read.request);
        const Response expected = get != nullptr ? model_.read(*get) : model_.apply(read.request);
        if (get == nullptr) model_.undo();
        if (auto found = judge(read, expected)) return found;
      }
    }
    placed.insert(placed.end(), found_later.begin(), found_later.end());
    sort(placed);
    return std::nullopt;
  }

  std::optional<Violation> judge(const Operation& operation, const Response& expected) {
    ++counts_.replies_judged;
    if (model_.is_refused()) return violation(operation, "the store must refuse it: a key is not there");
    if (operation.response == expected) return std::nullopt;
    return violation(operation, "the store must answer " + describe(expected));
  }

  /// A revision that nobody was answered with: exactly one write with an unknown outcome must explain what a survey
  /// shows. If several do, the earliest asked one is tried first: it contradicts the fewest clocks.
  std::optional<Violation> place_unknown(std::int64_t revision, std::vector<Placed>& found_later) {
    const auto survey = history_.surveys().find(revision);
    ASSERT(survey != history_.surveys().end());
    std::vector<std::vector<const Operation*>::iterator> candidates;
    for (auto candidate = unknown_left_.begin(); candidate != unknown_left_.end(); ++candidate) {
      model_.apply((*candidate)->request);
      if (model_.has_changed() && !model_.is_refused() && is_equal(model_.keys(), survey->second))
        candidates.push_back(candidate);
      model_.undo();
    }
    if (const std::optional<std::int64_t> lease = find_ended_lease(survey->second)) {
      model_.end_lease(*lease);
      // Either a write or the end of the lease has done this: the write stays one, and nothing is said of the lease.
      if (!candidates.empty()) return std::nullopt;
      ++counts_.lease_ends_placed;
      lease_ends_.push_back({*lease, revision});
      return std::nullopt;
    }
    if (candidates.empty()) {
      return Violation{oracle, survey->second.invoked,
                       "revision " + std::to_string(revision) + " holds a change that nobody asked for"};
    }
    const auto taken = candidates[choose(candidates.size())];
    ++counts_.unknown_writes_placed;
    found_later.push_back({revision * 2, *taken});
    model_.apply((*taken)->request);
    unknown_left_.erase(taken);
    return std::nullopt;
  }

  std::size_t choose(std::size_t among) {
    if (among == 1) return 0;
    if (next_choice_ == choices_.size()) choices_.push_back({0, among});
    return choices_[next_choice_++].taken;
  }

  /// The lease whose keys are what the survey lacks, and that lacks nothing else. Keys hang on one lease at most, so
  /// that no two leases can be meant.
  std::optional<std::int64_t> find_ended_lease(const Survey& survey) const {
    auto kv = survey.kvs.begin();
    std::optional<std::int64_t> lease;
    for (const auto& [key, expected] : model_.keys()) {
      if (kv != survey.kvs.end() && *kv == expected) {
        ++kv;
      } else if (expected.lease == 0 || (lease && *lease != expected.lease)) {
        return std::nullopt;
      } else {
        lease = expected.lease;
      }
    }
    if (kv != survey.kvs.end() || !lease) return std::nullopt;
    const auto is_left = [&](const KeyValue& left) { return left.lease == *lease; };
    return std::any_of(survey.kvs.begin(), survey.kvs.end(), is_left) ? std::nullopt : lease;
  }

  std::optional<Violation> check_survey(std::int64_t revision) const {
    const auto survey = history_.surveys().find(revision);
    if (survey == history_.surveys().end() || is_equal(model_.keys(), survey->second)) return std::nullopt;
    return Violation{oracle, survey->second.invoked,
                     "a survey of revision " + std::to_string(revision) + " does not show what was written"};
  }

  static bool is_equal(const Keys& keys, const Survey& survey) {
    return std::equal(keys.begin(), keys.end(), survey.kvs.begin(), survey.kvs.end(),
                      [](const auto& entry, const KeyValue& kv) { return entry.second == kv; });
  }

  /// Nothing may stand before an operation that had returned before it was asked.
  static std::optional<Violation> check_real_time(const std::vector<Placed>& placed) {
    Instant earliest_return = Instant::never();
    const Operation* earliest = nullptr;
    for (std::size_t end = placed.size(); end > 0;) {
      std::size_t begin = end;
      while (begin > 0 && placed[begin - 1].position == placed[end - 1].position) {
        const Operation& operation = *placed[--begin].operation;
        if (earliest_return < operation.invoked && !may_be_stale(operation.request)) {
          return violation(operation,
                           "it took effect before one that had returned earlier (" + describe(*earliest) + ")");
        }
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (placed[i].operation->returned < earliest_return) {
          earliest = placed[i].operation;
          earliest_return = earliest->returned;
        }
      }
      end = begin;
    }
    return std::nullopt;
  }

  /// Reads and compactions at an explicit revision, answered with success.
  std::optional<Violation> check_revisions(const Operation& operation) const {
    if (!form_error(operation.request, txn_operations_max_).empty()) {
      return violation(operation, "its form must be refused");
    }
    const std::int64_t compacted = compactions_done_.before(operation.invoked, -1);
    for (const std::int64_t revision : read_revisions(operation)) {
      if (revision > operation.response.revision) return violation(operation, "it read the future");
      if (revision < compacted && !may_be_stale(operation.request)) {
        return violation(operation, "it read what was compacted before");
      }
    }
    if (const auto* compact = std::get_if<Compact>(&operation.request)) {
      if (compact->revision > operation.response.revision) return violation(operation, "it compacted the future");
      if (compact->revision <= compacted) return violation(operation, "it compacted what was compacted before");
    }
    return std::nullopt;
  }

  std::optional<Violation> check_error(const Operation& operation) const {
    if (operation.ending != Ending::refused) return std::nullopt;
    constexpr std::string_view always_legal[] = {"etcdserver: too many requests", "etcdserver: no leader",
                                                 "the connection refused it"};
    const std::string_view error = operation.error;
    if (std::find(std::begin(always_legal), std::end(always_legal), error) != std::end(always_legal)) {
      return std::nullopt;
    }
    if (error == learner_error) {
      if (!is_for_learners(operation.request) &&
          history_.was_learner(operation.member, operation.invoked, operation.returned)) {
        return std::nullopt;
      }
      return violation(operation, "it was answered by no learner, or as learners may answer");
    }
    const std::string_view form = form_error(operation.request, txn_operations_max_);
    if (form.empty() && is_of_leases(operation)) return std::nullopt;
    if (!form.empty()) {
      if (error == form) return std::nullopt;
      return violation(operation, "its form earns \"" + std::string(form) + "\"");
    }
    const auto* compact = std::get_if<Compact>(&operation.request);
    const std::int64_t seen = revisions_seen_.before(operation.invoked, 1);
    const std::int64_t compacted = compactions_asked_.before_by_others(operation.returned, -1, operation.id);
    const std::vector<std::int64_t> revisions = read_revisions(operation);
    const auto any = [&revisions](auto condition) {
      return std::any_of(revisions.begin(), revisions.end(), condition);
    };
    if (error == compacted_error) {
      if (compact != nullptr ? compact->revision <= compacted
                             : any([&](std::int64_t revision) { return revision < compacted; })) {
        return std::nullopt;
      }
      // A list that takes long gives way to a compaction behind what it reads.
      const auto* get = std::get_if<Get>(&operation.request);
      const bool is_list = get != nullptr && get->revision == 0 && !get->keys.end.empty();
      if (is_list && (compacted > seen || may_be_stale(operation.request))) return std::nullopt;
      return violation(operation, "nobody compacted that far");
    }
    if (error == future_error) {
      // An old state of its own may not hold that revision yet.
      if (may_be_stale(operation.request) && !revisions.empty()) return std::nullopt;
      if (compact != nullptr ? compact->revision > seen : any([&](std::int64_t revision) { return revision > seen; })) {
        return std::nullopt;
      }
      return violation(operation, "that revision had been seen before");
    }
    if (const std::vector<std::string> keys = kept_keys(operation.request); error == missing_error && !keys.empty()) {
      const bool may_be = std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
        constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
        return model_.find(key, seen) == nullptr || model_.gone_after(key, seen) != never;
      });
      if (may_be) return std::nullopt;
      return violation(operation, "its keys were there all the time");
    }
    return violation(operation, "no reason for this error");
  }

  /// What a learner answers, too.
  static bool is_for_learners(const Request& request) {
    const auto* get = std::get_if<Get>(&request);
    return get != nullptr && get->is_serializable;
  }

  /// Whether the error is one that the oracle of leases judges.
  static bool is_of_leases(const Operation& operation) {
    if (operation.error == "etcdserver: lease already exists") return std::holds_alternative<Grant>(operation.request);
    return operation.error == "etcdserver: requested lease not found" &&
           (std::holds_alternative<Revoke>(operation.request) || attached_lease(operation.request) != 0);
  }

  const History& history_;
  std::uint64_t txn_operations_max_;
  SerializabilityCounts& counts_;
  Model model_;
  std::vector<LeaseEnd> lease_ends_;
  std::vector<Placed> placed_;  ///< By their replies.
  std::vector<const Operation*> unknown_;
  std::vector<const Operation*> unknown_left_;
  std::vector<Choice> choices_;  ///< Of the present attempt, in the order of revisions.
  std::size_t next_choice_ = 0;
  RunningMaximum revisions_seen_;
  RunningMaximum compactions_asked_;
  RunningMaximum compactions_done_;
};

}  // namespace

std::optional<Violation> check_serializability(const History& history, std::uint64_t txn_operations_max,
                                               SerializabilityCounts& counts, Truth* truth) {
  SerializabilityCheck check(history, txn_operations_max, counts);
  std::optional<Violation> violation = check.run();
  if (truth != nullptr) *truth = check.take_truth();
  return violation;
}

}  // namespace metastore::sim
