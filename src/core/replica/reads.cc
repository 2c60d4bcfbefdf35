#include "core/replica/reads.h"

#include <algorithm>
#include <iterator>

namespace metastore {

std::uint64_t Reads::begin_round() {
  rounds_.push_back({++last_context_, std::nullopt, std::exchange(gathered_, {})});
  return last_context_;
}

void Reads::confirm(std::uint64_t context, LogIndex index) {
  for (Round& round : rounds_) {
    if (round.context == context) round.index = index;
  }
}

void Reads::regather() {
  std::vector<Read> reads;
  std::erase_if(rounds_, [&reads](Round& round) {
    if (round.index.has_value()) return false;
    std::move(round.reads.begin(), round.reads.end(), std::back_inserter(reads));
    return true;
  });
  std::move(gathered_.begin(), gathered_.end(), std::back_inserter(reads));
  gathered_ = std::move(reads);
}

std::vector<Read> Reads::take_ready(LogIndex applied) {
  std::vector<Read> ready;
  const auto first_waiting = std::find_if(rounds_.begin(), rounds_.end(), [applied](const Round& round) {
    return !round.index.has_value() || *round.index > applied;
  });
  for (auto round = rounds_.begin(); round != first_waiting; ++round) {
    std::move(round->reads.begin(), round->reads.end(), std::back_inserter(ready));
  }
  rounds_.erase(rounds_.begin(), first_waiting);
  return ready;
}

void Reads::forget_late(const Waiting& waiting) {
  const auto forget = [&waiting](std::vector<Read>& reads) {
    std::erase_if(reads, [&waiting](const Read& read) { return !waiting.contains(read.key); });
  };
  forget(gathered_);
  for (Round& round : rounds_) forget(round.reads);
}

}  // namespace metastore
