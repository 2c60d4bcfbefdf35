#include "core/raft/read_index.h"

#include <utility>

#include "core/base/assert.h"

namespace metastore::raft {

void ReadRounds::begin(LogIndex commit) {
  ASSERT(can_begin());
  ++number_;
  index_ = commit;
  reading_ = std::exchange(waiting_, {});
}

void ReadRounds::confirm(std::uint64_t number, Output& out) {
  ASSERT(number <= number_);
  if (number < number_) return;
  for (const std::uint64_t context : reading_) out.reads_ready.push_back({context, index_});
  reading_.clear();
}

void ReadRounds::fail(Output& out) {
  out.reads_failed.insert(out.reads_failed.end(), reading_.begin(), reading_.end());
  out.reads_failed.insert(out.reads_failed.end(), waiting_.begin(), waiting_.end());
  reading_.clear();
  waiting_.clear();
}

}  // namespace metastore::raft
