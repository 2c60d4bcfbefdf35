#include "sim/keeper.h"

#include <utility>

#include "sim/door.h"
#include "sim/wire.h"

namespace metastore::sim {
namespace {

/// Somewhat less than what the shortest leases live, so that they are kept, and now and then lost.
constexpr Duration pause_max = Duration::milliseconds(900);
constexpr Duration silence_max = Duration::seconds(20);

}  // namespace

Keeper::Keeper(Stage& stage, Doors& doors, std::uint64_t id)
    : stage_(stage),
      doors_(doors),
      door_(&doors.first()),
      id_(id),
      name_("keeper " + std::to_string(id)),
      prng_(stage.plan.seed, name_),
      leader_prng_(stage.plan.seed, name_ + " requires a leader") {
  if (!stage.plan.is_scripted && id <= stage.plan.keepers)
    turn_ = stage.world.after(prng_.between(Duration(), stage.plan.think_max), *this);
}

Keeper::~Keeper() { stage_.world.cancel(turn_); }

template <typename Kind>
void Keeper::decide(const Kind& kind) {
  stage_.deeds.add(stage_.world.now(), kind);
  perform(kind);
}

void Keeper::retire() {
  stage_.world.cancel(turn_);
  perform(CloseKeeper{});
}

void Keeper::run() {
  const Duration pause = prng_.chance(1, 40) ? silence_max : pause_max;
  turn_ = stage_.world.after(prng_.between(Duration::microseconds(1), pause), *this);
  const auto& known = stage_.history.leases();
  if (!has_stream()) door_ = &doors_.next(*door_, prng_);
  if (!door_->is_open() || known.empty()) return;
  if (call_ != nullptr && prng_.chance(1, 40)) return decide(CloseKeeper{id_});
  if (lease_ == 0 || prng_.chance(1, 20)) lease_ = known[prng_.below(known.size())];
  for (std::uint64_t count = prng_.chance(1, 10) ? 3 : 1; count > 0; --count) {
    const std::int64_t lease = prng_.chance(1, 5) ? known[prng_.below(known.size())] : lease_;
    const bool opens = !has_stream();
    decide(Renew{id_, door_->number(), lease, opens && leader_prng_.chance(1, 2)});
  }
}

void Keeper::perform(const Renew& renew) {
  if (door_->number() != renew.member) perform(CloseKeeper{});
  door_ = &doors_.of(renew.member);
  if (!door_->is_open()) return;
  if (!has_stream()) {
    call_ = std::make_unique<StreamCall>(*door_, kv::Method::lease_keep_alive, renew.requires_leader, news_);
  }
  call_->read_on(true);
  asked_.push_back(&stage_.history.begin_keep_alive(renew.lease, door_->number(), stage_.world.now()));
  call_->send(encode_keep_alive(renew.lease));
}

void Keeper::perform(const CloseKeeper&) {
  call_.reset();
  asked_.clear();
}

void Keeper::take_news() {
  if (!call_->fault().empty()) stage_.judge.fail({"O10", stage_.world.now(), name_ + ": " + call_->fault()});
  for (const std::string& bytes : call_->take_messages()) {
    const auto message = decode_keep_alive(bytes);
    if (!message || asked_.empty() || asked_.front()->lease != message->lease) {
      return stage_.judge.fail({"O6", stage_.world.now(), name_ + ": an answer to another question than the next one"});
    }
    KeepAlive& asked = *std::exchange(asked_.front(), nullptr);
    asked_.pop_front();
    asked.returned = stage_.world.now();
    asked.ttl_seconds = message->ttl_seconds;
    if (message->ttl_seconds <= 0) gone_ = message->lease;
    stage_.history.saw_revision(message->revision);
  }
  if (call_->is_over()) asked_.clear();
}

}  // namespace metastore::sim
