#include "sim/simpler_run.h"

#include <utility>
#include <variant>

#include "sim/scenario.h"

namespace metastore::sim {
namespace {

std::int64_t count_writes(const ShrinkableRun& run) {
  return std::count_if(run.deeds.begin(), run.deeds.end(), [](const Deed& deed) {
    const auto* ask = std::get_if<Ask>(&deed.kind);
    return ask != nullptr && is_write(ask->request);
  });
}

/// The revision that it names; null if it names none.
std::int64_t* revision_of(DeedKind& kind) {
  if (auto* watch = std::get_if<AddWatch>(&kind)) return &watch->start;
  auto* ask = std::get_if<Ask>(&kind);
  if (ask == nullptr) return nullptr;
  return std::visit(
      [](auto& request) -> std::int64_t* {
        if constexpr (requires { request.revision; }) return &request.revision;
        return nullptr;
      },
      ask->request);
}

}  // namespace

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

std::optional<ShrinkableRun> without_revisions(const ShrinkableRun& run, const ShrinkableRun& smaller,
                                               std::size_t place) {
  const std::int64_t missing = count_writes(run) - count_writes(smaller);
  ShrinkableRun lowered = smaller;
  bool is_lower = false;
  for (std::size_t i = place; i < lowered.deeds.size() && missing > 0; ++i) {
    std::int64_t* const revision = revision_of(lowered.deeds[i].kind);
    if (revision == nullptr || *revision <= missing) continue;
    *revision -= missing;
    is_lower = true;
  }
  return is_lower ? std::optional(std::move(lowered)) : std::nullopt;
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
