#include "sim/checkers/leases.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/trace_log.h"

namespace metastore::sim {
namespace {

/// What shows that a lease was there, or was not, at some moment between asking and being answered.
struct Sign {
  Instant asked;
  Instant returned;
  std::string_view what;
  /// The member whose own state it shows; 0 if that may have been another's.
  std::uint64_t member = 0;
  /// The revision that the keys went away with has no moment of its own: `returned` is when somebody knew.
  bool is_dated = true;
};

struct Promise {
  Instant asked;
  Instant returned;
  std::int64_t ttl_seconds = 0;
  Instant until(const LeaseTerms& terms) const {
    const Duration ttl = Duration::seconds(ttl_seconds);
    return asked + ttl - terms.drift(ttl);
  }
};

/// All that was asked and told of one lease.
struct Story {
  std::vector<const Operation*> grants;  ///< Those that may have happened.
  std::vector<Promise> promises;
  std::vector<Sign> alive;
  std::vector<Sign> gone;
  std::vector<const Operation*> revokes;  ///< Those that may have happened.
  std::vector<const Operation*> times;    ///< TimeToLive, answered.
  std::vector<const KeepAlive*> keep_alives;

  /// Granted more than once, it may have lived more than once.
  bool is_judged() const { return grants.size() <= 1; }
  /// When the first sign of life had been seen: only what is asked later can find it gone.
  Instant born() const {
    Instant first = Instant::never();
    for (const Sign& sign : alive) first = std::min(first, sign.returned);
    return first;
  }
  bool is_gone(const Sign& sign, Instant birth) const { return !sign.is_dated || sign.asked >= birth; }
};

bool has_attached(const Operation& operation) {
  const auto* txn = std::get_if<Txn>(&operation.request);
  if (txn == nullptr) return true;
  const bool succeeded = std::get<TxnReply>(operation.response.reply).succeeded;
  const std::vector<Action>& taken = succeeded ? txn->success : txn->failure;
  return std::any_of(taken.begin(), taken.end(), [](const Action& action) {
    const auto* put = std::get_if<Put>(&action);
    return put != nullptr && put->lease != 0;
  });
}

std::int64_t floor_seconds(Duration duration) {
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t rest = duration.nanoseconds() % second;
  return duration.nanoseconds() / second - (rest < 0 ? 1 : 0);
}

class LeaseCheck {
 public:
  LeaseCheck(const History& history, const Truth& truth, const LeaseTerms& terms, LeaseCounts& counts)
      : history_(history), truth_(truth), terms_(terms), counts_(counts) {}

  std::optional<Violation> run() {
    for (const Operation& operation : history_.operations()) gather(operation);
    for (const KeepAlive& asked : history_.keep_alives()) gather(asked);
    date_revisions();
    for (const LeaseEnd& end : truth_.lease_ends) {
      const Instant known = known_at_[static_cast<std::size_t>(end.revision)];
      stories_[end.lease].gone.push_back({known, known, "its keys were deleted", 0, false});
    }
    for (const Operation& operation : history_.operations()) {
      if (operation.ending == Ending::done && std::holds_alternative<Leases>(operation.request)) read_list(operation);
    }
    for (const auto& [id, story] : stories_) {
      if (!violation_ && story.is_judged()) judge(id, story);
    }
    return std::move(violation_);
  }

 private:
  void fail(Instant at, std::int64_t lease, std::string why) {
    if (!violation_) violation_ = Violation{"O6", at, "lease " + std::to_string(lease) + ": " + std::move(why)};
  }
  static std::string described(const Sign& sign) {
    return std::string(sign.what) + " at " + seconds_text(sign.returned);
  }

  // --- What was told -------------------------------------------------------------------------------------------------

  void gather(const Operation& operation) {
    // What a lease has left only the leader knows.
    const bool is_of_leader = std::holds_alternative<TimeToLive>(operation.request) && !terms_.is_alone;
    const std::uint64_t member = is_of_leader ? 0 : operation.member;
    const auto alive = [&](std::int64_t id, std::string_view what) {
      stories_[id].alive.push_back({operation.invoked, operation.returned, what, member});
    };
    const auto gone = [&](std::int64_t id, std::string_view what) {
      stories_[id].gone.push_back({operation.invoked, operation.returned, what, member});
    };
    const bool is_done = operation.ending == Ending::done;
    const bool is_not_found = operation.error == "etcdserver: requested lease not found";
    if (const auto* grant = std::get_if<Grant>(&operation.request)) {
      gather_grant(operation, *grant);
    } else if (const auto* revoke = std::get_if<Revoke>(&operation.request)) {
      if (operation.ending != Ending::refused) stories_[revoke->id].revokes.push_back(&operation);
      if (is_done) gone(revoke->id, "it was revoked");
      if (is_not_found) gone(revoke->id, "a revocation did not find it");
    } else if (const auto* asked = std::get_if<TimeToLive>(&operation.request)) {
      if (!is_done) return;
      stories_[asked->id].times.push_back(&operation);
      const auto& reply = std::get<TimeToLiveReply>(operation.response.reply);
      if (reply.granted_seconds == 0) return gone(asked->id, "it had no time to live");
      alive(asked->id, "it had a time to live");
    } else if (const std::int64_t id = attached_lease(operation.request); id != 0) {
      if (is_not_found) gone(id, "a put did not find it");
      if (is_done && has_attached(operation)) alive(id, "a key was hung on it");
    }
  }

  void gather_grant(const Operation& operation, const Grant& grant) {
    if (operation.error == "etcdserver: lease already exists") {
      stories_[grant.id].alive.push_back(
          {operation.invoked, operation.returned, "a second grant found it", operation.member});
    }
    if (operation.ending == Ending::refused) return;
    if (operation.ending != Ending::done) {
      if (grant.id == 0) has_unknown_ids_ = true;
      return stories_[grant.id].grants.push_back(&operation);
    }
    const auto& reply = std::get<GrantReply>(operation.response.reply);
    Story& story = stories_[reply.id];
    story.grants.push_back(&operation);
    story.alive.push_back({operation.invoked, operation.returned, "it was granted", operation.member});
    story.promises.push_back({operation.invoked, operation.returned, reply.ttl_seconds});
    if (reply.id == 0 || (grant.id != 0 && reply.id != grant.id))
      fail(operation.returned, grant.id, "another was granted");
    if (grant.id == 0 && (reply.id < 0 || story.grants.size() > 1)) {
      fail(operation.returned, reply.id, "the member picked an id that it must not");
    }
    if (reply.ttl_seconds != std::max(grant.ttl_seconds, terms_.ttl_seconds_min)) {
      fail(operation.returned, reply.id, "it was granted " + std::to_string(reply.ttl_seconds) + "s");
    }
  }

  void gather(const KeepAlive& asked) {
    Story& story = stories_[asked.lease];
    story.keep_alives.push_back(&asked);
    if (asked.returned == Instant::never()) return;
    const std::uint64_t member = terms_.is_alone ? asked.member : 0;
    if (asked.ttl_seconds <= 0) {
      return story.gone.push_back({asked.asked, asked.returned, "a keep-alive did not find it", member});
    }
    story.alive.push_back({asked.asked, asked.returned, "it was kept alive", member});
    story.promises.push_back({asked.asked, asked.returned, asked.ttl_seconds});
  }

  /// For each revision, when somebody had seen it or a later one.
  void date_revisions() {
    known_at_.assign(static_cast<std::size_t>(history_.newest_revision()) + 1, Instant::never());
    for (const Operation& operation : history_.operations()) {
      if (operation.ending != Ending::done || is_about_members(operation.request)) continue;
      Instant& known = known_at_[static_cast<std::size_t>(operation.response.revision)];
      known = std::min(known, operation.returned);
    }
    for (std::size_t revision = known_at_.size() - 1; revision-- > 0;) {
      known_at_[revision] = std::min(known_at_[revision], known_at_[revision + 1]);
    }
  }

  static Instant last_before(const std::vector<Instant>& moments, Instant when) {
    const auto later = std::upper_bound(moments.begin(), moments.end(), when);
    return later == moments.begin() ? Instant() : *std::prev(later);
  }
  Instant last_renewal(Instant when) const { return last_before(history_.renewals(), when); }

  /// A list is its member's own, and may be as old as that is; but within one life a member forgets nothing.
  void read_list(const Operation& operation) {
    ++counts_.lists;
    const auto& ids = std::get<LeasesReply>(operation.response.reply).ids;
    const std::set<std::int64_t> listed(ids.begin(), ids.end());
    const auto& known = history_.leases();
    for (const std::int64_t id : listed) {
      const bool is_known = std::find(known.begin(), known.end(), id) != known.end();
      if (!is_known && !has_unknown_ids_) fail(operation.returned, id, "it is listed and nobody granted it");
    }
    if (listed.size() != ids.size()) fail(operation.returned, ids.front(), "the list that it is in is wrong");
    const auto boots = history_.boots().find(operation.member);
    const Instant boot = boots == history_.boots().end() ? Instant() : last_before(boots->second, operation.returned);
    if (boot > operation.invoked) return;
    const auto is_fresh = [&](const Sign& sign) {
      return sign.is_dated && sign.member == operation.member && sign.asked >= boot &&
             sign.returned <= operation.invoked;
    };
    for (auto& [id, story] : stories_) {
      if (!story.is_judged()) continue;
      const Instant birth = story.born();
      const auto end = std::find_if(story.gone.begin(), story.gone.end(),
                                    [&](const Sign& sign) { return is_fresh(sign) && story.is_gone(sign, birth); });
      if (listed.contains(id)) {
        if (end != story.gone.end()) fail(operation.returned, id, "it is listed, but " + described(*end));
      } else if (std::any_of(story.alive.begin(), story.alive.end(), is_fresh)) {
        story.gone.push_back({operation.invoked, operation.returned, "it was not listed", operation.member});
      }
    }
  }

  // --- What must hold ------------------------------------------------------------------------------------------------

  void judge(std::int64_t id, const Story& story) {
    counts_.promises += story.promises.size();
    if (story.grants.empty() && !story.alive.empty()) {
      // In an edited scenario somebody may name a lease whose grant was not answered this time.
      if (has_unknown_ids_) return;
      return fail(story.alive.front().returned, id, described(story.alive.front()) + ", but nobody granted it");
    }
    const Instant birth = story.born();
    bool has_expired = false;
    for (const Sign& sign : story.gone) {
      if (!story.is_gone(sign, birth) || birth == Instant::never()) continue;
      ++counts_.ends;
      judge_end(id, story, sign);
      has_expired = has_expired || !may_be_revoked(story, sign);
    }
    if (has_expired) ++counts_.expiries;
    if (story.grants.empty()) return;
    const std::int64_t ttl_seconds = ttl_of(story);
    for (const Sign& sign : story.alive) judge_life(id, story, sign, ttl_seconds);
    for (const Promise& promise : story.promises) {
      if (promise.ttl_seconds != ttl_seconds) fail(promise.returned, id, "it was promised two times to live");
    }
    for (const Operation* operation : story.times) judge_time(id, story, *operation, ttl_seconds);
    for (const Operation* revoke : story.revokes) {
      if (revoke->ending == Ending::done) judge_keys(id, *revoke, {});
    }
  }

  static bool may_be_revoked(const Story& story, const Sign& sign) {
    return std::any_of(story.revokes.begin(), story.revokes.end(),
                       [&](const Operation* revoke) { return revoke->invoked < sign.returned; });
  }

  void judge_end(std::int64_t id, const Story& story, const Sign& sign) {
    for (const Sign& life : story.alive) {
      if (life.asked > sign.returned) return fail(life.returned, id, described(life) + ", but " + described(sign));
    }
    if (may_be_revoked(story, sign)) return;
    for (const Promise& promise : story.promises) {
      if (sign.returned >= promise.until(terms_)) continue;
      return fail(sign.returned, id,
                  described(sign) + ", but at " + seconds_text(promise.asked) + " it was promised until " +
                      seconds_text(promise.until(terms_)));
    }
  }

  std::int64_t ttl_of(const Story& story) const {
    if (!story.promises.empty()) return story.promises.front().ttl_seconds;
    return std::max(std::get<Grant>(story.grants.front()->request).ttl_seconds, terms_.ttl_seconds_min);
  }

  /// Whether it was still there longer after the last thing that can have kept it alive than it may be.
  void judge_life(std::int64_t id, const Story& story, const Sign& sign, std::int64_t ttl_seconds) {
    const Duration slack = terms_.slack(history_);
    const auto happened = [&](Instant asked, Instant returned) {
      return returned == Instant::never() ? asked + slack : returned;
    };
    Instant last =
        std::max(last_renewal(sign.asked), happened(story.grants.front()->invoked, story.grants.front()->returned));
    for (const KeepAlive* asked : story.keep_alives) {
      if (asked->asked <= sign.asked) last = std::max(last, happened(asked->asked, asked->returned));
    }
    const Duration owed = Duration::seconds(ttl_seconds) + terms_.grace;
    const Instant due = last + owed + terms_.drift(owed * 2) + slack;
    if (sign.asked > due) {
      fail(sign.returned, id, described(sign) + ", but it had to end by " + seconds_text(due));
    }
  }

  void judge_time(std::int64_t id, const Story& story, const Operation& operation, std::int64_t ttl_seconds) {
    ++counts_.times_to_live;
    const auto& reply = std::get<TimeToLiveReply>(operation.response.reply);
    judge_keys(id, operation, reply.keys);
    if (reply.granted_seconds == 0) {
      if (reply.remaining_seconds != -1) fail(operation.returned, id, "it is gone, but has time left");
      return;
    }
    if (reply.granted_seconds != ttl_seconds)
      return fail(operation.returned, id, "another time was granted: " + describe(operation));
    Instant earliest = Instant();
    Instant renewed = Instant();
    Instant renewal_asked = Instant();
    for (const Promise& promise : story.promises) {
      if (promise.asked <= operation.returned) renewed = std::max(renewed, promise.returned);
      if (promise.returned > operation.invoked) continue;
      earliest = std::max(earliest, promise.until(terms_) - terms_.drift(operation.returned - promise.asked));
      renewal_asked = std::max(renewal_asked, promise.asked);
    }
    if (reply.remaining_seconds < floor_seconds(earliest - operation.returned)) {
      return fail(operation.returned, id, "less time is left than was promised: " + describe(operation));
    }
    // Whatever it was answered in the end: its first answer may have been lost, and the lease may have ended since.
    const bool is_renewal_open =
        std::any_of(story.keep_alives.begin(), story.keep_alives.end(), [&](const KeepAlive* asked) {
          return asked->asked <= operation.returned && asked->returned > operation.invoked;
        });
    // A leader that began since then has given it its whole time again, and some more.
    if (earliest == Instant() || is_renewal_open || last_renewal(operation.returned) > renewal_asked) return;
    const Duration since = operation.invoked - renewed;
    if (reply.remaining_seconds > floor_seconds(Duration::seconds(ttl_seconds) - since + terms_.drift(since))) {
      fail(operation.returned, id, "more time is left than it was given: " + describe(operation));
    }
  }

  void judge_keys(std::int64_t id, const Operation& operation, std::vector<std::string> keys) {
    const auto* asked = std::get_if<TimeToLive>(&operation.request);
    const bool is_there = asked != nullptr && std::get<TimeToLiveReply>(operation.response.reply).granted_seconds != 0;
    std::sort(keys.begin(), keys.end());
    std::vector<std::string> expected = truth_.model.keys_of(id, operation.response.revision);
    if (is_there && !asked->wants_keys) expected.clear();
    counts_.keys += keys.size();
    if (keys == expected) return;
    fail(operation.returned, id,
         (is_there ? "it has other keys: " : "its keys have outlived it: ") + describe(operation) + "; there are " +
             std::to_string(expected.size()));
  }

  const History& history_;
  const Truth& truth_;
  const LeaseTerms& terms_;
  LeaseCounts& counts_;
  std::map<std::int64_t, Story> stories_;
  std::vector<Instant> known_at_;
  bool has_unknown_ids_ = false;
  std::optional<Violation> violation_;
};

}  // namespace

std::optional<Violation> check_leases(const History& history, const Truth& truth, const LeaseTerms& terms,
                                      LeaseCounts& counts) {
  return LeaseCheck(history, truth, terms, counts).run();
}

}  // namespace metastore::sim
