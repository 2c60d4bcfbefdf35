// The client's leases: what is granted, which keys hang on them, and, on the leader alone, when they end. It knows no
// store and deletes nothing: whoever revokes a lease is told which keys to delete. Deadlines come from `now` of the
// calls; an expired lease stays until its revocation is applied (contract 5.6).
//
// 1. What grant, revoke, attach and detach leave is equal on all members; deadlines exist only while is_primary().
// 2. A lease whose revocation is proposed is not renewed: it was handed out by take_expired().
// 3. A lease is renewed only where nothing in the log, or on its way there, says that less than all of it remains: who
//    counts down next goes by that (etcd's checkpoints of leases; design, section 3).
#ifndef METASTORE_CORE_LEASE_LESSOR_H_
#define METASTORE_CORE_LEASE_LESSOR_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/histogram.h"
#include "core/base/result.h"
#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore::lease {

/// The longest time to live that may be asked for, in seconds (contract 1.7).
inline constexpr std::int64_t ttl_seconds_max = 9'000'000'000;

struct TimeToLive {
  std::int64_t granted_seconds = 0;
  std::int64_t remaining_seconds = 0;  ///< Rounded down; negative once it has expired.
};

/// What remains of a lease; 0: all of it.
struct Remaining {
  LeaseId id;
  std::int64_t seconds = 0;
  bool operator==(const Remaining&) const = default;
};

/// In seconds: up to 97 days.
inline constexpr std::array<std::uint64_t, 24> ttl_bounds = doubling_from<24>(1);

/// What has happened since the start; figures for status pages.
struct Counts {
  std::uint64_t granted = 0;
  std::uint64_t revoked = 0;
  std::uint64_t renewed = 0;  ///< By this member, while it led.
  std::uint64_t expired = 0;  ///< The same.
  Histogram<ttl_bounds> ttl_seconds;
};

class Lessor {
 public:
  /// What remains of a lease is to be noted so long after it was whole, or last noted; zero: never. As what is noted
  /// are seconds, it is one at least.
  void set_note_interval(Duration interval) {
    note_interval_ = interval == Duration() ? interval : std::max(interval, Duration::seconds(1));
  }

  // --- Applied from the log, on every member -------------------------------------------------------------------------

  /// Returns the granted time to live in seconds. Errors: lease_ttl_too_large, lease_exists.
  Result<std::int64_t> grant(LeaseId id, std::int64_t ttl_seconds, Instant now);
  /// Returns the keys that hung on it, sorted. Errors: lease_not_found.
  Result<std::vector<std::string>> revoke(LeaseId id);
  /// For whoever counts down next. A lease that is not there any more changes nothing.
  void note(const Remaining& remaining, Instant now);
  /// Requires: exists(id), and the key hangs on no lease.
  void attach(LeaseId id, BytesView key);
  /// Requires: the key hangs on `id`.
  void detach(LeaseId id, BytesView key);

  /// Puts back what a checkpoint kept. False if it is there already. Its keys are attached as before.
  bool restore(LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds);
  /// `put(LeaseId, ttl, remaining)` or `erase(LeaseId)` for each that has changed since the last call; for a
  /// checkpoint.
  template <typename Put, typename Erase>
  void take_changes(Put&& put, Erase&& erase) {
    for (const LeaseId id : changed_) {
      const auto found = leases_.find(id);
      if (found != leases_.end()) {
        put(id, found->second.ttl_seconds, found->second.remaining_seconds);
      } else {
        erase(id);
      }
    }
    changed_.clear();
  }
  /// All that there are, for an image.
  template <typename Put>
  void all(Put&& put) const {
    for (const auto& [id, lease] : leases_) put(id, lease.ttl_seconds, lease.remaining_seconds);
  }
  std::size_t changed_count() const { return changed_.size(); }

  bool exists(LeaseId id) const { return leases_.contains(id); }
  /// Of all leases, their times to live and what was noted of them. Which keys hang on them follows from the store.
  std::uint64_t hash() const { return hash_; }
  std::size_t size() const { return leases_.size(); }
  const Counts& counts() const { return counts_; }
  void continue_figures(const Lessor& former) { counts_ = former.counts_; }
  /// Errors: lease_not_found.
  Result<std::vector<std::string>> keys(LeaseId id) const;

  // --- Counting down, on the leader ----------------------------------------------------------------------------------

  /// This member leads now: every lease gets its whole time to live again, or what was noted of it, and `grace` on top.
  /// Requires: everything that earlier leaders have promised is applied.
  void promote(Instant now, Duration grace);
  void demote();
  bool is_primary() const { return is_primary_; }

  /// Gives the lease its whole time to live again and returns that in seconds; nothing if there is no such lease or its
  /// revocation is on its way. Requires: is_primary().
  std::optional<std::int64_t> renew(LeaseId id, Instant now);
  /// Whether it must be noted first that the lease is whole.
  bool is_cut_short(LeaseId id) const;
  /// That note is on its way now. False if another one still is.   Requires: is_cut_short().
  bool begin_to_restore(LeaseId id);
  /// What is due to be noted, at most `limit`; on its way until note() or promote().
  std::vector<Remaining> take_notes(Instant now, std::size_t limit);
  /// Leases that have expired, the earliest first, at most `limit`; each is handed out once, until promote().
  std::vector<LeaseId> take_expired(Instant now, std::size_t limit);
  /// When the next lease expires.
  Instant next_deadline() const { return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first; }
  /// When the next lease expires or is due to be noted.
  Instant wake_at() const;
  /// Whether its revocation is on its way.
  bool is_expiring(LeaseId id) const;
  /// Nothing if there is no such lease. Requires: is_primary().
  std::optional<TimeToLive> time_to_live(LeaseId id, Instant now) const;
  /// All leases, the one that ends first first; by id where this member does not lead.
  std::vector<LeaseId> list() const;

  void check_invariants() const;

 private:
  struct ByKey {
    using is_transparent = void;
    bool operator()(BytesView a, BytesView b) const { return a < b; }
  };
  struct Lease {
    std::int64_t ttl_seconds = 0;
    std::int64_t remaining_seconds = 0;  ///< As noted; 0: all of it.
    absl::btree_set<std::string, ByKey> keys;
    Instant deadline = Instant::never();
    bool is_handed_out = false;  ///< By take_expired().
    bool is_noting = false;      ///< A note is on its way.
    Duration left() const { return Duration::seconds(remaining_seconds > 0 ? remaining_seconds : ttl_seconds); }
  };

  void schedule(LeaseId id, Lease& lease, Instant deadline);
  void unschedule(LeaseId id, const Lease& lease);
  /// When it is due to be noted.
  Instant note_at(const Lease& lease) const;
  void schedule_note(LeaseId id, const Lease& lease);

  Duration note_interval_;
  bool is_primary_ = false;
  std::uint64_t hash_ = 0;  ///< A sum, so that the order does not matter.
  Counts counts_;
  absl::btree_map<LeaseId, Lease> leases_;
  absl::btree_set<LeaseId> changed_;
  /// Of every lease that has a deadline and is not handed out.
  absl::btree_set<std::pair<Instant, LeaseId>> deadlines_;
  /// Of those among them that live long enough and of which no note is on its way.
  absl::btree_set<std::pair<Instant, LeaseId>> notes_;
};

}  // namespace metastore::lease

#endif  // METASTORE_CORE_LEASE_LESSOR_H_
