// The real LMDB under power cuts: seeds of drawn checkpoints through our engine, cut at every operation on the disk,
// recovered by the engine and compared with the engine in memory. What was answered as durable must be there, all of a
// checkpoint or nothing, and nothing else; now and then another engine takes its place, as a snapshot does.
// `power_cuts SEEDS` prints what was done; `power_cuts SEEDS lying-disk` must find violations.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "storage/engine_lmdb.h"
#include "storage/engine_memory.h"
#include "storage/schema.h"
#include "tests/engine/power_rig.h"

namespace metastore::rig {
namespace {

using Contents = std::map<std::pair<Table, std::string>, std::string>;

constexpr int rounds = 6;
/// A forked check costs as much as a whole run; one in so many boots has it, but for disks that lie.
constexpr std::uint64_t forked_of = 16;

std::string key_of(std::uint64_t number) {
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (8 * (7 - i)));
  return key;
}

struct Collector final : port::RowVisitor {
  Collector(Table table_, Contents& contents_) : table(table_), contents(contents_) {}
  port::StorageStatus row(BytesView key, BytesView value) override {
    contents.emplace(std::pair(table, std::string(key)), value);
    return Done{};
  }
  Table table;
  Contents& contents;
};

port::StorageResult<Contents> contents_of(port::Engine& engine) {
  Contents contents;
  for (const Table table : storage::tables) {
    Collector collector(table, contents);
    if (const auto status = engine.read(table, collector); !status) return status.error();
  }
  return contents;
}

/// Records come in order and go from the front, as revisions do; the small tables change in place.
Checkpoint draw(Prng& prng, std::uint64_t& records) {
  RowWriter rows;
  const auto value = [&prng] {
    const std::uint64_t kind = prng.below(40);
    const std::uint64_t size = kind == 0 ? prng.below(400'000) : kind < 6 ? prng.below(20'000) : prng.below(400);
    return std::string(size, static_cast<char>('a' + prng.below(26)));
  };
  for (std::uint64_t count = prng.below(12); count > 0; --count) {
    rows.put(Table::records, key_of(++records), value());
    if (prng.chance(1, 2)) rows.erase(Table::records, key_of(1 + prng.below(records)));
  }
  for (std::uint64_t count = prng.below(4); count > 0; --count) {
    const Table table = storage::tables[prng.below(storage::tables.size())];
    const std::string key = key_of(prng.below(1000));
    if (prng.chance(1, 3)) {
      rows.erase(table, key);
    } else if (table != Table::records) {
      rows.put(table, key, value());
    }
  }
  rows.put(Table::state, "applied", std::to_string(prng.below(1'000'000)));
  return {LogIndex(1), rows.take()};
}

class Run {
 public:
  Run(std::uint64_t seed, std::uint64_t cut, bool lies)
      : disk_(Prng(seed, "disk " + std::to_string(cut))), prng_(seed, "checkpoints"), lies_(lies) {
    if (lies) disk_.lie();
    disk_.power_off_at(cut);
  }

  Disk& disk() { return disk_; }

  /// Why the engine cannot be what it was left as, or nothing. Leaves it open if the power stayed.
  std::optional<std::string> boot(bool is_forked) {
    engine_.reset();
    storage::EnginesLmdb engines(disk_, std::string(Disk::root),
                                 {.file_bytes_max = 64 << 20, .checks_in_child = is_forked || lies_});
    auto opened = engines.open();
    if (!opened) return disk_.powered() ? std::optional(opened.error().message) : std::nullopt;
    const port::StorageResult<Contents> found = contents_of(*opened.value());
    if (!found) return disk_.powered() ? std::optional(found.error().message) : std::nullopt;
    const bool is_after = after_ && found.value() == *after_;
    if (!is_after && found.value() != durable_) return "the rows are those of no checkpoint that may be there";
    if (is_after) durable_ = *after_;
    after_.reset();
    engine_ = std::move(opened).value();
    const std::optional<Contents> staged = std::exchange(staged_, std::nullopt);
    return staged.has_value() && !is_after ? finish_install(*staged) : std::nullopt;
  }

  /// Writes until the power goes, or so many checkpoints.
  std::optional<std::string> work(int count) {
    for (; count > 0 && disk_.powered() && engine_ != nullptr; --count) {
      if (prng_.chance(1, 4)) {
        if (auto why = replace()) return why;
        continue;
      }
      const Checkpoint checkpoint = draw(prng_, records_);
      // The twin does the same to what is durable.
      storage::EnginesMemory twin;
      for (const auto& [name, value] : durable_) twin.tables[name.first][name.second] = value;
      const auto twin_engine = twin.open();
      if (!twin_engine.value()->write(checkpoint)) return std::string("the engine in memory failed");
      after_ = contents_of(*twin_engine.value()).value();
      const port::StorageStatus status = engine_->write(checkpoint);
      if (!status) return disk_.powered() ? std::optional(status.error().message) : std::nullopt;
      // Answered: from here on it must be there.
      durable_ = std::move(*after_);
      after_.reset();
    }
    return std::nullopt;
  }

  void power_on() {
    engine_.reset();
    disk_.power_on();
  }

 private:
  /// Another engine is filled beside this one, and takes its place.
  std::optional<std::string> replace() {
    const auto failed = [this](const port::StorageError& error) {
      return disk_.powered() ? std::optional(error.message) : std::nullopt;
    };
    auto staged = engine_->stage();
    if (!staged) return failed(staged.error());
    storage::EnginesMemory twin;
    const auto twin_engine = twin.open();
    for (std::uint64_t parts = 1 + prng_.below(3); parts > 0; --parts) {
      const Checkpoint part = draw(prng_, records_);
      if (!twin_engine.value()->write(part)) return std::string("the engine in memory failed");
      if (const auto status = staged.value()->write(part); !status) return failed(status.error());
    }
    if (const auto status = staged.value()->check(); !status) return failed(status.error());
    if (prng_.chance(1, 4)) {
      const port::StorageStatus status = engine_->drop_staged();
      return status ? std::nullopt : failed(status.error());
    }
    // From here on the log has its mark: it must get through.
    staged_ = contents_of(*twin_engine.value()).value();
    return install(std::move(staged).value());
  }

  std::optional<std::string> finish_install(const Contents& wanted) {
    staged_ = wanted;
    auto staged = engine_->staged();
    if (!staged) return disk_.powered() ? std::optional(staged.error().message) : std::nullopt;
    if (staged.value() == nullptr) return std::string("what was staged and checked is gone");
    const port::StorageResult<Contents> found = contents_of(*staged.value());
    if (!found) return disk_.powered() ? std::optional(found.error().message) : std::nullopt;
    if (found.value() != wanted) return std::string("what was staged and checked is not what was staged");
    return install(std::move(staged).value());
  }

  std::optional<std::string> install(std::unique_ptr<port::Engine> staged) {
    after_ = staged_;
    const port::StorageStatus status = engine_->install(std::move(staged));
    if (!status) return disk_.powered() ? std::optional(status.error().message) : std::nullopt;
    durable_ = std::move(*after_);
    after_.reset();
    staged_.reset();
    return std::nullopt;
  }

  Disk disk_;
  Prng prng_;
  const bool lies_;
  std::unique_ptr<port::Engine> engine_;
  std::uint64_t records_ = 0;
  Contents durable_;
  std::optional<Contents> after_;   ///< With the checkpoint that was under way.
  std::optional<Contents> staged_;  ///< What must take its place.
};

struct Totals {
  std::uint64_t cuts = 0;
  std::uint64_t violations = 0;
  std::array<std::uint64_t, operations> of{};
};

/// Cuts one run at its `cut`th operation, and the boots and writes behind it at drawn ones.
std::optional<std::string> cut_at(std::uint64_t seed, std::uint64_t cut, bool lies, Totals& totals) {
  Prng prng(seed, "cuts behind " + std::to_string(cut));
  Run run(seed, cut, lies);
  if (auto why = run.boot(false)) return why;
  if (auto why = run.work(rounds)) return why;
  while (!run.disk().powered()) {
    ++totals.cuts;
    ++totals.of[run.disk().last()];
    run.power_on();
    if (prng.chance(2, 3)) run.disk().power_off_at(run.disk().done() + 1 + prng.below(30));
    if (auto why = run.boot(prng.below(forked_of) == 0)) return why;
    if (auto why = run.work(2)) return why;
  }
  return std::nullopt;
}

int test(std::uint64_t seeds, bool lies) {
  const auto begin = std::chrono::steady_clock::now();
  Totals totals;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::uint64_t all = 0;
    {
      Run whole(seed, 0, false);
      if (whole.boot(false) || whole.work(rounds)) {
        std::printf("FAIL seed=%llu without any cut\n", static_cast<unsigned long long>(seed));
        return 1;
      }
      all = whole.disk().done();
    }
    for (std::uint64_t cut = 1; cut <= all; ++cut) {
      const std::optional<std::string> why = cut_at(seed, cut, lies, totals);
      if (!why) continue;
      ++totals.violations;
      if (lies) continue;
      std::printf("FAIL seed=%llu cut=%llu: %s\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(cut), why->c_str());
    }
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  std::printf("%s seeds=%llu cuts=%llu violations=%llu cuts_a_second=%.0f",
              (totals.violations > 0) == lies ? "PASS" : "FAIL", static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(totals.cuts), static_cast<unsigned long long>(totals.violations),
              static_cast<double>(totals.cuts) / wall.count());
  bool all_cut = true;
  for (std::size_t i = 0; i < operations; ++i) {
    std::printf(" %s=%llu", std::string(operation_names[i]).c_str(), static_cast<unsigned long long>(totals.of[i]));
    all_cut = all_cut && totals.of[i] > 0;
  }
  std::printf("\n");
  // An operation at which the power never went was not tested.
  return all_cut && (totals.violations > 0) == lies ? 0 : 1;
}

}  // namespace
}  // namespace metastore::rig

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (seeds == 0 || argc > 3) {
    std::fputs("usage: power_cuts SEEDS [lying-disk]\n", stderr);
    return 2;
  }
  return metastore::rig::test(seeds, argc == 3 && std::string_view(argv[2]) == "lying-disk");
}
