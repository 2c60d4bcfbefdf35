#include "sim/disasters.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace metastore::sim {
namespace {

/// Entries that everybody has applied since all knew each other, before a disk is lost: no log that was synced since
/// can forget it again.
constexpr std::uint64_t well_known_entries = 20;
/// In election timeouts: how long some are cut off before a disk is lost, and how long it stays so behind a boot.
constexpr std::int64_t timeouts_behind_max = 2;
constexpr std::int64_t timeouts_relapsed_min = 2;
constexpr std::int64_t timeouts_relapsed_max = 5;

bool is_any_drawn(const Plan& plan) {
  const auto& weights = plan.disaster_weights;
  return std::any_of(weights.begin(), weights.end(), [](auto weight) { return weight > 0; });
}

}  // namespace

Disasters::Disasters(const Plan& plan, World& world, std::vector<std::unique_ptr<Machine>>& machines,
                     std::vector<std::unique_ptr<Nemesis>>& nemeses, Partitions& partitions, TraceLog& trace)
    : plan_(plan),
      world_(world),
      machines_(machines),
      nemeses_(nemeses),
      partitions_(partitions),
      trace_(trace),
      prng_(plan.seed, "disasters"),
      relapses_(plan.seed, "relapses"),
      is_any_(is_any_drawn(plan)),
      relapses_left_(plan.relapses) {
  if (plan.machines() > 1 && (is_any_ || relapses_left_ > 0) && !plan.is_scripted) {
    ticket_ = world_.after(prng_.between(Duration(), plan_.disaster_interval_max), *this);
  }
}

Disasters::~Disasters() { world_.cancel(ticket_); }

void Disasters::retire() {
  world_.cancel(ticket_);
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    if (!machines_[i]->is_on_own_disk()) nemeses_[i]->perform(SwapDisk{});
  }
}

void Disasters::run() {
  if (!holders_.empty() && !swapped_.has_value()) return go_on_relapse();
  if (swapped_.has_value()) {
    const std::size_t swapped = *std::exchange(swapped_, std::nullopt);
    nemeses_[swapped]->suffer(SwapDisk{swapped + 1});
    if (!std::exchange(holders_, {}).empty()) partitions_.mend();
  } else if (begin_relapse()) {
    return;
  } else if (may_strike()) {
    const auto kind =
        static_cast<Disaster>(prng_.weighted(plan_.disaster_weights.data(), plan_.disaster_weights.size()));
    if (strike(kind)) {
      ++counts_[static_cast<std::size_t>(kind)];
      ++struck_;
    }
  }
  if (relapses_left_ == 0 && !may_strike() && !swapped_.has_value()) return;
  ticket_ = world_.after(prng_.between(Duration(), plan_.disaster_interval_max), *this);
}

bool Disasters::strike(Disaster kind) {
  constexpr std::string_view names[] = {
      "the power goes for a majority", "the power goes for all", "the leader is to die",
      "the leader's disk stalls",      "a disk is lost",         "the leader pauses"};
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  const bool needs_leader =
      kind == Disaster::leader_dies || kind == Disaster::leader_stalls || kind == Disaster::leader_pauses;
  if (needs_leader && !leading.has_value()) return false;
  if (kind == Disaster::empty_disk && !are_all_known()) return false;
  trace_.add(world_.now(), "disaster", names[static_cast<std::size_t>(kind)]);
  switch (kind) {
    case Disaster::outage:
      take_power(plan_.machines() / 2 + 1);
      return true;
    case Disaster::blackout:
      take_power(plan_.machines());
      return true;
    case Disaster::leader_dies:
      nemeses_[*leading - 1]->suffer(Kill{*leading});
      return true;
    case Disaster::leader_stalls:
      nemeses_[*leading - 1]->suffer(
          StallDisk{*leading, prng_.between(plan_.election_timeout / 2, plan_.election_timeout * 6)});
      return true;
    case Disaster::leader_pauses:
      nemeses_[*leading - 1]->suffer(Pause{*leading, draw_pause(plan_, prng_)});
      return true;
    case Disaster::empty_disk:
      swapped_ = static_cast<std::size_t>(prng_.below(plan_.members));
      nemeses_[*swapped_]->suffer(SwapDisk{*swapped_ + 1});
      return true;
  }
  return false;
}

bool Disasters::begin_relapse() {
  if (relapses_left_ == 0 || !relapses_.chance(1, 2)) return false;
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  if (!leading.has_value() || !are_all_known()) return false;
  --relapses_left_;
  trace_.add(world_.now(), "disaster", "some are cut off, before another one's disk is lost");
  holders_ = draw_order(plan_, relapses_);
  std::erase(holders_, *leading);
  holders_.insert(holders_.begin(), *leading);
  const auto quorum = static_cast<std::ptrdiff_t>(plan_.members / 2 + 1);
  behind_.assign(holders_.begin() + quorum, holders_.end());
  holders_.erase(holders_.begin() + quorum, holders_.end());
  partitions_.part(behind_, holders_);
  const Duration timeout = plan_.election_timeout;
  ticket_ = world_.after(draw_odd_pause(relapses_, timeout / 2, timeout * timeouts_behind_max), *this);
  return true;
}

void Disasters::go_on_relapse() {
  const Site wiped = holders_.back();
  if (machines_[wiped - 1]->is_down() || !are_all_known()) {
    holders_.clear();
    partitions_.mend();
  } else {
    ++relapse_count_;
    swapped_ = wiped - 1;
    nemeses_[wiped - 1]->suffer(SwapDisk{wiped});
    holders_.pop_back();
    behind_.push_back(wiped);
    partitions_.part(behind_, holders_);
  }
  const Duration timeout = plan_.election_timeout;
  const Duration length = draw_odd_pause(relapses_, timeout * timeouts_relapsed_min, timeout * timeouts_relapsed_max);
  ticket_ = world_.after(length + plan_.down_max / 2, *this);
}

void Disasters::take_power(std::uint64_t machines) {
  std::vector<std::uint64_t> numbers = draw_order(plan_, prng_);
  numbers.resize(machines);
  for (const std::uint64_t number : numbers) nemeses_[number - 1]->suffer(PowerOff{number});
}

bool Disasters::are_all_known() {
  const bool do_all_know = std::all_of(machines_.begin(), machines_.end(), [](const auto& machine) {
    return !machine->is_down() && machine->knows_all_members();
  });
  if (!do_all_know) return false;
  LogIndex first = LogIndex(std::numeric_limits<std::uint64_t>::max());
  LogIndex last;
  for (const auto& machine : machines_) {
    first = std::min(first, machine->status().applied_index);
    last = std::max(last, machine->status().applied_index);
  }
  if (known_at_ == LogIndex()) known_at_ = last;
  return first > known_at_.plus(well_known_entries);
}

}  // namespace metastore::sim
