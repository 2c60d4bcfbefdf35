// Ports moved by hand, for tests of the door: a loop whose turns and time the test takes, and a connection whose bytes
// it carries.
#ifndef METASTORE_API_TESTING_PORTS_H_
#define METASTORE_API_TESTING_PORTS_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "core/host/port/member_facts.h"
#include "core/host/port/network.h"

namespace metastore::api::testing {

class HandLoop final : public port::Loop {
 public:
  Instant now() const override { return now_; }
  WallTime wall_now() const override { return {}; }
  std::array<std::uint64_t, 2> entropy() override { return {1, 2}; }
  void run_soon(port::Task& task) override {
    if (std::find(soon_.begin(), soon_.end(), &task) == soon_.end()) soon_.push_back(&task);
  }
  void run_at(port::Task& task, Instant at) override {
    std::erase_if(later_, [&](const auto& entry) { return entry.second == &task; });
    if (at != Instant::never()) later_.emplace_back(at, &task);
  }
  void cancel(port::Task& task) override {
    run_at(task, Instant::never());
    std::erase(soon_, &task);
  }

  /// Runs until no task is due.
  void settle() {
    while (!soon_.empty()) {
      port::Task* task = soon_.front();
      soon_.erase(soon_.begin());
      task->run();
    }
  }
  /// Runs what is due now, and not what comes of it.
  void turn() {
    for (std::size_t due = soon_.size(); due > 0 && !soon_.empty(); --due) {
      port::Task* task = soon_.front();
      soon_.erase(soon_.begin());
      task->run();
    }
  }
  void advance(Duration duration) {
    const Instant end = now_ + duration;
    for (;;) {
      settle();
      const auto next = std::min_element(later_.begin(), later_.end());
      if (next == later_.end() || next->first > end) break;
      const auto [at, task] = *next;
      later_.erase(next);
      now_ = at;
      task->run();
    }
    now_ = end;
  }

 private:
  Instant now_ = Instant::from_nanoseconds(1'000'000'000);
  std::vector<port::Task*> soon_;
  std::vector<std::pair<Instant, port::Task*>> later_;
};

/// What a test sees and does of one connection, which its owner may destroy at any time.
struct Line {
  port::ConnectionUser* user = nullptr;
  std::string written;
  int writes = 0;
  bool writing = false;
  bool paused = false;
  bool shut_down = false;
  bool destroyed = false;

  /// The socket has taken what was written.
  void drain() {
    if (!std::exchange(writing, false)) return;
    user->on_drained();
  }
  std::string take() { return std::exchange(written, {}); }
};

class LineConnection final : public port::Connection {
 public:
  explicit LineConnection(Line& line) : line_(line) {}
  ~LineConnection() override { line_.destroyed = true; }
  void set_user(port::ConnectionUser& user) override { line_.user = &user; }
  void write(std::string bytes) override {
    ASSERT(!line_.writing);
    line_.writing = true;
    ++line_.writes;
    line_.written += bytes;
  }
  void pause_reading(bool paused) override { line_.paused = paused; }
  void shut_down() override { line_.shut_down = true; }
  std::string_view remote_address() const override { return "127.0.0.1:1"; }

 private:
  Line& line_;
};

class HandInbox final : public port::Inbox {
 public:
  void post(Event event) override {
    if (auto* request = std::get_if<ClientRequest>(&event)) {
      requests.push_back(std::move(*request));
    } else {
      stream_events.push_back(std::move(event));
    }
  }
  void storage_failed(const port::StorageError&) override { UNREACHABLE(); }
  std::vector<ClientRequest> requests;
  std::vector<Event> stream_events;
};

class HandFacts final : public port::MemberFacts {
 public:
  bool has_leader() const override { return leader; }
  bool is_learner() const override { return learner; }
  std::vector<std::string> alarms() const override { return raised; }
  port::Versions versions() const override { return known; }
  std::string metrics() const override { return "counted 1\n"; }
  bool leader = true;
  bool learner = false;
  std::vector<std::string> raised;
  port::Versions known{"3.7.1", "3.7.0", "3.7.0"};
};

}  // namespace metastore::api::testing

#endif  // METASTORE_API_TESTING_PORTS_H_
