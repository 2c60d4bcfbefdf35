#include "sim/checkers/watches.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace metastore::sim {
namespace {

using Change = Model::Change;

class WatchCheck {
 public:
  WatchCheck(const WatchSession& session, const Model& truth, std::int64_t newest_compaction, WatchCounts& counts)
      : session_(session), truth_(truth), newest_compaction_(newest_compaction), counts_(counts) {}

  /// What is wrong, or nothing.
  std::string run(const std::vector<Change>& changes) {
    if (session_.created_revision == 0) {
      return session_.events.empty() ? "" : "events came before the watch was created";
    }
    // Long runs have many watches, most of which live a short time.
    const std::int64_t last = session_.is_open ? std::numeric_limits<std::int64_t>::max() : last_told();
    auto change = std::partition_point(changes.begin(), changes.end(), [this](const Change& earlier) {
      return earlier.kv.mod_revision < session_.start();
    });
    for (; change != changes.end() && change->kv.mod_revision <= last; ++change) {
      const bool is_wanted = session_.keys.contains(change->kv.key) &&
                             !(change->is_delete ? session_.without_deletes : session_.without_puts);
      if (is_wanted) expected_.push_back(&*change);
    }
    for (std::size_t i = 0; i < session_.events.size(); ++i) {
      if (std::string found = judge(i); !found.empty()) return found;
    }
    counts_.fragments += session_.fragments;
    for (const WatchProgress& progress : session_.progress) {
      ++counts_.progress;
      if (progress.revision + 1 < session_.start()) return "progress was told before the watch had begun";
      if (progress.events_before < expected_up_to(progress.revision)) {
        return "progress at revision " + std::to_string(progress.revision) + " was told before the events up to it";
      }
      if (progress.events_before < session_.events.size() &&
          session_.events[progress.events_before].kv.mod_revision <= progress.revision) {
        return "an event came behind the progress that covers it";
      }
    }
    if (session_.compact_revision.has_value()) {
      ++counts_.compacted;
      if (*session_.compact_revision <= session_.next()) return "it was ended for a compaction that took nothing of it";
      if (*session_.compact_revision > newest_compaction_) return "it was ended for a compaction that nobody asked for";
    }
    if (session_.is_open && session_.events.size() != expected_.size()) {
      return "it was told " + std::to_string(session_.events.size()) + " of " + std::to_string(expected_.size()) +
             " events in the end";
    }
    return "";
  }

 private:
  /// The last revision that it was told of, by an event or by a word of progress.
  std::int64_t last_told() const {
    std::int64_t last = 0;
    for (const WatchEvent& event : session_.events) last = std::max(last, event.kv.mod_revision);
    for (const WatchProgress& progress : session_.progress) last = std::max(last, progress.revision);
    return last;
  }

  std::size_t expected_up_to(std::int64_t revision) const {
    return static_cast<std::size_t>(
        std::partition_point(expected_.begin(), expected_.end(),
                             [&](const Change* change) { return change->kv.mod_revision <= revision; }) -
        expected_.begin());
  }

  std::string judge(std::size_t i) {
    ++counts_.events;
    const WatchEvent& event = session_.events[i];
    const std::int64_t revision = event.kv.mod_revision;
    const std::string what = "event " + std::to_string(i) + ", " + event.kv.key + " at " + std::to_string(revision);
    if (i >= expected_.size()) return what + ": no such change was made";
    // Changes of one revision may come in any order.
    if (expected_[i]->kv.mod_revision != revision) {
      return what + ": the change at " + std::to_string(expected_[i]->kv.mod_revision) + " should have come";
    }
    if (i > 0 && session_.events[i - 1].kv.mod_revision == revision &&
        session_.events[i - 1].response != event.response) {
      return what + ": its revision was torn";
    }
    const std::size_t first = expected_up_to(revision - 1);
    const std::size_t last = expected_up_to(revision);
    const auto change = std::find_if(expected_.begin() + static_cast<std::ptrdiff_t>(first),
                                     expected_.begin() + static_cast<std::ptrdiff_t>(last),
                                     [&](const Change* candidate) { return candidate->kv.key == event.kv.key; });
    if (change == expected_.begin() + static_cast<std::ptrdiff_t>(last))
      return what + ": that key was not changed then";
    for (std::size_t other = first; other < i; ++other) {
      if (session_.events[other].kv.key == event.kv.key) return what + ": it came twice";
    }
    if ((*change)->is_delete != event.is_delete) return what + ": put and delete are confused";
    if (!((*change)->kv == event.kv)) return what + ": it shows another record";
    return judge_previous(event, what);
  }

  std::string judge_previous(const WatchEvent& event, const std::string& what) const {
    const KeyValue* before = truth_.find(event.kv.key, event.kv.mod_revision - 1);
    if (!session_.wants_previous || before == nullptr) {
      return event.previous.has_value() ? what + ": a previous value that should not be there" : "";
    }
    if (event.previous.has_value()) return *event.previous == *before ? "" : what + ": the previous value is wrong";
    // It may have been compacted.
    return newest_compaction_ >= event.kv.mod_revision ? "" : what + ": the previous value is missing";
  }

  const WatchSession& session_;
  const Model& truth_;
  std::int64_t newest_compaction_;
  WatchCounts& counts_;
  std::vector<const Change*> expected_;
};

}  // namespace

std::optional<Violation> check_watches(const std::deque<WatchSession>& sessions, const Model& truth,
                                       std::int64_t newest_compaction, WatchCounts& counts) {
  const std::vector<Change> changes = truth.changes();
  for (const WatchSession& session : sessions) {
    std::string found = WatchCheck(session, truth, newest_compaction, counts).run(changes);
    if (found.empty()) continue;
    const std::string end = session.keys.end == std::string(1, '\0') ? "\\0" : session.keys.end;
    return Violation{"O5", session.opened,
                     "watch of [" + session.keys.begin + ", " + end + ") from " + std::to_string(session.asked_start) +
                         ", created at " + std::to_string(session.created_revision) + ": " + found};
  }
  return std::nullopt;
}

}  // namespace metastore::sim
