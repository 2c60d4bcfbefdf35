// The replica's side of the quota: refusing what has no room, and the alarm that then stands until somebody clears it
// (contract 1.4, 5.9). Beside replica.cc, since it is one subject.
#include <utility>

#include "core/base/assert.h"
#include "core/kv/command.h"
#include "core/replica/replica.h"

namespace metastore {

void Replica::refuse_for_space(Instant now, const ClientRequest& client, Effects& effects) {
  if (applier_->alarms().is_raised({kv::AlarmType::nospace, config_.member})) {
    return effects.replies.push_back({client.id, ErrorCode::no_space});
  }
  if (waiting_.size() >= config_.limits.proposals_pending_max) {
    return effects.replies.push_back({client.id, ErrorCode::too_many_requests});
  }
  out_of_space_.push_back(waiting_.add(client.id, Waiting::For::proposal, now, client.deadline));
  wants_alarm_ = true;
}

bool Replica::exceeds_quota(const kv::Applied& applied, std::uint64_t in_use_bytes, Effects& effects) {
  if (!applied.reply.ok() || quota_.has_room(in_use_bytes, applied.cost)) return false;
  if (!wants_alarm_ && !alarm_.has_value()) {
    effects.trace.push_back(
        {TraceLevel::warn, "message exceeded backend quota; raising alarm", {{"quota-size-bytes", quota_.bytes()}}});
  }
  wants_alarm_ = true;
  return true;
}

void Replica::on_alarms(const kv::Applied& applied, Effects& effects) {
  const auto tell = [&](std::string_view fact, const kv::Alarm& alarm) {
    effects.trace.push_back(
        {TraceLevel::warn, fact, {{"alarm", std::string(name(alarm.type))}, {"from", raft::describe(alarm.member)}}});
  };
  if (applied.raised.has_value()) {
    tell("alarm raised", *applied.raised);
    // Whoever raised it: nobody can write until it is cleared, so that another one tells nothing.
    if (applied.raised->type == kv::AlarmType::nospace) answer_out_of_space(effects);
  }
  if (applied.cleared.has_value()) tell("alarm disarmed", *applied.cleared);
}

void Replica::raise_alarm(Instant now, Effects& effects) {
  if (alarm_.has_value() && !waiting_.contains(*alarm_)) {
    // It stands there, or nobody could be told in time; then the next write that is too much raises it.
    alarm_.reset();
    answer_out_of_space(effects);
  }
  if (!wants_alarm_ || alarm_.has_value() || raft_.leader() == MemberId()) return;
  alarm_ = propose_own(now, kv::encode_alarm(next_proposal_id(), {kv::AlarmType::nospace, config_.member}));
}

void Replica::answer_out_of_space(Effects& effects) {
  wants_alarm_ = false;
  for (const Waiting::Key key : std::exchange(out_of_space_, {})) answer(key, ErrorCode::no_space, effects);
}

}  // namespace metastore
