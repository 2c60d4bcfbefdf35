// What members have reported of their state at points of the log, and whom that convicts. Equal entries make equal
// states, so a difference is damage for certain; whose it is, the majority of the voters tells. It only judges: the
// alarm is raised by the leader, who alone collects. After etcd's corruption check (contract 5.9).
#ifndef METASTORE_CORE_REPLICA_STATE_HASHES_H_
#define METASTORE_CORE_REPLICA_STATE_HASHES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore {

class StateHashes {
 public:
  struct Suspect {
    MemberId member;
    LogIndex index;
    std::uint64_t hash = 0;
    std::optional<std::uint64_t> of_majority;  ///< None if there is no majority: then everybody is suspected.
    bool operator==(const Suspect&) const = default;
  };

  /// Where only the silent could make a majority, it waits `patience` for them.
  explicit StateHashes(Duration patience) : patience_(patience) {}

  /// Bounds: it keeps the newest points alone, and none before one that a majority has agreed on.
  void report(MemberId from, LogIndex index, std::uint64_t hash);
  /// Whom the reports convict, each once a point.   Bounds: O(reports).
  std::vector<Suspect> judge(Instant now, const std::vector<MemberId>& voters);
  /// When patience with the silent ends.
  Instant wake_at() const;
  void clear();

 private:
  struct Point {
    std::map<MemberId, std::uint64_t> hashes;
    std::set<MemberId> convicted;
  };
  static constexpr std::size_t points_max = 64;

  const Duration patience_;
  std::map<LogIndex, Point> points_;
  LogIndex agreed_;  ///< The newest point that has a majority.
  /// Since the first point behind that at which reports differ.
  std::optional<Instant> differ_since_;
  bool is_new_ = false;  ///< Something was reported since the last judgement.
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_STATE_HASHES_H_
