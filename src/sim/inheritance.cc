#include "sim/inheritance.h"

#include <algorithm>

namespace metastore::sim {
namespace {

/// How long the heir's engine stalls, in election timeouts.
constexpr std::int64_t timeouts_min = 3;
constexpr std::int64_t timeouts_max = 8;
/// In an election timeout, whether somebody can be started, or asked.
constexpr std::int64_t looks_a_timeout = 8;

}  // namespace

Inheritance::Inheritance(const Plan& plan, World& world, std::vector<std::unique_ptr<Machine>>& machines,
                         std::vector<std::unique_ptr<Nemesis>>& nemeses, Operator& an_operator, Succession& succession,
                         DeedLog& deeds)
    : plan_(plan),
      world_(world),
      machines_(machines),
      nemeses_(nemeses),
      operator_(an_operator),
      succession_(succession),
      deeds_(deeds),
      prng_(plan.seed, "inheritance"),
      left_(plan.is_scripted ? 0 : plan.inheritances) {}

Inheritance::~Inheritance() { retire(); }

void Inheritance::retire() {
  world_.cancel(ticket_);
  left_ = heir_ = 0;
}

template <typename Kind>
void Inheritance::note(const Kind& kind) {
  deeds_.add(world_.now(), kind);
}

void Inheritance::on_installing(std::uint64_t number) {
  if (left_ == 0 || heir_ != 0) return;
  heir_ = number;
  has_begun_ = false;
  // Before its engine is asked, which is when the mark is durable.
  ticket_ = world_.after(Duration::nanoseconds(1), *this);
}

void Inheritance::run() {
  if (!has_begun_) return begin();
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  const bool is_over = world_.now() >= until_ || machines_[heir_ - 1]->is_down() || leading == heir_;
  if (newcomer_ != 0 && !machines_[newcomer_ - 1]->is_admitted()) {
    const Admit admit{newcomer_};
    note(admit);
    operator_.perform(admit);
  }
  if (is_over) {
    heir_ = 0;
    return;
  }
  look_soon();
  if (has_left_ || !leading || world_.now() < leaves_at_) return;
  has_left_ = true;
  if (prng_.chance(1, 4)) return nemeses_[*leading - 1]->suffer(Kill{*leading});
  const MoveLeader move{*leading, heir_};
  note(move);
  succession_.perform(move);
}

void Inheritance::begin() {
  const std::optional<std::uint64_t> leading = leading_machine(machines_);
  const Machine& heir = *machines_[heir_ - 1];
  const std::optional<std::uint64_t> behind = leading ? somebody_behind(*leading) : std::nullopt;
  if (!behind || heir.is_down() || heir.status().is_learner) {
    heir_ = 0;
    return;
  }
  newcomer_ = machines_[*behind - 1]->is_admitted() ? 0 : *behind;
  --left_;
  ++begun_;
  has_begun_ = true;
  has_left_ = false;
  const Duration timeout = plan_.election_timeout;
  const Duration longer = prng_.between(timeout * timeouts_min, timeout * timeouts_max);
  until_ = world_.now() + longer;
  leaves_at_ = world_.now() + prng_.between(Duration(), timeout);
  nemeses_[heir_ - 1]->suffer(StallDisk{heir_, longer, true});
  if (newcomer_ != 0) {
    const ChangeMembers change{*leading, ChangeMembers::Kind::add_learner, newcomer_};
    note(change);
    operator_.perform(change);
  }
  look_soon();
}

std::optional<std::uint64_t> Inheritance::somebody_behind(std::uint64_t leader) const {
  for (std::uint64_t number = 1; number <= machines_.size(); ++number) {
    if (number == heir_ || number == leader) continue;
    const Machine& machine = *machines_[number - 1];
    if (!machine.is_admitted()) return number;
    if (!machine.is_down() && machine.status().applied_index < machines_[leader - 1]->compacted_index()) return number;
  }
  return std::nullopt;
}

void Inheritance::look_soon() {
  const Duration longest = plan_.election_timeout / looks_a_timeout;
  ticket_ = world_.after(draw_odd_pause(prng_, Duration::microseconds(1), longest), *this);
}

}  // namespace metastore::sim
