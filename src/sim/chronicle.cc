#include "sim/chronicle.h"

#include <utility>
#include <variant>

#include "core/base/overloaded.h"
#include "sim/machine.h"
#include "sim/simulation.h"

namespace metastore::sim {
namespace {

std::string member_lane(std::uint64_t number) { return "member " + std::to_string(number); }

std::string client_lane(std::uint64_t id) { return id == 0 ? "surveyor" : "client " + std::to_string(id); }

/// What is on its way, without who sends it to whom.
std::string message_text(const raft::Envelope& envelope) {
  const std::string text = raft::describe(envelope);
  const std::string ways = raft::describe(envelope.from) + " > " + raft::describe(envelope.to) + " ";
  return text.starts_with(ways) ? text.substr(ways.size()) : text;
}

}  // namespace

MemberState state_of(const Simulation& simulation, std::uint64_t number) {
  const auto& machines = simulation.machines();
  const Machine& machine = *machines[number - 1];
  if (machine.is_down()) return {.role = "is down"};
  const ReplicaStatus status = machine.status();
  std::uint64_t leader = machines.size();
  while (leader > 0 && machines[leader - 1]->id() != status.leader) --leader;
  return {.is_up = true,
          .role = status.is_leader    ? "leads"
                  : status.is_learner ? "learns"
                                      : "follows",
          .term = status.term.value(),
          .leader = leader,
          .commit = status.commit_index.value(),
          .applied = status.applied_index.value(),
          .revision = status.revision.value()};
}

std::string describe(std::uint64_t number, const MemberState& state) {
  std::string out = std::to_string(number) + " " + state.role;
  if (!state.is_up) return out;
  return out + " term=" + std::to_string(state.term) + " leader=" + std::to_string(state.leader) +
         " commit=" + std::to_string(state.commit) + " applied=" + std::to_string(state.applied) +
         " revision=" + std::to_string(state.revision);
}

void Chronicle::add(std::string lane, MarkKind kind, std::string text) {
  has_something_ = true;
  happenings_.push_back({next_moment(), std::move(lane), kind, std::move(text), std::nullopt});
}

void Chronicle::on_input(std::uint64_t member, const Input& input) {
  if (const auto* written = std::get_if<LogWritten>(&input.event)) {
    return add(member_lane(member), MarkKind::disk, "log write " + std::to_string(written->id.value()) + " is durable");
  }
  if (const auto* written = std::get_if<CheckpointWritten>(&input.event)) {
    return add(member_lane(member), MarkKind::disk,
               "checkpoint up to " + std::to_string(written->applied_index.value()) + " is durable");
  }
  const auto* message = std::get_if<PeerMessage>(&input.event);
  if (message == nullptr) return;
  const auto found = under_way_.find({number_of(message->envelope.from), member, message_text(message->envelope)});
  if (found == under_way_.end()) return;
  // One that comes twice is drawn once: the first of what looks alike.
  has_something_ = true;
  std::deque<std::size_t>& same = found->second;
  while (same.size() > 1 && arrows_[same.front()].to_moment) same.pop_front();
  Arrow& arrow = arrows_[same.front()];
  if (!arrow.to_moment) arrow.to_moment = next_moment();
}

void Chronicle::on_effects(std::uint64_t member, const Effects& effects) {
  for (const raft::LogWrite& write : effects.log_writes) {
    add(member_lane(member), MarkKind::disk, "writes " + raft::describe(write));
  }
  if (effects.checkpoint) add(member_lane(member), MarkKind::disk, "writes a checkpoint");
  for (const raft::Envelope& envelope : effects.messages) {
    has_something_ = true;
    const std::uint64_t to = number_of(envelope.to);
    // Nobody has started yet who could be told.
    if (to == 0) continue;
    std::string text = message_text(envelope);
    under_way_[{member, to, text}].push_back(arrows_.size());
    arrows_.push_back({next_moment(), std::nullopt, member_lane(member), member_lane(to), std::move(text)});
  }
}

void Chronicle::on_deed(const DeedKind& deed) {
  const std::string text = deed_text(deed);
  if (is_fault({Instant(), deed}) || std::holds_alternative<Boot>(deed) || std::holds_alternative<Mend>(deed)) {
    const bool is_network = std::holds_alternative<CutLinks>(deed) || std::holds_alternative<Mend>(deed);
    std::string lane = "network";
    std::visit(
        [&lane](const auto& kind) {
          if constexpr (requires { kind.member; }) lane = member_lane(kind.member);
        },
        deed);
    return add(std::move(lane), is_network ? MarkKind::network : MarkKind::fault, text);
  }
  std::visit(
      [&](const auto& kind) {
        // What clients ask is seen in the history.
        if constexpr (requires { kind.watcher; }) {
          add("watcher " + std::to_string(kind.watcher), MarkKind::note, text);
        } else if constexpr (requires { kind.keeper; }) {
          add("keeper " + std::to_string(kind.keeper), MarkKind::note, text);
        }
      },
      deed);
}

void Chronicle::after_step(const Simulation& simulation) {
  look_at_members(simulation);
  look_at_clients(simulation);
  look_at_watches(simulation);
  if (simulation.violation() && !std::exchange(has_told_violation_, true)) {
    add("network", MarkKind::violation,
        std::string(simulation.violation()->oracle) + ": " + simulation.violation()->message);
  }
  if (std::exchange(has_something_, false)) moments_.push_back({simulation.now(), simulation.events()});
}

void Chronicle::after_death(const Simulation& simulation) {
  moments_.push_back({simulation.now(), simulation.events()});
}

void Chronicle::look_at_members(const Simulation& simulation) {
  states_.resize(simulation.machines().size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    MemberState state = state_of(simulation, i + 1);
    if (state == states_[i]) continue;
    const MemberState& before = states_[i];
    std::string text;
    if (before.is_up != state.is_up) {
      text = state.is_up ? "is up" : "is down";
    } else if (before.role != state.role) {
      text = state.role + " in term " + std::to_string(state.term);
    } else if (before.term != state.term) {
      text = "term " + std::to_string(state.term);
    } else if (before.revision != state.revision) {
      text = "revision " + std::to_string(state.revision);
    }
    add(member_lane(i + 1), MarkKind::state, text);
    happenings_.back().state = state;
    states_[i] = std::move(state);
  }
}

void Chronicle::look_at_clients(const Simulation& simulation) {
  const auto& operations = simulation.history().operations();
  for (; operations_seen_ < operations.size(); ++operations_seen_) {
    const Operation& operation = operations[operations_seen_];
    add(client_lane(operation.client), MarkKind::ask,
        "#" + std::to_string(operation.id) + " " + describe(operation.request));
    pending_.emplace(operations_seen_, next_moment());
  }
  for (auto next = pending_.begin(); next != pending_.end();) {
    const Operation& operation = operations[next->first];
    if (operation.ending == Ending::pending) {
      ++next;
      continue;
    }
    std::string text = "#" + std::to_string(operation.id) + " ";
    text += operation.ending == Ending::done      ? describe(operation.response)
            : operation.ending == Ending::refused ? "refused: " + operation.error
                                                  : "unknown: " + operation.error;
    const std::string lane = client_lane(operation.client);
    arrows_.push_back({next->second, next_moment(), lane, lane, text});
    add(lane, MarkKind::answer, std::move(text));
    next = pending_.erase(next);
  }
}

void Chronicle::look_at_watches(const Simulation& simulation) {
  const auto& sessions = simulation.watch_sessions();
  watch_events_seen_.resize(sessions.size());
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const WatchSession& session = sessions[i];
    for (; watch_events_seen_[i] < session.events.size(); ++watch_events_seen_[i]) {
      const WatchEvent& event = session.events[watch_events_seen_[i]];
      add("watcher " + std::to_string(session.watcher), MarkKind::watch,
          "told " + std::string(event.is_delete ? "delete " : "put ") + event.kv.key + " at " +
              std::to_string(event.kv.mod_revision));
    }
  }
}

}  // namespace metastore::sim
