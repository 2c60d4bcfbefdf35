#include "sim/checkers/replay.h"

#include <string>

namespace metastore::sim {

std::optional<Violation> ReplayChecker::on_applied(Instant now, std::uint64_t life, LogIndex applied,
                                                   std::uint64_t hash) {
  const auto [known, is_new] = states_.emplace(applied, State{hash, life});
  if (is_new) return std::nullopt;
  if (known->second.life != life) ++judged_;
  known->second.life = life;
  if (known->second.hash == hash) return std::nullopt;
  return Violation{
      "O2", now, "entries up to " + std::to_string(applied.value()) + " led to another state than elsewhere or before"};
}

}  // namespace metastore::sim
