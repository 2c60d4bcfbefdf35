#include "storage/engine_lmdb.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "storage/files_posix.h"
#include "storage/schema.h"
#include "storage/temp_directory_posix.h"

namespace metastore::storage {
namespace {

using Contents = std::map<std::pair<Table, std::string>, std::string>;

struct Collector final : port::RowVisitor {
  Collector(Table table_, Contents& contents_) : table(table_), contents(contents_) {}
  port::StorageStatus row(BytesView key, BytesView value) override {
    contents.emplace(std::pair(table, std::string(key)), value);
    return Done{};
  }
  Table table;
  Contents& contents;
};

/// A data directory with an engine in it.
struct Rig {
  Rig() { REQUIRE(files); }

  port::StorageResult<std::unique_ptr<port::Engine>> open() {
    return EnginesLmdb(*files.value(), directory.path(), options).open();
  }
  std::unique_ptr<port::Engine> opened() {
    auto engine = open();
    REQUIRE_MESSAGE(engine, engine.error().message);
    return std::move(engine).value();
  }
  std::string refusal() {
    const auto engine = open();
    return engine ? "" : engine.error().message;
  }
  std::string path() const { return directory.path() + "/member/db/data.mdb"; }
  std::string bytes() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(const std::string& bytes) const { std::ofstream(path(), std::ios::binary) << bytes; }

  TempDirectory directory;
  port::StorageResult<std::unique_ptr<PosixFiles>> files = PosixFiles::open_exclusively(directory.path());
  EngineOptions options{.file_bytes_max = 1 << 30};
};

Contents contents_of(port::Engine& engine) {
  Contents contents;
  for (const Table table : tables) {
    Collector collector(table, contents);
    const auto status = engine.read(table, collector);
    REQUIRE_MESSAGE(status, status.error().message);
  }
  return contents;
}

void write(port::Engine& engine, RowWriter rows) {
  const auto status = engine.write({LogIndex(1), rows.take()});
  REQUIRE_MESSAGE(status, status.error().message);
}

std::string record_key(std::uint64_t main) {
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(main >> (8 * (7 - i)));
  return key;
}

}  // namespace

TEST_CASE("what is written is read after opening again, in the order of the keys, for values of any length") {
  Rig rig;
  Contents model;
  {
    const auto engine = rig.opened();
    CHECK(contents_of(*engine).empty());
    RowWriter rows;
    std::uint64_t main = 0;
    for (const std::size_t size : {0, 1, 255, 2000, 4071, 4072, 4073, 4080, 8148, 8149, 200'000, 1'572'864}) {
      const std::string value(size, static_cast<char>('a' + main));
      rows.put(Table::records, record_key(++main), value);
      model[{Table::records, record_key(main)}] = value;
    }
    rows.put(Table::state, "applied", "7");
    rows.put(Table::leases, record_key(3), std::string(10'000, 'l'));
    model[{Table::state, "applied"}] = "7";
    model[{Table::leases, record_key(3)}] = std::string(10'000, 'l');
    write(*engine, std::move(rows));
    CHECK(contents_of(*engine) == model);
  }
  const auto engine = rig.opened();
  CHECK(contents_of(*engine) == model);
  CHECK(engine->file_bytes() == rig.bytes().size());
}

TEST_CASE("drawn puts and deletes leave what a map says, across openings") {
  Prng prng(1, "engine");
  Rig rig;
  rig.options.checks_in_child = false;
  Contents model;
  auto engine = rig.opened();
  for (int round = 0; round < 200; ++round) {
    RowWriter rows;
    for (std::uint64_t i = prng.below(20); i > 0; --i) {
      const Table table = tables[prng.below(tables.size())];
      const std::string key = record_key(prng.below(60));
      if (prng.below(3) == 0) {
        rows.erase(table, key);
        model.erase({table, key});
      } else {
        const std::string value(prng.below(10) == 0 ? prng.below(30'000) : prng.below(300), 'v');
        rows.put(table, key, value);
        model[{table, key}] = value;
      }
    }
    write(*engine, std::move(rows));
    if (prng.below(10) == 0) {
      engine.reset();
      engine = rig.opened();
    }
    REQUIRE(contents_of(*engine) == model);
  }
}

TEST_CASE("a file at its limit is an error that names the file and the limit, and what was durable stays") {
  Rig rig;
  rig.options.file_bytes_max = 4 << 20;
  std::uint64_t main = 0;
  {
    const auto engine = rig.opened();
    std::string refusal;
    while (refusal.empty()) {
      RowWriter rows;
      rows.put(Table::records, record_key(main + 1), std::string(100'000, 'v'));
      const auto status = engine->write({LogIndex(1), rows.take()});
      if (status) ++main;
      if (!status) refusal = status.error().message;
    }
    CHECK(refusal.find(rig.path() + " is full") != std::string::npos);
    CHECK(refusal.find("engine_file_bytes_max") != std::string::npos);
  }
  CHECK(main > 20);
  CHECK(contents_of(*rig.opened()).size() == main);
  rig.options.file_bytes_max = 8 << 20;
  const auto engine = rig.opened();
  RowWriter rows;
  rows.put(Table::records, record_key(main + 1), std::string(1'000'000, 'v'));
  write(*engine, std::move(rows));
}

TEST_CASE("an engine that wrote and read much keeps no page of its file in memory") {
  Rig rig;
  // What is mapped of files, the program's own code included. A sanitizer's memory is none of it.
  const auto resident = [] {
    std::ifstream in("/proc/self/status");
    std::string word;
    while (word != "RssFile:" && in >> word) continue;
    std::uint64_t kibibytes = 0;
    in >> kibibytes;
    return kibibytes * 1024;
  };
  const auto engine = rig.opened();
  const std::uint64_t before = resident();
  for (std::uint64_t round = 0; round < 8; ++round) {
    RowWriter rows;
    for (std::uint64_t i = 0; i < 4'000; ++i) {
      rows.put(Table::records, record_key(round * 4'000 + i), std::string(1'000, 'v'));
    }
    write(*engine, std::move(rows));
  }
  struct Counter final : port::RowVisitor {
    port::StorageStatus row(BytesView, BytesView) override {
      ++count;
      return Done{};
    }
    std::uint64_t count = 0;
  } counter;
  REQUIRE(engine->read(Table::records, counter));
  CHECK(counter.count == 32'000);
  CHECK(engine->file_bytes() > 32'000'000);
  CHECK(before > 0);
  CHECK(resident() < before + 4'000'000);
}

TEST_CASE("a file of a newer format, a foreign one, an empty one and half of one are refused by name") {
  Rig rig;
  {
    const auto engine = rig.opened();
    RowWriter rows;
    for (std::uint64_t i = 0; i < 1'000; ++i) rows.put(Table::records, record_key(i), std::string(200, 'v'));
    write(*engine, std::move(rows));
  }
  const std::string good = rig.bytes();
  std::string newer = good;
  for (std::size_t at = newer.find("metastore-engine 1"); at != std::string::npos;
       at = newer.find("metastore-engine 1", at)) {
    newer[at + 17] = '2';
  }
  rig.replace(newer);
  CHECK(rig.refusal().find(rig.path() + " cannot be served: it has format 2") != std::string::npos);
  for (const std::string& bytes :
       {std::string(100'000, 'x'), good.substr(0, 6000), good.substr(0, good.size() / 2), std::string(8192, '\0')}) {
    rig.replace(bytes);
    CHECK(rig.refusal().find(rig.path() + " is damaged") != std::string::npos);
  }
  rig.replace("");
  CHECK(rig.refusal().find(rig.path()) != std::string::npos);
  rig.replace(good);
  CHECK(contents_of(*rig.opened()).size() == 1'000);
}

TEST_CASE("a flipped bit anywhere in a closed file is refused by name, or the rows read are one of the last states") {
  Rig rig;
  Contents before;
  Contents after;
  {
    const auto engine = rig.opened();
    RowWriter rows;
    for (std::uint64_t i = 0; i < 60; ++i) rows.put(Table::records, record_key(i), std::string(200, 'v'));
    rows.put(Table::records, record_key(60), std::string(9'000, 'w'));
    write(*engine, std::move(rows));
    before = contents_of(*engine);
    for (std::uint64_t i = 0; i < 40; ++i) rows.erase(Table::records, record_key(i));
    rows.put(Table::state, "applied", "7");
    write(*engine, std::move(rows));
    after = contents_of(*engine);
  }
  const std::string good = rig.bytes();
  Prng prng(2, "flips");
  int refused = 0;
  int deaths = 0;
  int unharmed = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bytes = good;
    // Half of them where LMDB keeps its own: the heads of its pages.
    const std::uint64_t at =
        round % 2 == 0 ? prng.below(bytes.size()) : prng.below(bytes.size() / 4096) * 4096 + prng.below(200);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << prng.below(8)));
    rig.replace(bytes);
    auto engine = rig.open();
    if (!engine) {
      ++refused;
      REQUIRE_MESSAGE(engine.error().message.find("data.mdb") != std::string::npos, engine.error().message);
      continue;
    }
    const Contents found = contents_of(*engine.value());
    REQUIRE_MESSAGE((found == after || found == before), "byte ", at);
    // Nor does what is written next go where a row is. LMDB may die of damage outside of rows then, which loses
    // nothing.
    if (const pid_t child = ::fork(); child == 0) {
      const std::string value(3'000, 'x');
      Contents expected = found;
      bool same = true;
      for (std::uint64_t more = 100; more < 103 && same; ++more) {
        RowWriter rows;
        rows.put(Table::records, record_key(more), value);
        expected[{Table::records, record_key(more)}] = value;
        if (!engine.value()->write({LogIndex(1), rows.take()})) ::_exit(0);
        Contents now;
        for (const Table table : tables) {
          Collector collector(table, now);
          if (!engine.value()->read(table, collector)) ::_exit(0);
        }
        same = now == expected;
      }
      ::_exit(same ? 0 : 3);
    } else {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      REQUIRE_MESSAGE((WIFSIGNALED(status) || WEXITSTATUS(status) != 3), "byte ", at);
      deaths += WIFSIGNALED(status) ? 1 : 0;
      unharmed += WIFEXITED(status) ? 1 : 0;
    }
  }
  CHECK(deaths < unharmed);
  // Three of them hit the list of free pages, which no row shows.
  CHECK(refused > 57);
  CHECK(refused < 390);
}

TEST_CASE("defragmenting gives back the room that nothing uses, and nothing else changes") {
  Rig rig;
  auto engine = rig.opened();
  RowWriter rows;
  for (std::uint64_t main = 1; main <= 2'000; ++main) rows.put(Table::records, record_key(main), std::string(500, 'v'));
  rows.put(Table::records, record_key(2'001), std::string(100'000, 'p'));
  rows.put(Table::leases, "lease", "");
  write(*engine, std::move(rows));
  RowWriter gone;
  for (std::uint64_t main = 1; main <= 1'990; ++main) gone.erase(Table::records, record_key(main));
  write(*engine, std::move(gone));
  const Contents contents = contents_of(*engine);
  CHECK(contents.size() == 12);
  CHECK(engine->file_bytes() > 1'000'000);

  // What cannot be written changes nothing, and is said.
  const std::string next = rig.directory.path() + "/member/db/next.tmp";
  std::filesystem::create_directories(next + "/in the way");
  const auto blocked = engine->defragment();
  REQUIRE(blocked);
  CHECK(blocked.value().find("next.tmp") != std::string::npos);
  CHECK(contents_of(*engine) == contents);
  std::filesystem::remove_all(next);

  // What a power cut left of an earlier attempt is in nobody's way.
  std::ofstream(next) << "half of it";
  const auto done = engine->defragment();
  REQUIRE_MESSAGE(done, done.error().message);
  CHECK(done.value() == "");
  CHECK(engine->file_bytes() < 250'000);
  CHECK(contents_of(*engine) == contents);
  CHECK((std::filesystem::status(rig.path()).permissions() & std::filesystem::perms(0077)) ==
        std::filesystem::perms::none);

  // It goes on where it was, and so does the next start.
  RowWriter more;
  more.put(Table::records, record_key(2'002), "more");
  write(*engine, std::move(more));
  engine.reset();
  std::ofstream(next) << "half of it";
  engine = rig.opened();
  CHECK_FALSE(std::filesystem::exists(next));
  CHECK(contents_of(*engine).size() == 13);
}

}  // namespace metastore::storage
