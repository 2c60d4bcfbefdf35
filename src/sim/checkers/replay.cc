#include "sim/checkers/replay.h"

#include <string>

namespace metastore::sim {

std::optional<Violation> ReplayChecker::on_applied(Instant now, std::uint64_t boot, LogIndex applied,
                                                   std::uint64_t hash) {
  const auto [known, is_new] = states_.emplace(applied, State{hash, boot});
  if (is_new) return std::nullopt;
  if (known->second.boot != boot) ++judged_;
  known->second.boot = boot;
  if (known->second.hash == hash) return std::nullopt;
  return Violation{"O2", now, "entries up to " + std::to_string(applied.value()) + " led to another state than before"};
}

}  // namespace metastore::sim
