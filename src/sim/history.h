// Everything the clients asked and were told, in order of asking, and what a surveyor read of the revisions that nobody
// answers for. The oracles judge it; it judges nothing itself.
#ifndef METASTORE_SIM_HISTORY_H_
#define METASTORE_SIM_HISTORY_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sim/operation.h"

namespace metastore::sim {

/// All keys as they were at one revision.
struct Survey {
  Instant invoked;
  std::vector<KeyValue> kvs;
};

/// One question on a keep-alive stream.
struct KeepAlive {
  std::int64_t lease = 0;
  std::uint64_t member = 0;  ///< The one that was asked.
  Instant asked;
  Instant returned = Instant::never();  ///< never(): it was not answered.
  std::int64_t ttl_seconds = 0;         ///< The answer; 0: there is no such lease.
};

/// Somebody concluded from his answers that he holds a lock, or is elected: of all keys under the prefix his was
/// created first, and it was still there.
struct Claim {
  std::uint64_t client = 0;
  std::string prefix;
  std::string key;
  std::int64_t create_revision = 0;
  std::int64_t revision = 0;  ///< Of the answer.
  Instant at;
};

/// The history is compacted without anybody's asking.
struct UnaskedCompaction {
  std::int64_t revision = 0;
  Instant at;  ///< When a leader proposed it.
};

class History {
 public:
  /// The reference stays valid. `member` is the number of the one that is asked.
  Operation& begin(std::uint64_t client, std::uint64_t member, Request request, Instant now);
  void end_done(Operation& operation, Response response, Instant now);
  void end_failed(Operation& operation, std::string error, Instant now);
  /// So many requests were asked of which nobody wants to hear anything.
  void asked_in_vain(std::uint64_t requests) { in_vain_ += requests; }
  /// Somebody was told of this revision, if by no reply.
  void saw_revision(std::int64_t revision) { newest_revision_ = std::max(newest_revision_, revision); }
  void add_survey(std::int64_t revision, Survey survey);
  /// The reference stays valid.
  KeepAlive& begin_keep_alive(std::int64_t lease, std::uint64_t member, Instant now) {
    return keep_alives_.emplace_back(KeepAlive{.lease = lease, .member = member, .asked = now});
  }
  void began_unasked_compaction(std::int64_t revision, Instant now);
  void add_claim(Claim claim) { claims_.push_back(std::move(claim)); }
  /// The member of this number was started: it may know less than it did.
  void booted(std::uint64_t member, Instant now) { boots_[member].push_back(now); }
  /// The member of this number knows itself as a learner, or as none.
  void learns(std::uint64_t member, bool is_learner, Instant now);
  /// Somebody began to lead: leases have their whole time again.
  void renewed_leases(Instant now) { renewals_.push_back(now); }

  const std::deque<Operation>& operations() const { return operations_; }
  const std::map<std::int64_t, Survey>& surveys() const { return surveys_; }
  const std::deque<KeepAlive>& keep_alives() const { return keep_alives_; }
  /// In the order of time.
  const std::vector<Claim>& claims() const { return claims_; }
  /// By member.
  const std::map<std::uint64_t, std::vector<Instant>>& boots() const { return boots_; }
  const std::vector<Instant>& renewals() const { return renewals_; }
  /// Whether this member was a learner at some moment from the one to the other.
  bool was_learner(std::uint64_t member, Instant from, Instant to) const;
  /// Whether it was one at every moment between.
  bool was_learner_throughout(std::uint64_t member, Instant from, Instant to) const;
  /// The ids of leases that somebody asked for, or was given, in that order.
  const std::vector<std::int64_t>& leases() const { return leases_; }
  /// The newest revision that anybody was told of.
  std::int64_t newest_revision() const { return newest_revision_; }
  /// Every change up to here is known, by its writer's reply or by a survey.
  std::int64_t settled_revision() const { return settled_revision_; }
  /// In the order of time.
  const std::vector<UnaskedCompaction>& unasked_compactions() const { return unasked_compactions_; }
  /// The largest revision to compact at that anybody asked for, or a leader by itself; 0 if nobody did.
  std::int64_t newest_compaction() const { return newest_compaction_; }
  std::uint64_t completed() const { return completed_; }
  /// By the request's index in Request.
  const std::array<std::uint64_t, std::variant_size_v<Request>>& done_by_kind() const { return done_by_kind_; }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t unknown() const { return unknown_; }
  /// Requests that nobody waits for any more, though they may still be done.
  std::uint64_t forsaken() const { return unknown_ + in_vain_; }

 private:
  struct Stretch {
    Instant begin;
    Instant end = Instant::never();
  };

  /// Whether some stretch in which `member` learned satisfies `condition`.
  template <typename Condition>
  bool has_stretch(std::uint64_t member, Condition&& condition) const;

  void settle(std::int64_t revision);
  void learn_of_lease(std::int64_t id);

  std::deque<Operation> operations_;
  std::map<std::int64_t, Survey> surveys_;
  std::deque<KeepAlive> keep_alives_;
  std::vector<UnaskedCompaction> unasked_compactions_;
  std::vector<Claim> claims_;
  std::map<std::uint64_t, std::vector<Instant>> boots_;
  std::vector<Instant> renewals_;
  std::map<std::uint64_t, std::vector<Stretch>> learners_;  ///< By member.
  std::vector<std::int64_t> leases_;
  std::vector<bool> known_;  ///< By revision.
  std::int64_t newest_revision_ = 1;
  std::int64_t settled_revision_ = 1;
  std::int64_t newest_compaction_ = 0;
  std::uint64_t completed_ = 0;
  std::array<std::uint64_t, std::variant_size_v<Request>> done_by_kind_ = {};
  std::uint64_t refused_ = 0;
  std::uint64_t unknown_ = 0;
  std::uint64_t in_vain_ = 0;
};

/// Whether the reply says that keys were changed.
bool has_changed(const Response& response);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_HISTORY_H_
