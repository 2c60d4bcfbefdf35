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

}  // namespace metastore::sim
