// The log store on a disk that forgets what was not synced, with the power going at every file operation of a run: of
// the first boot, of its writes, cuts, fills and removed segments, of a second boot, and of the recoveries in between.
// What was acknowledged and no mark stands for must be recovered, and nothing that was never written.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "core/replica/checkpoints.h"
#include "sim/files_sim.h"
#include "storage/engine_memory.h"
#include "storage/log_store.h"
#include "storage/recovery.h"

namespace metastore {
namespace {

constexpr std::uint64_t seeds = 200;

/// What the durable log may look like: the hard state, the entries and up to where a mark stands for them.
struct Log {
  raft::HardState hard_state;
  std::vector<raft::Entry> entries;  ///< From index 1 on.
  LogIndex marked;

  bool is(const raft::Recovered& found) const {
    const auto rest = entries.begin() + static_cast<std::ptrdiff_t>(marked.value());
    return hard_state == found.hard_state && marked == found.compacted.index &&
           std::vector<raft::Entry>(rest, entries.end()) == found.entries;
  }
};

class ManualWorker final : public port::Worker {
 public:
  void submit(port::Job& job) override { job_ = &job; }
  bool busy() const { return job_ != nullptr; }
  void run_one() {
    port::Job& job = *std::exchange(job_, nullptr);
    job.run();
    job.done();
  }

 private:
  port::Job* job_ = nullptr;
};

/// One member's storage through boots and crashes, and what it must still know.
class Storage final : public port::Inbox {
 public:
  Storage(std::uint64_t seed, std::uint64_t crash) : files_(Prng(seed, "disk " + std::to_string(crash))) {
    Prng prng(seed, "limits");
    limits_.wal_segment_bytes = 1 + prng.below(6000);
    limits_.wal_batch_bytes_max = 1 + prng.below(3000);
    limits_.wal_files_kept = prng.below(4);
    new_member_.data_id = seed;
    new_member_.metadata = {MemberId(1), ClusterId(2)};
    new_member_.first.append.push_back({Term(1), LogIndex(1), raft::EntryType::conf_change, Bytes::copy_of("add")});
    new_member_.first.hard_state = raft::HardState{Term(1), MemberId(0), LogIndex(1)};
    issued_.push_back({*new_member_.first.hard_state, new_member_.first.append});
  }

  sim::FilesSim& files() { return files_; }
  bool has_released() { return !files_.exists("member/wal/0000000000000000-0000000000000000.wal"); }

  /// False if the power went.
  bool boot() {
    port::StorageResult<storage::Recovery> recovery = storage::recover(files_, engines_, limits_, new_member_);
    if (!recovery) {
      if (files_.powered()) FAIL(recovery.error().message);
      return false;
    }
    CHECK(recovery.value().identity.data_id == new_member_.data_id);
    CHECK(recovery.value().identity.incarnation > incarnation_);
    incarnation_ = recovery.value().identity.incarnation;
    const raft::Recovered& found = recovery.value().recovered.log;
    std::optional<std::size_t> place;
    for (std::size_t i = issued_.size(); i-- > acknowledged_ && !place;) {
      if (issued_[i].is(found)) place = i;
    }
    if (!place)
      FAIL("acknowledged " << acknowledged_ << " of " << issued_.size() - 1 << ", recovered neither these "
                           << "nor more: " << found.entries.size() << " entries");
    issued_ = {Log(issued_[*place])};
    acknowledged_ = 0;
    store_ = std::make_unique<storage::LogStore>(std::move(recovery.value().wal), limits_, worker_, *this);
    return true;
  }

  /// Does `rounds` of writes and jobs, then all jobs that are left. False if the power went.
  bool work(Prng& prng, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      std::vector<raft::LogWrite> writes;
      for (std::uint64_t count = prng.below(3); writes.size() < count;) writes.push_back(next_write(prng));
      store_->write(std::move(writes));
      for (std::uint64_t jobs = prng.below(3); jobs > 0 && worker_.busy(); --jobs) worker_.run_one();
    }
    while (worker_.busy()) worker_.run_one();
    return files_.powered();
  }

  void power_on() {
    store_.reset();
    worker_ = ManualWorker();
    files_.power_on();
  }

 private:
  /// Like a follower's: it appends, sometimes in place of entries that are not committed, votes, and commits.
  raft::LogWrite next_write(Prng& prng) {
    Log log = issued_.back();
    raft::LogWrite write;
    write.id = LogWriteId(issued_.size());
    if (prng.chance(1, 6))
      log.hard_state = {log.hard_state.term.next(), MemberId(prng.below(3)), log.hard_state.commit};
    if (prng.chance(1, 4) && log.entries.back().term < log.hard_state.term) {
      const std::uint64_t committed = log.hard_state.commit.value();
      log.entries.resize(committed + prng.below(log.entries.size() - committed + 1));
    }
    for (std::uint64_t count = prng.below(4); count > 0; --count) {
      std::string data(prng.chance(1, 5) ? prng.below(2500) : prng.below(40), '\0');
      for (char& c : data) c = static_cast<char>(prng.below(prng.chance(1, 4) ? 1 : 256));
      log.entries.push_back(
          {log.hard_state.term, LogIndex(log.entries.size() + 1), raft::EntryType::normal, Bytes::copy_of(data)});
      write.append.push_back(log.entries.back());
    }
    // What was cut off leaves the durable log only with an entry in its place.
    if (write.append.empty()) log.entries = issued_.back().entries;
    const std::uint64_t uncommitted = log.entries.size() - log.hard_state.commit.value();
    log.hard_state.commit = log.hard_state.commit.plus(prng.below(uncommitted + 1));
    if (log.hard_state != issued_.back().hard_state) write.hard_state = log.hard_state;
    // The engine has nothing that the log could lose.
    const LogIndex committed = issued_[acknowledged_].hard_state.commit;
    if (prng.chance(1, 4) && committed > log.marked) {
      log.marked = log.marked.plus(1 + prng.below(committed.value() - log.marked.value()));
      write.mark = raft::Mark{log.marked, log.entries[log.marked.value() - 1].term, {}};
      std::string value;
      Encoder out(value);
      out.tagged(write.mark->index);
      out.tagged(write.mark->term);
      raft::encode(out, write.mark->conf_state);
      engines_.tables[Table::state][std::string(row_keys::applied)] = value;
    }
    // A mark may be older than the release that it allows.
    if (prng.chance(1, 3)) write.release_to = log.marked;
    issued_.push_back(std::move(log));
    return write;
  }

  void post(Event event) override { acknowledged_ = std::get<LogWritten>(event).id.value(); }
  void storage_failed(const port::StorageError& error) override {
    if (files_.powered()) FAIL(error.message);
  }

  sim::FilesSim files_;
  storage::EnginesMemory engines_;
  Limits limits_;
  storage::NewMember new_member_;
  std::uint64_t incarnation_ = 0;
  std::vector<Log> issued_;       ///< The log after each write since it was last recovered; a write's id is its place.
  std::size_t acknowledged_ = 0;  ///< A place in issued_.
  ManualWorker worker_;
  std::unique_ptr<storage::LogStore> store_;
};

/// The script of a seed: two boots with work behind each. False if the power went.
bool run_script(Storage& storage, std::uint64_t seed) {
  Prng prng(seed, "script");
  return storage.boot() && storage.work(prng, 12) && storage.boot() && storage.work(prng, 6);
}

TEST_CASE("acknowledged entries survive a power cut at every file operation, boot and recovery included") {
  sim::CrashCounts seen;
  std::uint64_t releases = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Storage whole(seed, 0);
    REQUIRE(run_script(whole, seed));
    const std::uint64_t operations = whole.files().operations();
    REQUIRE(operations > 50);
    releases += whole.has_released() ? 1 : 0;
    for (std::uint64_t crash = 1; crash <= operations; ++crash) {
      CAPTURE(crash);
      Storage storage(seed, crash);
      storage.files().power_off_at(crash);
      REQUIRE_FALSE(run_script(storage, seed));
      // The recovery may lose its power as well, and so may the recovery from that.
      Prng prng(seed, "recovery " + std::to_string(crash));
      while (prng.chance(2, 3)) {
        storage.power_on();
        storage.files().power_off_at(storage.files().operations() + 1 + prng.below(40));
        if (storage.boot()) storage.work(prng, 3);
        if (storage.files().powered()) storage.files().power_off();
      }
      storage.power_on();
      storage.files().power_off_at(0);
      REQUIRE(storage.boot());
      REQUIRE(storage.work(prng, 2));
      storage.files().power_off();
      storage.power_on();
      REQUIRE(storage.boot());
      const sim::CrashCounts& counts = storage.files().counts();
      seen.writes_lost += counts.writes_lost;
      seen.writes_torn += counts.writes_torn;
      seen.writes_reordered += counts.writes_reordered;
      seen.sizes_lost += counts.sizes_lost;
      seen.names_lost += counts.names_lost;
    }
  }
  // A fault that never came was not tested.
  CHECK(seen.writes_lost > 1000);
  CHECK(seen.writes_torn > 1000);
  CHECK(seen.writes_reordered > 0);
  CHECK(seen.sizes_lost > 1000);
  CHECK(seen.names_lost > 1000);
  CHECK(releases > seeds / 4);
}

}  // namespace
}  // namespace metastore
