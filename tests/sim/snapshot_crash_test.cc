// A snapshot that takes the place of a member's state on a disk that forgets what was not synced, with the power going
// at every file operation, those of the next boots included: log and engine always fit, and tell of the former state
// or of the snapshot, and of the snapshot once its mark was acknowledged.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "core/replica/checkpoints.h"
#include "sim/engine_sim.h"
#include "sim/files_sim.h"
#include "storage/recovery.h"

namespace metastore {
namespace {

constexpr std::uint64_t seeds = 20;

raft::Mark mark_at(std::uint64_t index, std::uint64_t term) {
  return {LogIndex(index), Term(term), {{MemberId(1), MemberId(2)}, {}, {}, {}, false}};
}

Bytes rows_of(const raft::Mark& applied, const std::string& cluster_version) {
  mvcc::Store store;
  RowWriter rows;
  put_revisions(rows, store);
  put_cluster_version(rows, cluster_version);
  put_applied(rows, applied);
  return rows.take();
}

class Storage {
 public:
  Storage(std::uint64_t seed, std::uint64_t crash)
      : prng_(seed, "script"), files_(Prng(seed, "disk " + std::to_string(crash))) {
    Prng limits(seed, "limits");
    limits_.wal_segment_bytes = 1 + limits.below(2'000);
    limits_.wal_files_kept = 1 + limits.below(3);
    new_member_.data_id = seed;
    new_member_.metadata = {MemberId(1), ClusterId(2)};
    new_member_.first.append.push_back({Term(1), LogIndex(1), raft::EntryType::conf_change, Bytes::copy_of("add")});
    new_member_.first.hard_state = raft::HardState{Term(1), MemberId(0), LogIndex(1)};
  }

  sim::FilesSim& files() { return files_; }
  std::uint64_t finished() const { return finished_; }

  /// False if the power went.
  bool boot() {
    recovery_.reset();
    port::StorageResult<storage::Recovery> recovery = storage::recover(files_, engines_, limits_, new_member_);
    if (!recovery) {
      if (files_.powered()) FAIL(recovery.error().message);
      return false;
    }
    const Recovered& found = recovery.value().recovered;
    const raft::Mark applied = found.image ? found.image->applied : raft::Mark{};
    const bool is_new = applied.index >= snapshot_.index && snapshot_.index != LogIndex();
    CHECK((is_new || !must_be_new_));
    CHECK(applied.index >= acknowledged_);
    if (is_new && snapshot_.index > former_) {
      CHECK(found.image->cluster_version == "new");
      CHECK(found.log.compacted.index >= snapshot_.index);
      CHECK(found.log.compacted.conf_state == snapshot_.conf_state);
      if (!is_installed_) ++finished_;
      former_ = snapshot_.index;
    }
    CHECK_FALSE(files_.exists("member/db/staged"));
    snapshot_ = {};
    must_be_new_ = is_installed_ = false;
    last_ = found.log.entries.empty() ? found.log.compacted.index : found.log.entries.back().index;
    term_ = std::max(found.log.hard_state.term, Term(1));
    recovery_ = std::move(recovery).value();
    return true;
  }

  /// Entries, a checkpoint, a snapshot, and entries behind it. False if the power went.
  bool work() {
    storage::Wal& wal = *recovery_->wal;
    port::Engine& engine = *recovery_->engine;
    if (!append(wal, 1 + prng_.below(4))) return false;
    if (!engine.write({last_, rows_of(mark_at(last_.value(), term_.value()), "old")})) return false;
    former_ = acknowledged_ = last_;
    if (!append(wal, prng_.below(3))) return false;

    auto staged = engine.stage();
    if (!staged) return false;
    RowWriter part;
    put_lease(part, LeaseId(5), 60, 0);
    if (!staged.value()->write({LogIndex(), part.take()})) return false;
    // It may stand before the end of the log, whose entries differ then.
    term_ = term_.next();
    const raft::Mark snapshot = mark_at(former_.value() + 1 + prng_.below(20), term_.value());
    if (!staged.value()->write({LogIndex(), rows_of(snapshot, "new")})) return false;
    if (!staged.value()->check()) return false;
    snapshot_ = snapshot;
    raft::LogWrite write;
    write.hard_state = raft::HardState{term_, MemberId(), snapshot.index};
    write.mark = snapshot;
    if (!wal.append({&write, 1})) return false;
    must_be_new_ = true;
    last_ = snapshot.index;
    if (!append(wal, prng_.below(3))) return false;
    if (!engine.install(std::move(staged).value())) return false;
    is_installed_ = true;
    acknowledged_ = snapshot.index;
    return append(wal, prng_.below(3));
  }

  void power_on() {
    recovery_.reset();
    files_.power_on();
  }

 private:
  bool append(storage::Wal& wal, std::uint64_t count) {
    for (; count > 0; --count) {
      raft::LogWrite write;
      last_ = last_.next();
      write.append.push_back({term_, last_, raft::EntryType::normal, Bytes::copy_of(std::string(100, 'x'))});
      write.hard_state = raft::HardState{term_, MemberId(), must_be_new_ ? snapshot_.index : former_};
      if (!wal.append({&write, 1})) return false;
      while (wal.wants_upkeep()) {
        if (!wal.upkeep()) return false;
      }
    }
    return files_.powered();
  }

  Prng prng_;
  sim::FilesSim files_;
  sim::EnginesSim engines_{files_};
  Limits limits_;
  storage::NewMember new_member_;
  std::optional<storage::Recovery> recovery_;
  LogIndex last_;
  Term term_{1};
  LogIndex former_{1};     ///< Of the state before the snapshot.
  LogIndex acknowledged_;  ///< Less than this the engine may not have.
  raft::Mark snapshot_;    ///< Staged, checked, and maybe more.
  bool must_be_new_ = false;
  bool is_installed_ = false;
  std::uint64_t finished_ = 0;  ///< How often a boot had to install it.
};

bool run_script(Storage& storage) { return storage.boot() && storage.work() && storage.boot() && storage.work(); }

TEST_CASE("the simulated engine opens again, though it was written without any rows") {
  sim::FilesSim files(Prng(1, "disk"));
  REQUIRE(files.create_directory("member"));
  sim::EnginesSim engines(files);
  for (int times = 0; times < 2; ++times) {
    auto engine = engines.open();
    REQUIRE(engine);
    CHECK(engine.value()->write({LogIndex(), RowWriter().take()}));
  }
  CHECK(engines.counts().reopened == 1);
}

TEST_CASE("the simulated engine opens again after two writes that failed, one behind the other, wherever that was") {
  constexpr std::uint64_t operations = 16;
  for (std::uint64_t first = 1; first <= operations; ++first) {
    for (std::uint64_t second = 1; second <= operations; ++second) {
      CAPTURE(first);
      CAPTURE(second);
      sim::FilesSim files(Prng(first * operations + second, "disk"));
      REQUIRE(files.create_directory("member"));
      REQUIRE(files.sync_directory(""));
      sim::EnginesSim engines(files);
      for (const std::uint64_t failing : {std::uint64_t{0}, first, second}) {
        auto engine = engines.open();
        REQUIRE_MESSAGE(engine, engine.error().message);
        if (failing > 0) files.break_at(files.operations() + failing, sim::DiskFault::write_error);
        RowWriter writer;
        writer.put(Table::state, "row", std::to_string(failing));
        const bool is_written = engine.value()->write({LogIndex(), writer.take()}).ok();
        CHECK((failing > 0 || is_written));
        engine.value().reset();
        if (files.has_broken()) files.power_off(), files.power_on();
        files.repair();
      }
      CHECK(engines.open());
    }
  }
}

TEST_CASE("a power cut at any operation of a snapshot's installation leaves the former state or the snapshot") {
  std::uint64_t finished = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Storage whole(seed, 0);
    REQUIRE(run_script(whole));
    const std::uint64_t operations = whole.files().operations();
    for (std::uint64_t crash = 1; crash <= operations; ++crash) {
      CAPTURE(crash);
      Storage storage(seed, crash);
      storage.files().power_off_at(crash);
      REQUIRE_FALSE(run_script(storage));
      Prng prng(seed, "recovery " + std::to_string(crash));
      while (prng.chance(2, 3)) {
        storage.power_on();
        storage.files().power_off_at(storage.files().operations() + 1 + prng.below(60));
        if (storage.boot()) storage.work();
        if (storage.files().powered()) storage.files().power_off();
      }
      storage.power_on();
      storage.files().power_off_at(0);
      REQUIRE(storage.boot());
      REQUIRE(storage.work());
      storage.files().power_off();
      storage.power_on();
      REQUIRE(storage.boot());
      finished += storage.finished();
    }
  }
  // The way that only a power cut takes.
  CHECK(finished > seeds);
}

}  // namespace
}  // namespace metastore
