#include "sim/simpler_run.h"

#include <utility>
#include <variant>

#include "sim/scenario.h"

namespace metastore::sim {

std::optional<Plan> ShrinkableRun::plan() const {
  Plan plan = story_plan();
  std::string lines;
  for (const std::string& line : settings) lines += line + "\n";
  if (!read_plan(lines, plan).empty()) return std::nullopt;
  plan.seed = seed;
  return plan;
}

std::optional<ShrinkableRun> with_members(const ShrinkableRun& run, std::uint64_t left) {
  const auto plan = run.plan();
  if (!plan || plan->machines() <= left) return std::nullopt;
  ShrinkableRun smaller = run;
  std::erase_if(smaller.settings,
                [](const std::string& line) { return line.starts_with("members=") || line.starts_with("newcomers="); });
  if (left > 1) smaller.settings.push_back("members=" + std::to_string(left));
  std::erase_if(smaller.deeds, [left](Deed& deed) {
    return std::visit(
        [left](auto& kind) {
          if constexpr (requires { kind.member; }) kind.member = (kind.member - 1) % left + 1;
          if constexpr (requires { kind.links; }) {
            std::erase_if(kind.links, [left](const auto& link) { return link.first > left || link.second > left; });
            return kind.links.empty();
          }
          if constexpr (requires { kind.target; }) return kind.target > left;
          return false;
        },
        deed.kind);
  });
  return smaller;
}

std::optional<Request> unfolded(const Request& request, bool is_success) {
  const auto* txn = std::get_if<Txn>(&request);
  if (txn == nullptr) return std::nullopt;
  const std::vector<Action>& branch = is_success ? txn->success : txn->failure;
  if (branch.size() == 1) {
    return std::visit(
        [](const auto& action) -> Request {
          if constexpr (requires { action.front(); }) {
            return action.front();
          } else {
            return action;
          }
        },
        branch.front());
  }
  if (txn->comparisons.empty()) return std::nullopt;
  return Txn{.comparisons = {}, .success = branch, .failure = {}};
}

}  // namespace metastore::sim
