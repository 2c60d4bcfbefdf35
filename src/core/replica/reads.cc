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

std::vector<Read> Reads::fail(std::uint64_t context) {
  const auto found =
      std::find_if(rounds_.begin(), rounds_.end(), [context](const Round& round) { return round.context == context; });
  if (found == rounds_.end()) return {};
  std::vector<Read> reads = std::move(found->reads);
  rounds_.erase(found);
  return reads;
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

}  // namespace metastore
