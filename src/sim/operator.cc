#include "sim/operator.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/bytes.h"
#include "core/kv/method.h"
#include "sim/wire.h"

namespace metastore::sim {
namespace {

/// How long the member that is asked may take.
constexpr Duration patience = Duration::seconds(5);
/// Clients count theirs from 1.
constexpr std::int64_t lease_of_nobody = 1'000'000'000'000;
/// How often it looks at the tables in the end.
constexpr Duration look_interval = Duration::milliseconds(100);

}  // namespace

Operator::Operator(const Plan& plan, World& world, History& history, std::vector<std::unique_ptr<Machine>>& machines,
                   std::vector<std::unique_ptr<Nemesis>>& nemeses, Doors& doors, TraceLog& trace, DeedLog& deeds)
    : plan_(plan),
      world_(world),
      history_(history),
      machines_(machines),
      nemeses_(nemeses),
      doors_(doors),
      trace_(trace),
      deeds_(deeds),
      prng_(plan.seed, "operator"),
      changes_left_(plan.member_changes) {
  if (plan.newcomers > 0 && !plan.is_scripted) {
    ticket_ = world_.after(prng_.between(Duration(), plan_.member_change_interval_max), *this);
  }
}

Operator::~Operator() { world_.cancel(ticket_); }

template <typename Kind>
void Operator::decide(const Kind& kind) {
  if (!is_retired_) deeds_.add(world_.now(), kind);
  perform(kind);
}

void Operator::retire() {
  if (plan_.newcomers == 0) return;
  is_retired_ = true;
  acquaint();
  world_.cancel(ticket_);
  ticket_ = world_.after(look_interval, *this);
}

void Operator::run() {
  for (std::uint64_t number = 1; number <= plan_.machines(); ++number) {
    const Machine& machine = *machines_[number - 1];
    if (!machine.is_admitted() && added_as(machine)) decide(Admit{number});
  }
  if (is_retired_) {
    for (const auto& machine : machines_) {
      if (is_forlorn(*machine) && !machine->is_draining()) machine->dismiss();
    }
    ticket_ = world_.after(look_interval, *this);
    return;
  }
  bool is_hasty = true;
  while (changes_left_ > 0 && is_hasty) {
    const std::optional<ChangeMembers> change = draw_change();
    if (!change.has_value()) break;
    --changes_left_;
    decide(*change);
    is_hasty = prng_.chance(1, 3);
  }
  ticket_ = world_.after(prng_.between(Duration(), plan_.member_change_interval_max), *this);
}

std::optional<ChangeMembers> Operator::draw_change() {
  const std::uint64_t asked = 1 + prng_.below(machines_.size());
  // Of those who can still come there are few.
  const bool is_newcomer = prng_.chance(1, 2);
  const std::uint64_t target =
      is_newcomer ? plan_.members + 1 + prng_.below(plan_.newcomers) : 1 + prng_.below(machines_.size());
  // Clusters come down to a single member, and grow again.
  if (prng_.chance(1, 6)) is_shrinking_ = !is_shrinking_;
  const bool is_removal = prng_.chance(is_shrinking_ ? 7 : 1, 8);
  const bool is_learner = prng_.chance(2, 3);
  const bool is_update = prng_.chance(1, 4);
  const Machine& machine = *machines_[target - 1];
  if (machines_[asked - 1]->is_down()) return std::nullopt;
  using Change = ChangeMembers::Kind;
  if (!machine.is_admitted()) {
    if (is_removal) return std::nullopt;
    return ChangeMembers{asked, is_learner ? Change::add_learner : Change::add, target};
  }
  if (is_update) return ChangeMembers{asked, Change::update, target};
  const Member* member = machines_[asked - 1]->members().find(machine.id());
  const bool learns = member != nullptr && member->is_learner;
  if (learns && (is_learner || !is_removal)) return ChangeMembers{asked, Change::promote, target};
  if (!is_removal) return std::nullopt;
  return ChangeMembers{asked, Change::remove, target};
}

void Operator::perform(const ChangeMembers& change) {
  acquaint();
  Door& door = doors_.of(change.member);
  const Machine& machine = *machines_[change.target - 1];
  const bool is_addition = change.kind == ChangeMembers::Kind::add || change.kind == ChangeMembers::Kind::add_learner;
  if (!door.is_open() || is_addition == machine.is_admitted() || door.network() != nullptr) return;
  if (trace_.is_wanted()) trace_.add(world_.now(), "operator", deed_text(change));
  asked_until_ = world_.now() + patience;
  switch (change.kind) {
    case ChangeMembers::Kind::add:
    case ChangeMembers::Kind::add_learner:
      return door.submit(
          kv::Method::member_add,
          Bytes::copy_of(encode_member_add(machine.peer_url(), change.kind == ChangeMembers::Kind::add_learner)),
          patience);
    case ChangeMembers::Kind::promote:
      return door.submit(kv::Method::member_promote, Bytes::copy_of(encode_member_promote(machine.id())), patience);
    case ChangeMembers::Kind::update:
      return door.submit(kv::Method::member_update,
                         Bytes::copy_of(encode_member_update(machine.id(), machine.peer_url())), patience);
    case ChangeMembers::Kind::remove:
      return door.submit(kv::Method::member_remove, Bytes::copy_of(encode_member_remove(machine.id())), patience);
  }
}

void Operator::perform(const Flood& flood) {
  Door& door = doors_.of(flood.member);
  if (!door.is_open() || door.network() != nullptr) return;
  history_.asked_in_vain(flood.requests);
  const Bytes message = Bytes::copy_of(encode_request(Revoke{lease_of_nobody}));
  for (std::uint64_t i = 0; i < flood.requests; ++i) door.submit(kv::Method::lease_revoke, message, patience);
}

void Operator::perform(const Admit& admit) {
  acquaint();
  Machine& machine = *machines_[admit.member - 1];
  const std::optional<MemberId> id = added_as(machine);
  if (machine.is_admitted() || !id.has_value()) return;
  trace_.add(world_.now(), "operator", "starts member " + std::to_string(admit.member));
  ++admitted_;
  machine.admit(*id);
  nemeses_[admit.member - 1]->on_admitted();
}

std::optional<MemberId> Operator::added_as(const Machine& machine) const {
  const std::vector<MemberId>& former = machine.former();
  for (const auto& other : machines_) {
    if (other->is_down()) continue;
    for (const auto& [id, member] : other->members().all()) {
      const bool was_removed = std::find(former.begin(), former.end(), id) != former.end();
      if (!was_removed && member.peer_urls == std::vector<std::string>{machine.peer_url()}) return id;
    }
  }
  return std::nullopt;
}

const Machine* Operator::best() const {
  const Machine* furthest = nullptr;
  for (const auto& machine : machines_) {
    if (machine->is_down()) continue;
    if (furthest == nullptr || machine->status().applied_index > furthest->status().applied_index)
      furthest = machine.get();
  }
  return furthest;
}

bool Operator::is_forlorn(const Machine& machine) const {
  if (machine.is_down() || best()->members().find(machine.id()) != nullptr) return false;
  return std::none_of(machines_.begin(), machines_.end(), [&](const auto& other) {
    return other.get() != &machine && other->is_admitted() && machine.members().find(other->id()) != nullptr;
  });
}

void Operator::acquaint() {
  const Machine* const knowing = best();
  // Whoever runs now may know less than somebody who ran before.
  if (knowing != nullptr && knowing->status().applied_index >= known_at_) {
    known_at_ = knowing->status().applied_index;
    known_.clear();
    for (const auto& [id, member] : knowing->members().all()) {
      known_.push_back({.id = id, .urls = member.peer_urls, .data_id = member.data_id});
    }
  }
  for (const auto& machine : machines_) {
    if (machine->is_down()) machine->acquaint(known_);
  }
}

bool Operator::has_admitted_all() const {
  if (plan_.newcomers == 0) return true;
  return std::all_of(machines_.begin(), machines_.end(),
                     [&](const auto& machine) { return machine->is_admitted() || !added_as(*machine); });
}

}  // namespace metastore::sim
