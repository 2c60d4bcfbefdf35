#include "sim/client.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/assert.h"
#include "sim/contender.h"
#include "sim/door.h"
#include "sim/wire.h"

namespace metastore::sim {
namespace {

/// How long after its deadline a client still waits for an answer that may be on its way.
constexpr Duration grace = Duration::seconds(1);
/// The surveyor is there to get an answer.
constexpr Duration surveyor_patience = Duration::seconds(10);
/// How long it waits at most before it tries a member that is down again.
constexpr Duration reconnect_max = Duration::milliseconds(200);
/// The same for one that was told whom to ask.
constexpr Duration reconnect_as_told = Duration::milliseconds(10);
/// How long the writer thinks at most before it tries again, and how long it waits at least.
constexpr Duration writer_pause = Duration::milliseconds(50);
constexpr Duration writer_patience = Duration::seconds(1);

/// Nobody compacts what is not settled, or the surveyor could not look at it any more. What was drawn keeps to that,
/// but a revision is settled later, or never, where other deeds were taken away.
bool can_be_surveyed_behind(const Request& request, const History& history) {
  const auto* compact = std::get_if<Compact>(&request);
  return compact == nullptr || compact->revision <= history.settled_revision() || compact->revision >= far_future;
}

}  // namespace

Client::Client(Stage& stage, Doors& doors, Role role, std::uint64_t id)
    : stage_(stage),
      doors_(doors),
      door_(&doors.first()),
      role_(role),
      id_(id),
      prng_(stage.plan.seed, "client " + std::to_string(id)) {
  if (!is_told() && role != Role::writer) pause();
}

Client::~Client() {
  stage_.world.cancel(turn_ticket_);
  stage_.world.cancel(patience_ticket_);
}

void Client::on_answer(Answer answer) {
  ASSERT(operation_ != nullptr);
  stage_.world.cancel(patience_ticket_);
  finish(std::move(answer));
}

void Client::pause_for(Duration longest) {
  turn_ticket_ = stage_.world.after(prng_.between(Duration(), longest), turn_);
}

void Client::pause() {
  // A surveyor in a hurry would drown the others; at the end it is the only one left, until it has seen all.
  Duration longest = stage_.plan.think_max;
  if (role_ == Role::surveyor) longest = Duration::milliseconds(stage_.is_final && !has_concluded_ ? 1 : 500);
  if (role_ == Role::auditor) longest = Duration::milliseconds(500);
  if (role_ == Role::writer) longest = stage_.writes_on ? Duration::milliseconds(1) : writer_pause;
  pause_for(longest);
}

void Client::start() {
  stage_.world.cancel(turn_ticket_);
  pause();
}

void Client::ask() {
  if (is_told()) return ask_as_told();
  door_ = &doors_.next(*door_, prng_);
  if (!door_->is_open()) return pause_for(reconnect_max);
  std::optional<Request> request = role_ == Role::surveyor  ? next_survey()
                                   : role_ == Role::auditor ? next_audit()
                                   : role_ == Role::writer  ? next_write()
                                                            : next_request();
  if (!request) {
    if (role_ == Role::surveyor || role_ == Role::auditor) pause();
    return;
  }
  // A member that nobody asks anything must end leases all the same.
  if (role_ == Role::auditor && !std::exchange(has_been_silent_, true) && prng_.chance(1, 2)) {
    turn_ticket_ = stage_.world.after(silence(), turn_);
    return;
  }
  const Duration patience = role_ == Role::worker   ? prng_.between(stage_.plan.patience_min, stage_.plan.patience_max)
                            : role_ == Role::writer ? std::max(stage_.plan.election_timeout * 4, writer_patience)
                                                    : std::max(stage_.plan.patience_max, surveyor_patience);
  if (role_ == Role::worker) {
    stage_.deeds.add(stage_.world.now(), Ask{id_, door_->number(), patience, *request});
  }
  begin(std::move(*request), patience);
}

void Client::perform(const Ask& ask) {
  waiting_.push_back({ask, stage_.world.now() + ask.patience});
  ask_as_told();
}

void Client::ask_as_told() {
  if (operation_ != nullptr) return;
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    door_ = &doors_.of(next.ask.member);
    if (!door_->is_open() && stage_.world.now() < next.until) {
      stage_.world.cancel(turn_ticket_);
      turn_ticket_ = stage_.world.after(reconnect_as_told, turn_);
      return;
    }
    Ask ask = std::move(next.ask);
    waiting_.pop_front();
    if (door_->is_open() && can_be_surveyed_behind(ask.request, stage_.history)) {
      return begin(std::move(ask.request), ask.patience);
    }
  }
}

void Client::begin(Request request, Duration patience) {
  operation_ = &stage_.history.begin(id_, door_->number(), std::move(request), stage_.world.now());
  stage_.judge.on_invoked(*operation_);
  patience_ticket_ = stage_.world.after(patience + grace, patience_);
  door_->submit(*this, method_of(operation_->request), Bytes::copy_of(encode_request(operation_->request)), patience);
}

void Client::give_up() {
  door_->abandon(*this);
  finish({std::nullopt, ""});
}

void Client::finish(Answer answer) {
  Operation& operation = *std::exchange(operation_, nullptr);
  const Instant now = stage_.world.now();
  if (answer.message) {
    std::optional<Response> response = decode_response(operation.request, answer.message->view());
    if (response) {
      stage_.history.end_done(operation, std::move(*response), now);
      learn(operation);
    } else {
      stage_.judge.fail({"protocol", now, "a response that does not decode: " + describe(operation)});
    }
  } else {
    stage_.history.end_failed(operation, std::move(answer.error), now);
  }
  if (stage_.trace.is_wanted()) stage_.trace.add(now, "client " + std::to_string(id_), describe(operation));
  stage_.workload.learn(operation);
  stage_.judge.on_returned(operation);
  if (contender_ != nullptr) contender_->on_answer(operation);
  if (is_told()) return ask_as_told();
  pause();
}

void Client::learn(const Operation& operation) {
  const bool is_wanted = role_ == Role::surveyor || role_ == Role::writer;
  if (is_wanted && stage_.is_final && !stage_.answered_at && operation.invoked >= stage_.final_since) {
    stage_.answered_at = stage_.world.now();
  }
  if (role_ == Role::surveyor) {
    const auto& get = std::get<Get>(operation.request);
    const std::int64_t revision = get.revision != 0 ? get.revision : operation.response.revision;
    stage_.history.add_survey(revision, {operation.invoked, std::get<GetReply>(operation.response.reply).kvs});
    has_concluded_ = get.revision == 0 && stage_.history.settled_revision() == stage_.history.newest_revision();
  } else if (role_ == Role::auditor) {
    const std::int64_t granted = std::get<TimeToLiveReply>(operation.response.reply).granted_seconds;
    if (granted == 0 || granted == long_ttl_seconds) ++audited_;
  } else if (role_ == Role::writer) {
    ++written_;
  }
}

std::optional<Request> Client::next_audit() {
  if (!stage_.is_final || audited_ >= stage_.history.leases().size()) return std::nullopt;
  return TimeToLive{stage_.history.leases()[audited_], true};
}

std::optional<Request> Client::next_write() const {
  if (written_ > 0 && !stage_.writes_on) return std::nullopt;
  // Where no room is left, what frees some is taken all the same.
  if (stage_.plan.quota_bytes >= 0) return Delete{.keys = {"probe", ""}};
  return Put{.key = "probe", .value = "probe " + std::to_string(stage_.history.operations().size())};
}

Duration Client::silence() const {
  const LeaseTerms& terms = stage_.judge.terms_of_leases();
  return Duration::seconds(stage_.plan.ttl_seconds_max + terms.ttl_seconds_min) + terms.grace +
         terms.slack(stage_.history) * 2;
}

std::optional<Request> Client::next_request() {
  if (stage_.operations_left == 0) return std::nullopt;
  --stage_.operations_left;
  return stage_.workload.draw(stage_.world.now());
}

std::optional<Request> Client::next_survey() {
  const std::int64_t settled = stage_.history.settled_revision();
  if (settled == stage_.history.newest_revision()) {
    gap_ = 0;
    if (!stage_.is_final || has_concluded_) return std::nullopt;
    return Get{.keys = all_keys()};
  }
  // An answer that is merely on its way closes the gap by itself.
  if (std::exchange(gap_, settled + 1) != settled + 1) return std::nullopt;
  return Get{.keys = all_keys(), .revision = settled + 1};
}

}  // namespace metastore::sim
