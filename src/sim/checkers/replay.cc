#include "sim/checkers/replay.h"

#include <string>
#include <utility>

namespace metastore::sim {

std::optional<Violation> ReplayChecker::on_applied(Instant now, std::uint64_t life, LogIndex applied,
                                                   std::uint64_t hash) {
  const std::size_t at = applied.value();
  if (states_.size() <= at) states_.resize(at + 1);
  State& known = states_[at];
  const std::uint64_t life_before = std::exchange(known.life, life);
  if (life_before == 0) known.hash = hash;
  if (life_before != 0 && life_before != life) ++judged_;
  if (known.hash == hash) return std::nullopt;
  return Violation{
      "O2", now, "entries up to " + std::to_string(applied.value()) + " led to another state than elsewhere or before"};
}

std::optional<Violation> ReplayChecker::on_told(Instant now, LogIndex applied, std::uint32_t hash) {
  const auto [known, is_new] = told_.try_emplace(applied, hash);
  if (!is_new) ++told_again_;
  if (known->second == hash) return std::nullopt;
  return Violation{"O2", now,
                   "somebody was told another hash of the state after entry " + std::to_string(applied.value()) +
                       " than somebody else or before"};
}

}  // namespace metastore::sim
