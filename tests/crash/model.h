// What clients of a member that is killed again and again have asked, and what they were told: from this follows what
// the member must hold when it is back. The judge of ./dev crash. Every event that any watch ever showed is kept until
// it is compacted; the state of each revision is folded from events, and each event must be the effect of an operation
// that was asked: of an acknowledged one at the revision that was told, of another one as a whole or not at all.
#ifndef METASTORE_TESTS_CRASH_MODEL_H_
#define METASTORE_TESTS_CRASH_MODEL_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/proto/rpc.pb.h"

namespace metastore::crash {

/// The member broke a promise.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Kind : std::uint8_t { put, erase, txn, grant, revoke, compact };

struct Operation {
  Kind kind = Kind::put;
  std::uint64_t number = 0;  ///< Its own; values begin with it.
  std::string key;
  std::string other;  ///< Of an erase the range's end; of a txn the second key, which is put in any case.
  std::string value;
  std::int64_t lease = 0;
  std::int64_t revision = 0;  ///< Of a compaction.
};

/// The path and the request's bytes. A txn puts `key` if it does not exist and deletes it if it does.
struct Request {
  std::string path;
  std::string bytes;
};
Request encode(const Operation& operation);
std::string value_of(std::uint64_t number, std::size_t size);

class Model {
 public:
  using Events = std::vector<mvccpb::Event>;
  using State = std::map<std::string, mvccpb::KeyValue>;

  // What the clients saw.

  void asked(const Operation& operation);
  /// `bytes`: of the response of the operation's own kind.
  void answered(std::uint64_t number, const std::string& bytes);
  /// The member said no: nothing of it may ever show.
  void refused(std::uint64_t number, const std::string& why);
  void event(const mvccpb::Event& event);

  // What is to be asked next.

  bool has_unmarked() const { return unmarked_open_ > 0; }
  std::size_t open() const { return open_.size(); }
  std::int64_t watched() const { return watched_; }
  /// No revision at or below it may be read any more; one above must be readable.
  std::int64_t compacted_at_most() const { return compaction_asked_; }
  std::int64_t compacted_at_least() const { return compaction_told_; }
  std::vector<std::int64_t> usable_leases() const;

  /// The member is back, and all events up to its `revision` have been seen. What was asked before and did not happen
  /// never will.
  void settle(std::int64_t revision, const std::set<std::int64_t>& leases);
  const State& state() const { return state_; }
  /// Requires: compacted_at_most() <= revision <= watched(), after settle().
  State state_at(std::int64_t revision) const;
  /// Of all revisions from `revision` on. Requires: compacted_at_most() < revision.
  Events events_from(std::int64_t revision) const;

  struct Counts {
    std::uint64_t acknowledged = 0;
    std::uint64_t whole = 0;   ///< Never answered, and there.
    std::uint64_t absent = 0;  ///< Puts and transactions that were never answered, and are not there.

    void operator+=(const Counts& other) {
      acknowledged += other.acknowledged;
      whole += other.whole;
      absent += other.absent;
    }
  };
  const Counts& counts() const { return counts_; }

 private:
  /// An operation whose events name no number: at most one is in flight at a time, so that these come in their order.
  struct Unmarked {
    Operation operation;
    bool acknowledged = false;
    std::int64_t deleted = 0;  ///< Of an acknowledged erase.
  };

  void fold(std::int64_t revision, const Events& events);
  void fold_unmarked(std::int64_t revision, const Events& events);
  Events effect(const Operation& operation, std::int64_t revision) const;
  void settle_unmarked(const Unmarked& unmarked, const Events& events, std::int64_t revision);
  void revoked(std::int64_t lease);
  void settle_leases(const std::set<std::int64_t>& leases);
  static void apply(State& state, const Events& events);

  std::map<std::uint64_t, Operation> open_;  ///< Asked and not answered.
  std::map<std::int64_t, Operation> told_;   ///< Acknowledged with this revision, and not folded yet.
  std::deque<Unmarked> unmarked_;            ///< Erases and revokes since the last settling.
  std::size_t unmarked_open_ = 0;
  std::map<std::int64_t, Events> events_;  ///< By revision, from the last compaction on.
  std::int64_t watched_ = 1;               ///< The last revision whose events were seen.
  std::int64_t folded_ = 1;
  State state_;  ///< At folded_.
  State base_;   ///< At base_revision_.
  std::int64_t base_revision_ = 1;
  std::set<std::int64_t> leases_;          ///< Granted, as acknowledged.
  std::set<std::int64_t> leases_revoked_;  ///< Acknowledged, since the last settling.
  std::int64_t compaction_asked_ = 0;
  std::int64_t compaction_told_ = 0;
  Counts counts_;
};

}  // namespace metastore::crash

#endif  // METASTORE_TESTS_CRASH_MODEL_H_
