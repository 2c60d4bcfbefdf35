#include "sim/contender.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "sim/door.h"

namespace metastore::sim {
namespace {

constexpr std::uint64_t prefixes = 2;
/// Its leases begin here, above those that other clients name.
constexpr std::int64_t first_session = 1'000'000;
/// It looks again after this long at most, should the watch tell it nothing.
constexpr Duration wait_max = Duration::seconds(10);

std::string prefix_of(std::uint64_t number) { return "lock/" + std::to_string(number) + "/"; }

KeyRange under(const std::string& prefix) {
  std::string end = prefix;
  ++end.back();
  return {prefix, end};
}

/// Who holds: the key under the prefix that was created first.
Get first_of(const std::string& prefix) {
  Get get{.keys = under(prefix)};
  get.limit = 1;
  get.sorted_by = SortBy::creation;
  return get;
}

/// The prefix of a key of its kind: all but the name of the session.
std::string prefix_of(const std::string& key) { return key.substr(0, key.rfind('/') + 1); }

}  // namespace

Contender::Contender(Stage& stage, Doors& doors, const Hands& hands, std::uint64_t id)
    : stage_(stage),
      doors_(doors),
      door_(&doors.first()),
      hands_(hands),
      id_(id),
      prng_(stage.plan.seed, "contender " + std::to_string(id)) {
  hands_.client.report_to(*this);
  hands_.watcher.report_to(*this);
  if (!stage.plan.is_scripted) turn_within(stage.plan.think_max);
}

Contender::~Contender() {
  stage_.world.cancel(turn_);
  stage_.world.cancel(keeping_ticket_);
}

// --- What follows from the answers -----------------------------------------------------------------------------------

void Contender::on_answer(const Operation& operation) {
  if (operation.ending == Ending::done) {
    if (const auto* txn = std::get_if<Txn>(&operation.request)) learn_entry(operation, *txn);
    if (const auto* get = std::get_if<Get>(&operation.request)) {
      if (get->create_revision_max != 0) learn_look(operation, *get);
      if (get->keys.end.empty() && get->keys.begin == key_) learn_own(operation);
    }
  }
  if (stage_.plan.is_scripted) return;
  answered_ = &operation;
  turn_within(stage_.plan.think_max);
}

void Contender::learn_entry(const Operation& operation, const Txn& txn) {
  if (txn.comparisons.size() != 1 || txn.comparisons[0].target != CompareTarget::create || txn.success.size() != 2 ||
      txn.failure.size() != 2 || txn.comparisons[0].number != 0) {
    return;
  }
  const auto& reply = std::get<TxnReply>(operation.response.reply);
  const std::string& key = txn.comparisons[0].keys.begin;
  std::int64_t created = operation.response.revision;
  if (!reply.succeeded) {
    const auto* own = std::get_if<GetReply>(&reply.replies[0]);
    if (own == nullptr || own->kvs.empty()) return forget_key();
    created = own->kvs.front().create_revision;
  }
  const auto* first = std::get_if<GetReply>(&reply.replies[1]);
  if (first == nullptr || first->kvs.empty()) return;
  prefix_ = prefix_of(key);
  key_ = key;
  create_revision_ = created;
  has_waited_ = false;
  is_first_ = first->kvs.front().key == key && first->kvs.front().create_revision == created;
  if (is_first_) claim(operation);
}

void Contender::learn_look(const Operation& operation, const Get& get) {
  if (key_.empty() || get.keys.begin != prefix_ || get.create_revision_max != create_revision_ - 1) return;
  const auto& kvs = std::get<GetReply>(operation.response.reply).kvs;
  is_first_ = kvs.empty();
  blocker_ = kvs.empty() ? "" : kvs.front().key;
  has_waited_ = has_waited_ || !kvs.empty();
}

void Contender::learn_own(const Operation& operation) {
  const auto& kvs = std::get<GetReply>(operation.response.reply).kvs;
  if (kvs.empty() || kvs.front().create_revision != create_revision_) {
    if (is_first_ && !holds_) ++counts_.found_gone;
    return forget_key();
  }
  // That nobody was before it does not say that it is still there itself.
  if (is_first_) claim(operation);
}

void Contender::claim(const Operation& operation) {
  if (!std::exchange(holds_, true)) ++(has_waited_ ? counts_.taken_after_waiting : counts_.taken_at_once);
  stage_.history.add_claim({.client = operation.client,
                            .prefix = prefix_,
                            .key = key_,
                            .create_revision = create_revision_,
                            .revision = operation.response.revision,
                            .at = operation.returned});
}

void Contender::forget_key() {
  key_.clear();
  is_first_ = holds_ = false;
}

// --- What it draws ---------------------------------------------------------------------------------------------------

bool Contender::is_at_work() const { return stage_.operations_left > 0; }

void Contender::turn_within(Duration longest) {
  stage_.world.cancel(turn_);
  turn_ = stage_.world.after(prng_.between(Duration::microseconds(1), longest + Duration::microseconds(1)), *this);
}

template <typename Kind>
void Contender::decide(const Kind& kind) {
  stage_.deeds.add(stage_.world.now(), kind);
  if constexpr (std::is_same_v<Kind, Ask>) {
    hands_.client.perform(kind);
  } else if constexpr (std::is_same_v<Kind, Renew> || std::is_same_v<Kind, CloseKeeper>) {
    hands_.keeper.perform(kind);
  } else {
    hands_.watcher.perform(kind);
  }
}

void Contender::ask(Request request, Step step) {
  door_ = &doors_.next(*door_, prng_);
  // Whoever is in a step and cannot ask comes back to it.
  if (!door_->is_open()) return turn_within(Duration::milliseconds(200));
  if (!is_at_work()) return;
  --stage_.operations_left;
  step_ = step;
  const Duration patience = prng_.between(stage_.plan.patience_min, stage_.plan.patience_max);
  decide(Ask{hands_.client.id(), door_->number(), patience, std::move(request)});
}

void Contender::on_news() {
  if (!stage_.plan.is_scripted && (step_ == Step::waiting || step_ == Step::observing)) {
    turn_within(stage_.plan.think_max);
  }
}

void Contender::run() {
  if (!is_at_work() || !hands_.client.is_idle()) return;
  if (session_ != 0 && hands_.keeper.has_found_gone(session_)) {
    end_session();
    step_ = Step::resting;
  }
  go_on();
}

void Contender::go_on() {
  const Operation* const answered = std::exchange(answered_, nullptr);
  const bool is_done = answered != nullptr && answered->ending == Ending::done;
  if (is_done) seen_revision_ = answered->response.revision;
  switch (step_) {
    case Step::resting:
      return begin();
    case Step::granting:
      step_ = Step::resting;
      if (is_done) {
        const auto& reply = std::get<GrantReply>(answered->response.reply);
        session_ = reply.id;
        ttl_seconds_ = reply.ttl_seconds;
        keep();
      }
      return begin();
    case Step::entering:
      if (holds_) return hold();
      if (!key_.empty()) return look();
      if (answered != nullptr && answered->ending == Ending::refused) end_session();
      // Whoever does not know whether it is in asks for the same again, or leaves to be sure.
      if (session_ != 0) return prng_.chance(1, 2) ? enter() : leave();
      return begin();
    case Step::looking:
      if (!is_done) return look();
      return is_first_ ? confirm() : wait();
    case Step::waiting: {
      const WatchSession* const session = hands_.watcher.session();
      const bool is_gone = session != nullptr && std::any_of(session->events.begin(), session->events.end(),
                                                             [](const WatchEvent& event) { return event.is_delete; });
      if (session != nullptr && !is_gone && stage_.world.now() < until_) return turn_within(wait_max);
      decide(CloseStream{hands_.watcher_id});
      return !is_gone && prng_.chance(1, 3) ? leave() : look();
    }
    case Step::confirming:
      if (holds_) return hold();
      if (!key_.empty()) return confirm();
      end_session();
      return begin();
    case Step::holding:
    case Step::proclaiming:
      if (step_ == Step::proclaiming && is_done) {
        const auto& reply = std::get<TxnReply>(answered->response.reply);
        if (reply.succeeded) ++counts_.proclaimed;
        if (!reply.succeeded) forget_key();
      }
      return hold();
    case Step::leaving:
      if (answered != nullptr && std::holds_alternative<Revoke>(answered->request)) end_session();
      return begin();
    case Step::asking_who_leads:
      return is_done ? observe() : begin();
    case Step::observing:
      if (stage_.world.now() < until_ && hands_.watcher.session() != nullptr) {
        return turn_within(until_ - stage_.world.now());
      }
      decide(CloseStream{hands_.watcher_id});
      return begin();
  }
}

void Contender::begin() {
  step_ = Step::resting;
  forget_key();
  is_silent_ = false;
  if (prng_.chance(1, 6)) {
    prefix_ = prefix_of(prng_.below(prefixes));
    return ask(first_of(prefix_), Step::asking_who_leads);
  }
  if (session_ == 0) {
    const std::int64_t id = first_session * static_cast<std::int64_t>(id_) + ++sessions_;
    return ask(Grant{id, prng_.between(std::int64_t{1}, stage_.plan.ttl_seconds_max)}, Step::granting);
  }
  wanted_key_ = prefix_of(prng_.below(prefixes)) + std::to_string(session_);
  enter();
}

void Contender::enter() {
  const Put own{.key = wanted_key_, .value = "holder " + std::to_string(id_), .lease = session_};
  Txn txn;
  txn.comparisons.push_back({.keys = {wanted_key_, ""}, .target = CompareTarget::create});
  txn.success = {own, first_of(prefix_of(wanted_key_))};
  txn.failure = {Get{.keys = {wanted_key_, ""}}, first_of(prefix_of(wanted_key_))};
  ask(std::move(txn), Step::entering);
}

void Contender::look() {
  Get get = first_of(prefix_);
  get.is_descending = true;
  get.create_revision_max = create_revision_ - 1;
  ask(std::move(get), Step::looking);
}

void Contender::wait() {
  ASSERT(!blocker_.empty());
  door_ = &doors_.next(*door_, prng_);
  if (!door_->is_open()) return turn_within(Duration::milliseconds(200));
  step_ = Step::waiting;
  until_ = stage_.world.now() + prng_.between(Duration::milliseconds(1), wait_max);
  decide(OpenStream{hands_.watcher_id, door_->number(), false});
  decide(AddWatch{.watcher = hands_.watcher_id, .keys = {blocker_, ""}, .start = seen_revision_});
  turn_within(wait_max);
}

void Contender::confirm() { ask(Get{.keys = {key_, ""}}, Step::confirming); }

void Contender::hold() {
  if (step_ != Step::holding && step_ != Step::proclaiming) {
    until_ = stage_.world.now() + prng_.between(Duration::microseconds(1), stage_.plan.hold_max);
  }
  step_ = Step::holding;
  if (!holds_) {
    end_session();
    return begin();
  }
  if (std::exchange(is_silent_, false)) return ask(Get{.keys = {key_, ""}}, Step::holding);
  if (stage_.world.now() >= until_) return leave();
  if (prng_.chance(1, 3)) return ask(Get{.keys = {key_, ""}}, Step::holding);
  if (prng_.chance(1, 3)) {
    Txn proclamation;
    proclamation.comparisons.push_back(
        {.keys = {key_, ""}, .target = CompareTarget::create, .number = create_revision_});
    proclamation.success = {Put{.key = key_, .value = "leader " + std::to_string(id_), .lease = session_}};
    proclamation.failure = {Get{.keys = {key_, ""}}};
    return ask(std::move(proclamation), Step::proclaiming);
  }
  // Who has not been heard of for longer than its lease lives must look whether it still holds.
  is_silent_ = prng_.chance(1, 6);
  turn_within(is_silent_ ? Duration::seconds(ttl_seconds_ * 2) : until_ - stage_.world.now());
}

void Contender::leave() {
  const std::string key = key_.empty() ? wanted_key_ : key_;
  switch (prng_.below(5)) {
    case 0:
      return ask(Revoke{session_}, Step::leaving);
    case 1: {
      Txn resignation;
      resignation.comparisons.push_back(
          {.keys = {key, ""}, .target = CompareTarget::create, .number = create_revision_});
      resignation.success = {Delete{{key, ""}}};
      return ask(std::move(resignation), Step::leaving);
    }
    case 2:
      // It vanishes: only the end of its lease lets anybody else in.
      end_session();
      step_ = Step::leaving;
      return turn_within(Duration::seconds(ttl_seconds_));
    default:
      return ask(Delete{{key, ""}}, Step::leaving);
  }
}

void Contender::observe() {
  door_ = &doors_.next(*door_, prng_);
  if (!door_->is_open()) return turn_within(Duration::milliseconds(200));
  step_ = Step::observing;
  until_ = stage_.world.now() + prng_.between(Duration::milliseconds(1), stage_.plan.hold_max * 4);
  decide(OpenStream{hands_.watcher_id, door_->number(), false});
  decide(AddWatch{.watcher = hands_.watcher_id, .keys = under(prefix_), .start = seen_revision_ + 1});
  turn_within(until_ - stage_.world.now());
}

void Contender::end_session() {
  session_ = 0;
  forget_key();
}

void Contender::keep() {
  stage_.world.cancel(keeping_ticket_);
  if (!is_at_work() || session_ == 0) return;
  // A third of what the lease lives, as etcd's clients do; now and then too late.
  const Duration third = Duration::milliseconds(ttl_seconds_ * 1'000 / 3);
  keeping_ticket_ = stage_.world.after(prng_.between(third / 2, prng_.chance(1, 12) ? third * 4 : third), keeping_);
  if (!is_silent_ && door_->is_open()) decide(Renew{hands_.keeper_id, door_->number(), session_});
}

}  // namespace metastore::sim
