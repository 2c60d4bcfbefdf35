#include "core/kv/alarms.h"

#include <string>

#include "core/base/assert.h"
#include "core/base/encoder.h"
#include "core/mvcc/hash.h"

namespace metastore::kv {

std::string_view name(AlarmType type) {
  switch (type) {
    case AlarmType::none:
      return "NONE";
    case AlarmType::nospace:
      return "NOSPACE";
    case AlarmType::corrupt:
      return "CORRUPT";
  }
  UNREACHABLE();
}

bool Alarms::is_raised(AlarmType type) const {
  const auto first = raised_.lower_bound(Alarm{type, MemberId()});
  return first != raised_.end() && first->type == type;
}

std::vector<Alarm> Alarms::list(AlarmType type) const {
  std::vector<Alarm> alarms;
  for (const Alarm& alarm : raised_) {
    if (type == AlarmType::none || alarm.type == type) alarms.push_back(alarm);
  }
  return alarms;
}

bool Alarms::raise(const Alarm& alarm) {
  ASSERT(alarm.type != AlarmType::none);
  if (!raised_.insert(alarm).second) return false;
  changed_.insert(alarm);
  return true;
}

bool Alarms::clear(const Alarm& alarm) {
  if (raised_.erase(alarm) == 0) return false;
  changed_.insert(alarm);
  return true;
}

std::uint64_t Alarms::hash() const {
  if (raised_.empty()) return 0;
  std::string state;
  Encoder out(state);
  for (const Alarm& alarm : raised_) {
    out.u64(static_cast<std::uint64_t>(alarm.type));
    out.tagged(alarm.member);
  }
  return mvcc::hash_of(state);
}

}  // namespace metastore::kv
