#include "sim/history.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore::sim {
namespace {

bool changes(const GetReply&) { return false; }
bool changes(const PutReply&) { return true; }
bool changes(const DeleteReply& reply) { return reply.deleted > 0; }
bool changes(const CompactReply&) { return false; }
// Keys may go with a lease, but its reply does not say so: a survey does.
bool changes(const GrantReply&) { return false; }
bool changes(const RevokeReply&) { return false; }
bool changes(const TimeToLiveReply&) { return false; }
bool changes(const LeasesReply&) { return false; }
bool changes(const HashKvReply&) { return false; }
bool changes(const AlarmReply&) { return false; }
bool changes(const DefragmentReply&) { return false; }
bool changes(const HashStateReply&) { return false; }
bool changes(const TxnReply& txn) {
  return std::any_of(txn.replies.begin(), txn.replies.end(), [](const ActionReply& action) {
    if (const auto* nested = std::get_if<std::vector<TxnReply>>(&action)) return changes(nested->front());
    if (const auto* remove = std::get_if<DeleteReply>(&action)) return changes(*remove);
    return std::holds_alternative<PutReply>(action);
  });
}

}  // namespace

void History::learns(std::uint64_t member, bool is_learner, Instant now) {
  if (!is_learner && !learners_.contains(member)) return;
  std::vector<Stretch>& stretches = learners_[member];
  const bool was_learner = !stretches.empty() && stretches.back().end == Instant::never();
  if (is_learner && !was_learner) stretches.push_back({now});
  if (!is_learner && was_learner) stretches.back().end = now;
}

template <typename Condition>
bool History::has_stretch(std::uint64_t member, Condition&& condition) const {
  const auto found = learners_.find(member);
  return found != learners_.end() && std::any_of(found->second.begin(), found->second.end(), condition);
}

bool History::was_learner(std::uint64_t member, Instant from, Instant to) const {
  return has_stretch(member, [&](const Stretch& stretch) { return stretch.begin <= to && from <= stretch.end; });
}

bool History::was_learner_throughout(std::uint64_t member, Instant from, Instant to) const {
  return has_stretch(member, [&](const Stretch& stretch) { return stretch.begin <= from && to <= stretch.end; });
}

bool has_changed(const Response& response) {
  return std::visit([](const auto& reply) { return changes(reply); }, response.reply);
}

Operation& History::begin(std::uint64_t client, std::uint64_t member, Request request, Instant now) {
  Operation& operation = operations_.emplace_back();
  operation.id = operations_.size() - 1;
  operation.client = client;
  operation.member = member;
  operation.request = std::move(request);
  if (const auto* compact = std::get_if<Compact>(&operation.request)) {
    newest_compaction_ = std::max(newest_compaction_, compact->revision);
  }
  if (const auto* grant = std::get_if<Grant>(&operation.request)) learn_of_lease(grant->id);
  operation.invoked = now;
  return operation;
}

void History::end_done(Operation& operation, Response response, Instant now) {
  ASSERT(operation.ending == Ending::pending);
  operation.ending = Ending::done;
  operation.returned = now;
  operation.response = std::move(response);
  ++completed_;
  ++done_by_kind_[operation.request.index()];
  newest_revision_ = std::max(newest_revision_, operation.response.revision);
  if (const auto* grant = std::get_if<GrantReply>(&operation.response.reply)) learn_of_lease(grant->id);
  if (has_changed(operation.response)) settle(operation.response.revision);
}

void History::end_failed(Operation& operation, std::string error, Instant now) {
  ASSERT(operation.ending == Ending::pending);
  operation.ending = is_refusal(error) ? Ending::refused : Ending::unknown;
  if (operation.ending == Ending::refused) {
    operation.returned = now;
    ++completed_;
    ++refused_;
  } else {
    ++unknown_;
  }
  operation.error = std::move(error);
}

void History::began_unasked_compaction(std::int64_t revision, Instant now) {
  unasked_compactions_.push_back({revision, now});
  newest_compaction_ = std::max(newest_compaction_, revision);
  saw_revision(revision);
}

void History::learn_of_lease(std::int64_t id) {
  if (id != 0 && std::find(leases_.begin(), leases_.end(), id) == leases_.end()) leases_.push_back(id);
}

void History::add_survey(std::int64_t revision, Survey survey) {
  surveys_.emplace(revision, std::move(survey));
  settle(revision);
}

void History::settle(std::int64_t revision) {
  const auto at = static_cast<std::size_t>(std::max<std::int64_t>(revision, 0));
  if (known_.size() <= at) known_.resize(at + 1);
  known_[at] = true;
  while (static_cast<std::size_t>(settled_revision_) + 1 < known_.size() &&
         known_[static_cast<std::size_t>(settled_revision_) + 1]) {
    ++settled_revision_;
  }
}

}  // namespace metastore::sim
