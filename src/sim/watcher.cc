#include "sim/watcher.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "sim/contender.h"
#include "sim/door.h"
#include "sim/wire.h"

namespace metastore::sim {
namespace {

constexpr Duration final_pause = Duration::milliseconds(20);
/// Leases may end long after everything else has, and bring more events.
constexpr Duration concluded_pause = Duration::milliseconds(500);
/// Ids that clients pick begin here, above those that the member picks.
constexpr std::int64_t first_picked_id = 1'000;
/// The watch of a response that speaks of all watches of its stream.
constexpr std::int64_t every_watch = -1;

}  // namespace

Watcher::Watcher(Stage& stage, Doors& doors, std::uint64_t id)
    : stage_(stage),
      doors_(doors),
      door_(&doors.first()),
      id_(id),
      name_("watcher " + std::to_string(id)),
      prng_(stage.plan.seed, name_),
      leader_prng_(stage.plan.seed, name_ + " requires a leader") {
  if (!stage.plan.is_scripted && is_own_master())
    turn_ = stage.world.after(prng_.between(Duration(), stage.plan.think_max), *this);
}

Watcher::~Watcher() { stage_.world.cancel(turn_); }

bool Watcher::has_concluded() const {
  if (!is_own_master()) return watches_.empty();
  return stage_.is_final && !watches_.empty() && std::all_of(watches_.begin(), watches_.end(), [&](const Watch& watch) {
           return watch.told_up_to >= stage_.history.newest_revision();
         });
}

void Watcher::run() {
  const Duration pause = has_concluded()   ? concluded_pause
                         : stage_.is_final ? final_pause
                                           : std::max(stage_.plan.think_max * 4, final_pause);
  turn_ = stage_.world.after(prng_.between(Duration::microseconds(1), pause), *this);
  if (door_->is_out_of_reach()) close();
  if (!has_stream()) door_ = &doors_.next(*door_, prng_);
  if (!door_->is_open()) return;
  if (!has_stream()) {
    open();
  } else {
    act();
  }
}

template <typename Kind>
void Watcher::decide(const Kind& kind) {
  // How it gets to its end follows from where it is.
  if (!stage_.is_final) stage_.deeds.add(stage_.world.now(), kind);
  perform(kind);
}

void Watcher::retire() {
  if (!is_own_master()) return close();
  stage_.world.cancel(turn_);
  // What is drawn from here on shall not depend on how the run came here.
  prng_ = Prng(stage_.plan.seed, name_ + " at the end");
  leader_prng_ = Prng(stage_.plan.seed, name_ + " requires a leader at the end");
  // Nor on whom it would have asked next.
  if (!has_stream()) door_ = &doors_.of(1);
  turn_ = stage_.world.after(prng_.between(Duration(), final_pause), *this);
}

AddWatch Watcher::draw_watch() {
  AddWatch watch{.watcher = id_, .keys = all_keys()};
  const auto key = [&] { return "key/" + std::to_string(prng_.below(stage_.plan.keys)); };
  if (prng_.chance(1, 3)) watch.keys = {key(), ""};
  if (prng_.chance(1, 4)) watch.keys = {key(), std::string(1, '\0')};
  const std::int64_t newest = stage_.history.newest_revision();
  if (resume_at_.has_value() && prng_.chance(2, 3)) {
    watch.start = *resume_at_;
  } else if (prng_.chance(1, 2)) {
    watch.start = prng_.between(std::int64_t{1}, newest + 3);
  }
  if (const Traffic& traffic = stage_.workload.traffic();
      stage_.plan.traffic_percent > 0 && traffic.listed_revision() > 0 && prng_.chance(1, 2)) {
    // Whoever has listed watches from there on.
    watch.keys = Traffic::objects();
    watch.start = traffic.listed_revision() + 1;
  }
  if (stage_.is_final && watch.start > newest) watch.start = 0;
  watch.wants_previous = prng_.chance(1, 2);
  watch.without_puts = prng_.chance(1, 8);
  watch.without_deletes = prng_.chance(1, 8);
  watch.wants_fragments = prng_.chance(1, 3);
  watch.wants_progress = prng_.chance(1, 3);
  if (prng_.chance(1, 4)) watch.id = first_picked_id + static_cast<std::int64_t>(watches_asked_);
  return watch;
}

void Watcher::open() {
  const bool is_eager = prng_.chance(1, 4);
  decide(OpenStream{id_, door_->number(), is_eager, leader_prng_.chance(1, 2)});
  const std::uint64_t count = prng_.chance(1, 2) ? 1 : prng_.between(std::uint64_t{1}, watches_a_stream_max);
  while (watches_asked_ < count) decide(draw_watch());
}

void Watcher::perform(const OpenStream& open) {
  if (call_ != nullptr) close();
  door_ = &doors_.of(open.member);
  if (!door_->is_open()) return;
  call_ = std::make_unique<StreamCall>(*door_, kv::Method::watch, open.requires_leader, news_);
  is_slow_ = false;
  is_eager_ = open.is_eager;
  fragments_.reset();
  responses_ = 0;
  watches_asked_ = 0;
}

void Watcher::perform(const AddWatch& add) {
  if (!has_stream() || watches_asked_ == watches_a_stream_max) return;
  WatchSession& session = stage_.judge.begin_watch({.watcher = id_,
                                                    .opened = stage_.world.now(),
                                                    .keys = add.keys,
                                                    .asked_start = add.start,
                                                    .wants_previous = add.wants_previous,
                                                    .without_puts = add.without_puts,
                                                    .without_deletes = add.without_deletes,
                                                    .wants_fragments = add.wants_fragments,
                                                    .wants_progress = add.wants_progress,
                                                    .asked_id = add.id});
  ++watches_asked_;
  watches_.push_back({&session, {}});
  call_->send(encode_watch(session));
}

void Watcher::perform(const CancelWatch&) {
  if (!has_stream() || watches_.empty() || !watches_.front().id) return;
  watches_.front().is_cancel_asked = true;
  call_->send(encode_watch_cancel(*watches_.front().id));
}

void Watcher::perform(const AskProgress&) {
  if (has_stream()) call_->send(encode_progress_request());
}

void Watcher::perform(const ReadStream& read) {
  if (call_ == nullptr) return;
  is_slow_ = !read.wants_more;
  call_->read_on(read.wants_more);
}

void Watcher::perform(const CloseStream&) { close(); }

void Watcher::act() {
  if (watches_.empty()) return decide(CloseStream{id_});
  bool is_slow = is_slow_;
  if (stage_.is_final) {
    // One that waits for the future is never told of progress.
    const std::int64_t newest = stage_.history.newest_revision();
    if (std::any_of(watches_.begin(), watches_.end(),
                    [&](const Watch& watch) { return watch.session->asked_start > newest + 1; })) {
      return decide(CloseStream{id_});
    }
    is_slow = false;
    if (!has_concluded()) decide(AskProgress{id_});
  } else if (prng_.chance(1, 40)) {
    return decide(CloseStream{id_});
  } else if (prng_.chance(1, 20)) {
    is_slow = !is_slow;
  } else if (prng_.chance(1, 20)) {
    decide(AskProgress{id_});
  } else if (prng_.chance(1, 20) && watches_asked_ < watches_a_stream_max) {
    decide(draw_watch());
  } else if (prng_.chance(1, 40) && watches_.front().id) {
    decide(CancelWatch{id_});
  }
  decide(ReadStream{id_, !is_slow});
}

void Watcher::close() {
  call_.reset();
  for (Watch& watch : watches_) end(watch);
  watches_.clear();
}

void Watcher::end(Watch& watch) {
  watch.session->is_open = false;
  if (watch.session->created_revision != 0) resume_at_ = watch.session->next();
}

Watcher::Watch* Watcher::find(std::int64_t id) {
  const auto found =
      std::find_if(watches_.begin(), watches_.end(), [id](const Watch& watch) { return watch.id == id; });
  return found == watches_.end() ? nullptr : &*found;
}

void Watcher::take_news() {
  if (!call_->fault().empty()) stage_.judge.fail({"O10", stage_.world.now(), name_ + ": " + call_->fault()});
  bool has_events = false;
  for (const std::string& bytes : call_->take_messages()) {
    auto message = decode_watch_message(bytes);
    if (!message.has_value()) {
      return stage_.judge.fail({"protocol", stage_.world.now(), name_ + ": a response that does not decode"});
    }
    has_events = has_events || !message->events.empty();
    on_message(std::move(*message));
  }
  // Nobody tells it to read on.
  if (!is_own_master()) call_->read_on(true);
  if (!call_->is_over()) {
    if (has_events && is_eager_ && door_->is_open()) perform(AskProgress{id_});
    if (contender_ != nullptr) contender_->on_news();
    return;
  }
  for (Watch& watch : watches_) end(watch);
  watches_.clear();
  if (contender_ != nullptr) contender_->on_news();
}

void Watcher::on_message(WatchMessage message) {
  ++responses_;
  const auto wrong = [&](const std::string& what) {
    stage_.judge.fail({"O5", stage_.world.now(), name_ + ": " + what});
  };
  if (fragments_ && (message.watch_id != fragments_->watch_id || message.revision != fragments_->revision ||
                     message.events.empty())) {
    return wrong("something else in the middle of a response");
  }
  if (message.is_created) {
    const auto next = std::find_if(watches_.begin(), watches_.end(), [](const Watch& watch) { return !watch.id; });
    if (next == watches_.end()) return wrong("a watch was created that nobody asked for");
    if (message.is_canceled) return wrong("refused: " + message.cancel_reason);
    if (find(message.watch_id) != nullptr) return wrong("two watches have one id");
    if (next->session->asked_id != 0 && message.watch_id != next->session->asked_id) return wrong("it has another id");
    next->id = message.watch_id;
    next->session->created_revision = message.revision;
    return;
  }
  if (message.watch_id == every_watch) return on_progress(message);
  Watch* const watch = find(message.watch_id);
  if (watch == nullptr) return wrong("a response for a watch that is not open");
  WatchSession& session = *watch->session;
  if (message.is_canceled) {
    if (message.compact_revision == 0 && !watch->is_cancel_asked) return wrong("canceled for no reason");
    end(*watch);
    if (message.compact_revision != 0) {
      session.compact_revision = message.compact_revision;
      resume_at_ = message.compact_revision;
    }
    watches_.erase(watches_.begin() + (watch - watches_.data()));
    return;
  }
  if (message.events.empty()) {
    if (!session.wants_progress) return wrong("an empty response");
    return on_progress(message);
  }
  if (message.revision < message.events.back().kv.mod_revision) return wrong("a header behind its events");
  if (message.is_fragment && !session.wants_fragments) return wrong("a fragment that nobody asked for");
  stage_.history.saw_revision(message.revision);
  // What goes on with a fragment counts as one response with it.
  const Fragments whole = fragments_.value_or(Fragments{message.watch_id, message.revision, responses_});
  fragments_ = message.is_fragment ? std::optional(whole) : std::nullopt;
  if (message.is_fragment) ++session.fragments;
  for (WatchEvent& event : message.events) {
    event.response = whole.response;
    session.events.push_back(std::move(event));
  }
}

void Watcher::on_progress(const WatchMessage& message) {
  stage_.history.saw_revision(message.revision);
  for (Watch& watch : watches_) {
    if (!watch.id || (message.watch_id != every_watch && watch.id != message.watch_id)) continue;
    watch.session->progress.push_back({watch.session->events.size(), message.revision});
    watch.told_up_to = message.revision;
  }
}

}  // namespace metastore::sim
