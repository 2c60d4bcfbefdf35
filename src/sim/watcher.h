// A simulated client that watches: it opens a stream, takes what it is told (now and then slowly, so that the member
// has to wait for it), goes away, and comes back where it was or somewhere else. At the end it asks for progress until
// it has been told everything. What it was told it writes down for the oracle.
#ifndef METASTORE_SIM_WATCHER_H_
#define METASTORE_SIM_WATCHER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/prng.h"
#include "core/base/tagged.h"
#include "core/host/port/loop.h"
#include "core/replica/effects.h"
#include "sim/client.h"
#include "sim/watch_session.h"
#include "sim/world.h"

namespace metastore::sim {

class Door;

class Watcher final : private port::Task {
 public:
  Watcher(Stage& stage, Door& door, std::uint64_t id);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// The workload is over, and the watch that is open now has been told everything.
  bool has_concluded() const { return stage_.is_final && told_up_to_ >= stage_.history.newest_revision(); }

  /// Told by the door.
  void on_chunk(const Chunk& chunk);
  void on_end();

 private:
  void run() override;
  void open();
  void act();
  void close();
  void drain();
  void on_message(const WatchMessage& message);
  WatchSession draw_session();

  Stage& stage_;
  Door& door_;
  const std::string name_;
  Prng prng_;
  World::Ticket turn_;
  std::optional<RequestId> stream_;
  WatchSession* session_ = nullptr;
  std::optional<std::int64_t> resume_at_;
  std::string bytes_;  ///< Of the message that is coming in.
  std::uint64_t message_bytes_ = 0;
  std::uint64_t message_bytes_max_ = 0;
  std::uint64_t undrained_bytes_ = 0;
  std::uint64_t responses_ = 0;
  bool is_slow_ = false;
  std::int64_t told_up_to_ = 0;  ///< By the watch that is open.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WATCHER_H_
