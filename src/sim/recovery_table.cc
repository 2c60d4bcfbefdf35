#include "sim/recovery_table.h"

#include <algorithm>

namespace metastore::sim {
namespace {

constexpr std::size_t width = 15;

std::string right(std::string text) { return std::string(width - std::min(width, text.size()), ' ') + text; }

std::string timeouts_text(std::uint64_t permille) {
  return permille < 1'000 ? "1/" + std::to_string(1'000 / permille) : std::to_string(permille / 1'000);
}

}  // namespace

std::string RecoveryTable::text() const {
  std::string out = "recovery, in election timeouts from the end of the faults to the first answer:\n";
  out += right("up to") + right("one member") + right("all heal") + right("a quorum heals") + "\n";
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const bool is_last = bucket + 1 == buckets;
    out += right(is_last ? "more" : timeouts_text(upper_permille(bucket)));
    for (const std::uint64_t count : counts_[bucket]) out += right(std::to_string(count));
    out += "\n";
  }
  return out;
}

}  // namespace metastore::sim
