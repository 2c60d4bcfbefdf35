// How a simulation does the deeds of a scenario.
#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/overloaded.h"
#include "sim/simulation.h"

namespace metastore::sim {

void Simulation::perform(const DeedKind& deed) {
  ASSERT(plan_.is_scripted);
  ASSERT(can_perform(deed));
  // Once the faults have ended they stay so.
  if (stage_.is_final) return;
  deeds_.add(world_.now(), deed);
  const auto at = [](auto& list, std::uint64_t number) -> auto& { return *list[number - 1]; };
  std::visit(Overloaded{[&](const Ask& ask) { clients_[ask.client]->perform(ask); },
                        [&](const CutLinks& cut) { partitions_.perform(cut); },
                        [&](const Mend& mend) { partitions_.perform(mend); },
                        [&](const ChangeMembers& change) { operator_.perform(change); },
                        [&](const MoveLeader& move) { succession_.perform(move); },
                        [&](const Flood& flood) { operator_.perform(flood); },
                        [&](const Admit& admit) { operator_.perform(admit); },
                        [&](const Renew& renew) { at(keepers_, renew.keeper).perform(renew); },
                        [&](const CloseKeeper& close) { at(keepers_, close.keeper).perform(close); },
                        [&](const auto& other) {
                          if constexpr (requires { other.watcher; }) {
                            at(watchers_, other.watcher).perform(other);
                          } else {
                            at(nemeses_, other.member).perform(other);
                          }
                        }},
             deed);
}

bool Simulation::can_perform(const DeedKind& deed) const {
  const auto is_one_of = [](std::uint64_t number, const auto& list) { return number > 0 && number <= list.size(); };
  return std::visit(Overloaded{[&](const CutLinks& cut) {
                                 return std::all_of(cut.links.begin(), cut.links.end(), [&](const auto& link) {
                                   return is_one_of(link.first, machines_) && is_one_of(link.second, machines_);
                                 });
                               },
                               [&](const auto& other) {
                                 bool is_known = true;
                                 // The first client is the surveyor, who acts for itself.
                                 if constexpr (requires { other.client; })
                                   is_known = other.client > 0 && other.client < clients_.size();
                                 if constexpr (requires { other.watcher; })
                                   is_known = is_one_of(other.watcher, watchers_);
                                 if constexpr (requires { other.keeper; }) is_known = is_one_of(other.keeper, keepers_);
                                 if constexpr (requires { other.member; })
                                   is_known = is_known && is_one_of(other.member, machines_);
                                 if constexpr (requires { other.target; })
                                   is_known = is_known && is_one_of(other.target, machines_);
                                 return is_known;
                               }},
                    deed);
}

void Simulation::play(std::vector<Deed> deeds) {
  ASSERT(has_played());
  deeds_ahead_.assign(std::make_move_iterator(deeds.begin()), std::make_move_iterator(deeds.end()));
  if (!deeds_ahead_.empty()) world_.at(deeds_ahead_.front().at, playing_);
}

void Simulation::play_next() {
  // What was done in one event is done in one again.
  while (!deeds_ahead_.empty() && deeds_ahead_.front().at <= world_.now()) {
    const Deed deed = std::move(deeds_ahead_.front());
    deeds_ahead_.pop_front();
    perform(deed.kind);
  }
  if (!deeds_ahead_.empty()) world_.at(deeds_ahead_.front().at, playing_);
}

}  // namespace metastore::sim
