#include "sim/succession.h"

#include <algorithm>
#include <utility>

#include "core/kv/method.h"
#include "sim/door.h"
#include "sim/wire.h"

namespace metastore::sim {
namespace {

/// How long the member that is asked may take.
constexpr Duration patience = Duration::seconds(5);
/// Its leases begin here, above those of contenders.
constexpr std::int64_t first_lease = 100'000'000;
/// How often a deposed leader is asked at least, in an election timeout.
constexpr std::int64_t looks = 8;

}  // namespace

Succession::Succession(Stage& stage, Doors& doors, std::vector<std::unique_ptr<Machine>>& machines,
                       Partitions& partitions)
    : stage_(stage),
      doors_(doors),
      machines_(machines),
      partitions_(partitions),
      prng_(stage.plan.seed, "succession"),
      lease_(first_lease),
      moves_left_(stage.plan.successions) {}

Succession::~Succession() { stage_.world.cancel(turn_); }

void Succession::begin(const Hands& hands) {
  hands_ = hands;
  if (!stage_.plan.is_scripted) {
    turn_ = stage_.world.after(prng_.between(Duration(), stage_.plan.succession_interval_max), *this);
  }
}

void Succession::retire() { stage_.world.cancel(turn_); }

template <typename Kind>
void Succession::decide(const Kind& kind) {
  stage_.deeds.add(stage_.world.now(), kind);
  if constexpr (std::is_same_v<Kind, Ask>) {
    hands_.client->perform(kind);
  } else if constexpr (std::is_same_v<Kind, Renew>) {
    hands_.keeper->perform(kind);
  } else if constexpr (std::is_same_v<Kind, MoveLeader>) {
    perform(kind);
  } else {
    partitions_.perform(kind);
  }
}

std::uint64_t Succession::draw_successor(std::uint64_t leader) {
  // Now and then itself.
  if (prng_.chance(1, 16)) return leader;
  const std::uint64_t other = 1 + prng_.below(stage_.plan.members - 1);
  return other >= leader ? other + 1 : other;
}

void Succession::run() {
  if (stage_.operations_left == 0) return;
  if (contest_) return go_on(*contest_);
  turn_ = stage_.world.after(prng_.between(Duration::microseconds(1), stage_.plan.succession_interval_max), *this);
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  if (!leading || moves_left_ == 0 || !hands_.client->is_idle()) return;
  if (prng_.chance(1, 8)) {
    // Somebody who may lead nothing is asked.
    --moves_left_;
    return decide(MoveLeader{1 + prng_.below(stage_.plan.members), draw_successor(*leading)});
  }
  if (prng_.chance(1, 3)) {
    --moves_left_;
    return decide(MoveLeader{*leading, draw_successor(*leading)});
  }
  const bool is_granted = stage_.history.leases().end() !=
                          std::find(stage_.history.leases().begin(), stage_.history.leases().end(), lease_);
  if (is_granted && prng_.chance(3, 4)) {
    const std::uint64_t successor = draw_successor(*leading);
    if (!is_level(*leading, successor)) {
      stage_.world.cancel(turn_);
      return look_soon();
    }
    --moves_left_;
    return begin_contest(*leading, successor);
  }
  if (!doors_.of(*leading).is_open()) return;
  const std::int64_t ttl_seconds = std::max<std::int64_t>(1, stage_.plan.ttl_seconds_max);
  decide(Ask{hands_.client->id(), *leading, patience, Grant{++lease_, ttl_seconds}});
}

bool Succession::is_level(std::uint64_t leader, std::uint64_t successor) const {
  const Machine& other = *machines_[successor - 1];
  if (other.is_down()) return false;
  const ReplicaStatus status = machines_[leader - 1]->status();
  return status.applied_index == status.commit_index && other.status().applied_index == status.applied_index;
}

void Succession::look_soon() {
  const Duration longest = stage_.plan.election_timeout / looks;
  turn_ = stage_.world.after(draw_odd_pause(prng_, Duration::microseconds(1), longest), *this);
}

void Succession::begin_contest(std::uint64_t leader, std::uint64_t successor) {
  stage_.world.cancel(turn_);
  // What was said to the deposed leader may reach it while it still believes that it leads.
  const Duration timeout = stage_.plan.election_timeout;
  contest_ = Contest{leader, stage_.world.now() + draw_odd_pause(prng_, timeout / 4, timeout * 3 / 2)};
  CutLinks cut;
  for (std::uint64_t other = 1; other <= machines_.size(); ++other) {
    if (other != leader) cut.links.emplace_back(other, leader);
  }
  decide(cut);
  decide(MoveLeader{leader, successor});
  go_on(*contest_);
}

void Succession::go_on(Contest& contest) {
  if (stage_.world.now() >= contest.until) {
    decide(Mend{});
    contest_.reset();
    turn_ = stage_.world.after(prng_.between(Duration(), stage_.plan.succession_interval_max), *this);
    return;
  }
  look_soon();
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  const Machine& deposed = *machines_[contest.deposed - 1];
  if (leading && *leading != contest.deposed && !contest.has_revoked && hands_.client->is_idle() &&
      doors_.of(*leading).is_open()) {
    contest.has_revoked = true;
    if (!deposed.is_down() && deposed.status().is_leader) ++counts_.deposed;
    decide(Ask{hands_.client->id(), *leading, patience, Revoke{lease_}});
  }
  if (doors_.of(contest.deposed).is_open()) decide(Renew{hands_.keeper_id, contest.deposed, lease_});
}

void Succession::perform(const MoveLeader& move) {
  Door& door = doors_.of(move.member);
  if (!door.is_open() || door.network() != nullptr) return;
  if (stage_.trace.is_wanted()) stage_.trace.add(stage_.world.now(), "operator", deed_text(move));
  ++counts_.moves;
  door.submit(kv::Method::move_leader, Bytes::copy_of(encode_move_leader(machines_[move.target - 1]->id())), patience);
}

}  // namespace metastore::sim
