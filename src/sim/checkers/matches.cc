#include "sim/checkers/matches.h"

#include <string>
#include <utility>

namespace metastore::sim {

std::optional<Violation> MatchChecker::on_peer(Instant now, Term term, MemberId peer, LogIndex match) {
  if (std::exchange(term_, term) != term) matches_.clear();
  const LogIndex before = std::exchange(matches_[peer], match);
  if (match > before) ++judged_;
  if (match >= before || match == LogIndex()) return std::nullopt;
  return Violation{"O1", now,
                   "what the leader of term " + std::to_string(term.value()) + " knows of " +
                       std::to_string(peer.value()) + " falls from " + std::to_string(before.value()) + " to " +
                       std::to_string(match.value())};
}

std::optional<Violation> MatchChecker::on_promotion(Instant now, MemberId learner, LogIndex index) const {
  const auto found = matches_.find(learner);
  const std::uint64_t match = found == matches_.end() ? 0 : found->second.value();
  const std::uint64_t last = index.value() - 1;
  if (match >= last / 10 * 9) return std::nullopt;
  return Violation{"contract 1.8", now,
                   "the learner " + std::to_string(learner.value()) + " is promoted, of whom the leader knows only " +
                       std::to_string(match) + " of " + std::to_string(last) + " entries"};
}

}  // namespace metastore::sim
