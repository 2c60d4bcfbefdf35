// Several replicas in one thread, each with a disk of its own, on a network that whoever drives them may cut. Messages
// arrive at once and in order; time passes only when there is nothing else to do. The same every time.
#ifndef METASTORE_CORE_REPLICA_CLUSTER_DRIVER_TEST_H_
#define METASTORE_CORE_REPLICA_CLUSTER_DRIVER_TEST_H_

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/replica/driver_test.h"

namespace metastore::testing {

class Cluster {
 public:
  /// Members 1 to `count`, which make a new cluster. `base` gives everything but what tells them apart.
  explicit Cluster(std::uint64_t count, const Config& base = test_config()) : base_(base) {
    Recovered recovered;
    std::vector<Member> members;
    for (std::uint64_t n = 1; n <= count; ++n)
      members.push_back({.id = MemberId(n), .name = name(n), .peer_urls = {url(n)}});
    recovered.log.entries = bootstrap_entries(members);
    recovered.log.hard_state = {Term(1), MemberId(), LogIndex(count)};
    for (std::uint64_t n = 1; n <= count; ++n) {
      Recovered own;
      own.log = recovered.log;
      start(n, std::move(own));
    }
  }

  /// One that the others have added, and that has nothing yet.
  void join(MemberId id) { start(id.value(), Recovered()); }

  Driver& at(std::uint64_t n) { return *nodes_.at(MemberId(n)); }
  bool is_up(std::uint64_t n) const { return nodes_.at(MemberId(n)) != nullptr; }
  std::vector<std::uint64_t> up() const {
    std::vector<std::uint64_t> all;
    for (const auto& [id, driver] : nodes_) {
      if (driver != nullptr) all.push_back(id.value());
    }
    return all;
  }

  /// The member that all who are connected follow; 0 if there is none such.
  std::uint64_t leader() const {
    std::uint64_t leader = 0;
    for (const auto& [id, driver] : nodes_) {
      if (driver == nullptr || isolated.contains(id.value())) continue;
      const std::uint64_t followed = driver->replica.status().leader.value();
      if (followed == 0 || (leader != 0 && followed != leader)) return 0;
      leader = followed;
    }
    return leader != 0 && is_up(leader) ? leader : 0;
  }
  std::uint64_t follower() const {
    for (const std::uint64_t n : up()) {
      if (n != leader() && !isolated.contains(n)) return n;
    }
    return 0;
  }

  /// At once: the next turn of that member has it.
  void post(std::uint64_t n, Event event) { inboxes_[MemberId(n)].push_back(std::move(event)); }
  void ask(std::uint64_t n, std::uint64_t id, kv::Method method, Bytes message) {
    post(n, ClientRequest{RequestId(id), method, std::move(message), Instant::never()});
  }

  /// Until `is_done`, for `most` at the most. Returns whether it is.
  bool run_until(const std::function<bool()>& is_done, Duration most = Duration::seconds(20)) {
    const Instant end = now_ + most;
    while (!is_done()) {
      if (turn_all()) continue;
      Instant next = end;
      for (const std::uint64_t n : up()) next = std::min(next, at(n).wake_at);
      if (next >= end) {
        set_now(end);
        while (turn_all()) continue;
        return is_done();
      }
      set_now(std::max(next, now_));
    }
    return true;
  }
  void run(Duration time) {
    run_until([] { return false; }, time);
  }
  /// Until somebody leads and everybody serves.
  void begin() {
    REQUIRE(run_until([this] {
      return leader() != 0 && std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
               return node.second == nullptr || node.second->replica.status().is_published;
             });
    }));
  }

  /// What it had not written is lost.
  void crash(std::uint64_t n) {
    Driver& driver = at(n);
    driver.log.resize(driver.written);
    Disk& disk = disks_[MemberId(n)];
    disk.recovered = driver.recovered_with_image();
    disk.rows = std::move(driver.rows);
    nodes_.at(MemberId(n)).reset();
    inboxes_.erase(MemberId(n));
  }
  /// With which the member starts next.
  Config& config(std::uint64_t n) { return configs_.at(MemberId(n)); }
  void restart(std::uint64_t n) {
    Config& config = configs_.at(MemberId(n));
    ++config.incarnation;
    Disk& disk = disks_.at(MemberId(n));
    nodes_.at(MemberId(n)) = std::make_unique<Driver>(config, std::move(disk.recovered), now_);
    at(n).rows = std::move(disk.rows);
  }

  /// Of a member that is down.
  Recovered& disk(std::uint64_t n) { return disks_.at(MemberId(n)).recovered; }

  /// The answer to a request of this member.
  template <typename Message>
  std::optional<Message> answer(std::uint64_t n, std::uint64_t id) {
    return at(n).answer<Message>(id);
  }

  Instant now() const { return now_; }

  std::set<std::uint64_t> isolated;  ///< Their messages vanish, both ways.
  bool settles = true;               ///< In its turn a member does all that it has to do, not one step.
  bool repeats = false;              ///< Every message comes twice.
  /// If set, it sees every message, and those for which it is true vanish.
  std::function<bool(const raft::Envelope&)> loses;

 private:
  static std::string name(std::uint64_t n) { return "m" + std::to_string(n); }
  static std::string url(std::uint64_t n) { return "http://p" + std::to_string(n); }

  void start(std::uint64_t n, Recovered recovered) {
    Config config = base_;
    config.member = MemberId(n);
    config.seed = n;
    config.name = name(n);
    config.client_urls = {"http://c" + std::to_string(n)};
    configs_[MemberId(n)] = config;
    nodes_[MemberId(n)] = std::make_unique<Driver>(config, std::move(recovered), now_);
  }
  void set_now(Instant now) {
    now_ = now;
    for (const std::uint64_t n : up()) at(n).now = now;
  }
  /// Whether there was anything to do.
  bool turn_all() {
    bool has_worked = false;
    for (auto& [id, driver] : nodes_) {
      if (driver == nullptr) continue;
      std::vector<Event> events = std::exchange(inboxes_[id], {});
      if (driver->written < driver->log.size()) {
        events.push_back(LogWritten{driver->log.back().id});
        driver->written = driver->log.size();
      }
      if (events.empty() && driver->wake_at > now_) continue;
      has_worked = true;
      driver->turn(std::move(events));
      if (settles) driver->settle();
      for (raft::Envelope& message : std::exchange(driver->sent, {})) {
        const auto to = nodes_.find(message.to);
        if (to == nodes_.end() || to->second == nullptr) continue;
        if (isolated.contains(id.value()) || isolated.contains(message.to.value())) continue;
        if (loses && loses(message)) continue;
        if (repeats) inboxes_[message.to].push_back(PeerMessage{message});
        inboxes_[message.to].push_back(PeerMessage{std::move(message)});
      }
    }
    return has_worked;
  }

  const Config base_;
  Instant now_ = Instant::from_nanoseconds(1'000'000'000);
  std::map<MemberId, Config> configs_;
  std::map<MemberId, std::unique_ptr<Driver>> nodes_;  ///< Null while the member is down.
  std::map<MemberId, std::vector<Event>> inboxes_;
  struct Disk {
    Recovered recovered;
    Driver::Rows rows;
  };
  std::map<MemberId, Disk> disks_;
};

}  // namespace metastore::testing

#endif  // METASTORE_CORE_REPLICA_CLUSTER_DRIVER_TEST_H_
