#include "sim/schism.h"

#include <algorithm>
#include <utility>

namespace metastore::sim {
namespace {

/// So many election timeouts the others have for electing, and both leaders for what they were asked.
constexpr std::int64_t timeouts_to_elect = 4;
constexpr std::int64_t timeouts_max = 6;
/// In an election timeout, whether the end has come.
constexpr std::int64_t looks_a_timeout = 16;
/// How soon the power goes at a member without company, in operations of its disk.
constexpr std::uint64_t operations_ahead_max = 8;
/// What a leader is told that cannot commit it.
constexpr std::uint64_t requests_max = 400;

}  // namespace

Schism::Schism(const Plan& plan, World& world, std::vector<std::unique_ptr<Machine>>& machines,
               std::vector<std::unique_ptr<Nemesis>>& nemeses, Operator& an_operator, Partitions& partitions,
               DeedLog& deeds)
    : plan_(plan),
      world_(world),
      machines_(machines),
      nemeses_(nemeses),
      operator_(an_operator),
      partitions_(partitions),
      deeds_(deeds),
      prng_(plan.seed, "schism"),
      floods_(plan.seed, "schism floods"),
      left_(plan.schisms) {
  if (plan.schisms > 0 && !plan.is_scripted) wait(plan_.schism_interval_max);
}

Schism::~Schism() { retire(); }

void Schism::retire() {
  world_.cancel(ticket_);
  world_.cancel(continuation_);
  left_ = deposed_ = 0;
}

void Schism::wait(Duration longest) {
  world_.cancel(ticket_);
  ticket_ = world_.after(draw_odd_pause(prng_, Duration::microseconds(1), longest), *this);
}

template <typename Kind>
void Schism::note(const Kind& kind) {
  deeds_.add(world_.now(), kind);
}

void Schism::run() {
  if (deposed_ != 0) {
    const bool goes_on = elected_ != 0 && world_.now() < until_ && !(is_short_ && is_left_behind());
    return goes_on ? wait(plan_.election_timeout / looks_a_timeout) : end();
  }
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  if (!leading) return wait(plan_.schism_interval_max);
  if (left_ == 0) return;
  --left_;
  ++counts_.schisms;
  deposed_ = *leading;
  elected_ = 0;
  is_removing_ = prng_.chance(2, 3);
  is_short_ = prng_.chance(1, 3);
  begin();
}

void Schism::begin() {
  Numbers others = draw_order(plan_, prng_);
  std::erase(others, deposed_);
  const std::vector<std::vector<MemberId>> configurations = machines_[deposed_ - 1]->configurations();
  if (configurations.front().size() == 1) {
    ++counts_.lone;
    ask_for_changes(deposed_, {});
    strike(deposed_);
    return end();
  }
  // The others must still be a majority.
  const std::uint64_t company_max = std::max<std::uint64_t>(configurations.front().size() - 1, 2) / 2 - 1;
  Numbers ones = take_some(others, prng_.below(company_max + 1));
  ones.push_back(deposed_);
  partitions_.part(ones, others);
  ask_for_changes(deposed_, others);
  if (floods_.chance(1, 2)) flood();
  world_.cancel(ticket_);
  ticket_ = world_.after(plan_.election_timeout * timeouts_to_elect + Duration::nanoseconds(1), *this);
}

void Schism::on_leader(std::uint64_t number) {
  if (deposed_ == 0 || elected_ != 0 || number == deposed_) return;
  elected_ = number;
  ++counts_.led_twice;
  // Before anything that it says arrives anywhere.
  continuation_ = world_.after(Duration::nanoseconds(1), going_on_);
}

void Schism::go_on() {
  if (deposed_ == 0) return;
  Numbers ones;
  if (prng_.chance(2, 3)) {
    ++counts_.torn;
    // Members in halves; who is none yet counts for nothing.
    Numbers halves;
    for (const std::uint64_t number : draw_order(plan_, prng_)) {
      if (number == deposed_ || number == elected_) continue;
      (machines_[number - 1]->is_admitted() ? halves : ones).push_back(number);
    }
    Numbers others = take_some(halves, (halves.size() + prng_.below(2)) / 2);
    ones.insert(ones.end(), halves.begin(), halves.end());
    ones.push_back(deposed_);
    others.push_back(elected_);
    partitions_.part(ones, others);
  } else {
    ones.push_back(deposed_);
  }
  ask_for_changes(elected_, ones);
  until_ = world_.now() + prng_.between(plan_.election_timeout, plan_.election_timeout * timeouts_max);
  wait(plan_.election_timeout / looks_a_timeout);
}

bool Schism::is_left_behind() const {
  const Machine& deposed = *machines_[deposed_ - 1];
  const Machine& elected = *machines_[elected_ - 1];
  if (deposed.is_down() || elected.is_down()) return true;
  return elected.compacted_index() > deposed.status().commit_index;
}

void Schism::end() {
  world_.cancel(continuation_);
  if (elected_ != 0 && prng_.chance(1, 4)) strike(prng_.chance(1, 2) ? deposed_ : elected_);
  partitions_.mend();
  deposed_ = elected_ = 0;
  wait(plan_.schism_interval_max);
}

void Schism::ask_for_changes(std::uint64_t asked, const Numbers& away) {
  if (plan_.newcomers == 0) return;
  // A second one does not wait for the first.
  const std::uint64_t changes = prng_.chance(1, 4) ? 0 : 1 + prng_.below(2);
  Numbers left = away;
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::optional<ChangeMembers> change = draw_change(asked, left);
    if (!change) continue;
    std::erase(left, change->target);
    ++counts_.changes;
    note(*change);
    operator_.perform(*change);
  }
}

std::optional<ChangeMembers> Schism::draw_change(std::uint64_t asked, const Numbers& away) {
  using Change = ChangeMembers::Kind;
  if (machines_[asked - 1]->is_down()) return std::nullopt;
  const bool is_removal = is_removing_ ? !prng_.chance(1, 8) : prng_.chance(1, 4);
  const bool is_learner = prng_.chance(1, 3);
  const std::uint64_t first = prng_.below(machines_.size());
  Numbers candidates = away;
  for (std::uint64_t i = 0; i < machines_.size(); ++i) candidates.push_back((first + i) % machines_.size() + 1);
  for (const std::uint64_t number : candidates) {
    const Machine& machine = *machines_[number - 1];
    const Member* const member = machines_[asked - 1]->members().find(machine.id());
    const bool is_away = std::find(away.begin(), away.end(), number) != away.end();
    if (!machine.is_admitted() && !is_removal) {
      return ChangeMembers{asked, is_learner ? Change::add_learner : Change::add, number};
    }
    if (!machine.is_admitted() || member == nullptr) continue;
    if (member->is_learner && !is_removal) return ChangeMembers{asked, Change::promote, number};
    if (is_removal && is_away) return ChangeMembers{asked, Change::remove, number};
  }
  return std::nullopt;
}

void Schism::flood() {
  // Its log is to be longer than theirs when it hears of them again.
  is_short_ = true;
  ++counts_.floods;
  const Flood flood{deposed_, 1 + floods_.below(requests_max)};
  note(flood);
  operator_.perform(flood);
}

void Schism::strike(std::uint64_t number) {
  Nemesis& nemesis = *nemeses_[number - 1];
  if (plan_.is_calm() || machines_[number - 1]->is_down()) return;
  if (prng_.chance(1, 3)) return nemesis.suffer(Kill{number});
  nemesis.suffer(PowerOff{number, prng_.below(operations_ahead_max)});
}

Schism::Numbers Schism::take_some(Numbers& numbers, std::uint64_t count) {
  Numbers taken;
  for (; count > 0 && !numbers.empty(); --count) {
    taken.push_back(numbers.back());
    numbers.pop_back();
  }
  return taken;
}

}  // namespace metastore::sim
