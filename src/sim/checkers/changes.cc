#include "sim/checkers/changes.h"

#include <algorithm>
#include <string>

namespace metastore::sim {
namespace {

std::string_view text(ChangeAnswer answer) {
  switch (answer) {
    case ChangeAnswer::done:
      return "done";
    case ChangeAnswer::not_enough_started:
      return "refused, for too few have started";
    case ChangeAnswer::unhealthy:
      return "refused, for too few are there";
    case ChangeAnswer::otherwise:
      break;
  }
  return "refused otherwise";
}

constexpr std::size_t quorum_of(std::size_t voters) { return voters / 2 + 1; }

/// Of the voters.
template <typename Condition>
std::size_t count(const std::vector<MemberSeen>& members, Condition&& condition) {
  return static_cast<std::size_t>(std::count_if(members.begin(), members.end(), [&condition](const MemberSeen& member) {
    return !member.is_learner && condition(member);
  }));
}

}  // namespace

bool ChangeChecker::is_there(Instant now, MemberId member) const {
  const auto found = connected_.find(member);
  return member == self_ || (found != connected_.end() && now - found->second >= settling_);
}

void ChangeChecker::on_addition(Instant now, std::uint64_t turn, RequestId id, bool is_learner,
                                const std::vector<MemberSeen>& members) {
  const std::size_t voters = count(members, [](const MemberSeen&) { return true; });
  const std::size_t started = count(members, [](const MemberSeen& member) { return member.has_started; });
  const std::size_t there = count(members, [&](const MemberSeen& member) { return is_there(now, member.id); });
  ChangeAnswer due = ChangeAnswer::done;
  // Who is alone may have company, and who has not heard of anybody yet cannot judge by who is there.
  if (voters > 1 && there < quorum_of(voters + 1)) due = ChangeAnswer::unhealthy;
  if (!is_learner && started < quorum_of(voters + 1) && !(voters == 1 && started == 1)) {
    due = ChangeAnswer::not_enough_started;
  }
  asked_[id] = {turn, due};
}

void ChangeChecker::on_removal(Instant now, std::uint64_t turn, RequestId id, MemberId target,
                               const std::vector<MemberSeen>& members) {
  const auto named =
      std::find_if(members.begin(), members.end(), [target](const MemberSeen& member) { return member.id == target; });
  const auto stays = [target](const MemberSeen& member) { return member.id != target; };
  const std::size_t voters = count(members, stays);
  const std::size_t started =
      count(members, [&stays](const MemberSeen& member) { return stays(member) && member.has_started; });
  const std::size_t there = count(members, [&](const MemberSeen& member) { return is_there(now, member.id); });
  const bool is_known = named != members.end();
  ChangeAnswer due = ChangeAnswer::done;
  // Who is not there, or does not vote, is not missed. One of those who are is counted as gone, whoever that is.
  const bool is_missed = is_known && !named->is_learner && (target == self_ || connected_.contains(target));
  if (is_missed && there < quorum_of(voters) + 1) due = ChangeAnswer::unhealthy;
  if (!(is_known && named->is_learner) && started < quorum_of(voters)) due = ChangeAnswer::not_enough_started;
  asked_[id] = {turn, due};
}

std::optional<Violation> ChangeChecker::on_answered(Instant now, std::uint64_t turn, RequestId id,
                                                    ChangeAnswer answer) {
  const auto asked = asked_.extract(id);
  // Later the leader may refuse it by a newer table, and whatever is refused otherwise is not made.
  if (asked.empty() || answer == ChangeAnswer::otherwise) return std::nullopt;
  const ChangeAnswer due = asked.mapped().due;
  if (asked.mapped().turn != turn && answer == ChangeAnswer::not_enough_started) return std::nullopt;
  ++judged_;
  if (answer == due) return std::nullopt;
  return Violation{
      "contract 5.8", now,
      "a change of members is " + std::string(text(answer)) + ", where it is to be " + std::string(text(due))};
}

}  // namespace metastore::sim
