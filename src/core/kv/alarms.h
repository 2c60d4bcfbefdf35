// The alarms that members have raised: replicated state, changed by log entries alone, and lasting until somebody
// clears it (contract 5.9). It only remembers; what an alarm forbids is decided by the applier.
#ifndef METASTORE_CORE_KV_ALARMS_H_
#define METASTORE_CORE_KV_ALARMS_H_

#include <absl/container/btree_set.h>

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/tagged.h"

namespace metastore::kv {

/// By their numbers on the wire.
enum class AlarmType : std::int32_t { none = 0, nospace = 1, corrupt = 2 };
/// Whether there is an alarm of this number.
constexpr bool is_known_alarm(std::uint64_t type) { return type == 1 || type == 2; }
/// As etcd spells it: "NOSPACE".
std::string_view name(AlarmType type);

struct Alarm {
  AlarmType type = AlarmType::none;
  MemberId member;
  auto operator<=>(const Alarm&) const = default;
};

class Alarms {
 public:
  bool is_raised(AlarmType type) const;
  bool is_raised(const Alarm& alarm) const { return raised_.contains(alarm); }
  /// All of one type, or all at all: AlarmType::none.
  std::vector<Alarm> list(AlarmType type) const;

  /// True if it was not raised before.   Requires: it is of a type.
  bool raise(const Alarm& alarm);
  /// True if it was raised.
  bool clear(const Alarm& alarm);

  /// Puts back what a checkpoint kept.
  void restore(const Alarm& alarm) { raised_.insert(alarm); }
  /// `put(Alarm)` or `erase(Alarm)` for each that was raised or cleared since the last call; for a checkpoint.
  template <typename Put, typename Erase>
  void take_changes(Put&& put, Erase&& erase) {
    for (const Alarm& alarm : changed_) {
      if (is_raised(alarm)) {
        put(alarm);
      } else {
        erase(alarm);
      }
    }
    changed_.clear();
  }

  std::uint64_t hash() const;

 private:
  absl::btree_set<Alarm> raised_;
  absl::btree_set<Alarm> changed_;
};

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_ALARMS_H_
