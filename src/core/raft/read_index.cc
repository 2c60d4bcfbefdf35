#include "core/raft/read_index.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore::raft {

void ReadRounds::add_of_peer(ReadAsked read) {
  if (std::find(reading_.begin(), reading_.end(), read) != reading_.end()) return;
  std::erase_if(waiting_, [&read](const ReadAsked& other) { return other.by == read.by; });
  waiting_.push_back(read);
}

void ReadRounds::begin(LogIndex commit) {
  ASSERT(can_begin());
  ++number_;
  index_ = commit;
  reading_ = std::exchange(waiting_, {});
}

std::vector<ReadAsked> ReadRounds::confirm(std::uint64_t number) {
  ASSERT(number <= number_);
  return number < number_ ? std::vector<ReadAsked>() : std::exchange(reading_, {});
}

std::vector<ReadAsked> ReadRounds::take_all() {
  std::vector<ReadAsked> all = std::exchange(reading_, {});
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  return all;
}

std::uint64_t ForwardedReads::ask(Instant ask_again_at) {
  ASSERT(can_ask());
  asked_ = std::exchange(waiting_, {});
  return ask_again(ask_again_at);
}

std::uint64_t ForwardedReads::ask_again(Instant ask_again_at) {
  ASSERT(!asked_.empty());
  ask_again_at_ = ask_again_at;
  return asked_.back();
}

void ForwardedReads::confirm(std::uint64_t context, LogIndex index, Output& out) {
  if (!is_asked(context)) return;
  for (const std::uint64_t asked : std::exchange(asked_, {})) out.reads_ready.push_back({asked, index});
}

void ForwardedReads::fail(Output& out) {
  for (const std::uint64_t context : std::exchange(asked_, {})) out.reads_failed.push_back(context);
  for (const std::uint64_t context : std::exchange(waiting_, {})) out.reads_failed.push_back(context);
}

}  // namespace metastore::raft
