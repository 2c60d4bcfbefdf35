// A simulated client that watches: it opens a stream with one watch or several, takes what it is told (now and then
// slowly, so that the member has to wait for it), asks for progress, ends watches, goes away, and comes back where it
// was or somewhere else. At the end it asks for progress until it has been told everything. What it was told it writes
// down for the oracle.
#ifndef METASTORE_SIM_WATCHER_H_
#define METASTORE_SIM_WATCHER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/loop.h"
#include "sim/calling.h"
#include "sim/client.h"
#include "sim/deed.h"
#include "sim/stream_call.h"
#include "sim/watch_session.h"
#include "sim/world.h"

namespace metastore::sim {

class Contender;
class Door;
class Doors;

class Watcher final : private port::Task {
 public:
  /// One of the plan's own, or else a contender's, which acts by deeds alone.
  Watcher(Stage& stage, Doors& doors, std::uint64_t id);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void perform(const OpenStream& open);
  void perform(const AddWatch& add);
  void perform(const CancelWatch& cancel);
  void perform(const AskProgress& ask);
  void perform(const ReadStream& read);
  void perform(const CloseStream& close);
  void report_to(Contender& contender) { contender_ = &contender; }
  /// What the watch that it asked for last was told; null once that has ended.
  const WatchSession* session() const { return watches_.empty() ? nullptr : watches_.back().session; }
  /// The workload is over: from now on it only wants to be told everything.
  void retire();
  /// The workload is over, and the watches that are open now have been told everything.
  bool has_concluded() const;

 private:
  bool is_own_master() const { return id_ <= stage_.plan.watchers; }
  struct Watch {
    WatchSession* session = nullptr;
    std::optional<std::int64_t> id;  ///< Once it is created.
    std::int64_t told_up_to = 0;
    bool is_cancel_asked = false;
  };

  /// A response that is not whole yet: what goes on with it comes next on the stream.
  struct Fragments {
    std::int64_t watch_id = 0;
    std::int64_t revision = 0;  ///< The header's.
    std::uint64_t response = 0;
  };

  void run() override;
  void open();
  template <typename Kind>
  void decide(const Kind& kind);
  AddWatch draw_watch();
  void act();
  void close();
  bool has_stream() const { return call_ != nullptr && !call_->is_over(); }
  void take_news();
  void on_message(WatchMessage message);
  void on_progress(const WatchMessage& message);
  void end(Watch& watch);
  Watch* find(std::int64_t id);

  Stage& stage_;
  Doors& doors_;
  Door* door_;  ///< Of the member that it talks to.
  const std::uint64_t id_;
  const std::string name_;
  Prng prng_;
  Prng leader_prng_;  ///< Which streams require a leader.
  Calling<&Watcher::take_news> news_{*this};
  World::Ticket turn_;
  std::unique_ptr<StreamCall> call_;
  std::vector<Watch> watches_;  ///< In the order of asking; those that are open.
  std::optional<std::int64_t> resume_at_;
  Contender* contender_ = nullptr;  ///< Who waits for what it is told.
  std::optional<Fragments> fragments_;
  std::uint64_t responses_ = 0;
  std::uint64_t watches_asked_ = 0;  ///< On this stream.
  bool is_slow_ = false;
  bool is_eager_ = false;  ///< It asks for progress behind every event.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WATCHER_H_
