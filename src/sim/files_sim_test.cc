// A test of the tester: what this disk may forget, and what it must not.
#include "sim/files_sim.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

namespace metastore::sim {
namespace {

constexpr CrashWeights only_kept = {1, 0, 0, 0, 0};
constexpr CrashWeights only_lost = {0, 1, 0, 0, 0};
constexpr CrashWeights only_prefix = {0, 0, 1, 0, 0};
constexpr CrashWeights only_reordered = {0, 0, 0, 1, 0};
constexpr CrashWeights every_fate = {1, 1, 1, 1, 1};

std::unique_ptr<port::File> create(FilesSim& files, std::string_view path) {
  return std::move(files.open(path, port::OpenMode::create)).value();
}

void write(port::File& file, std::uint64_t offset, BytesView bytes) {
  const std::array<BytesView, 1> parts = {bytes};
  REQUIRE(file.write_at(offset, parts).ok());
}

void cycle_power(FilesSim& files) {
  files.power_off();
  files.power_on();
}

TEST_CASE("an un-synced write is seen by programs and forgotten by a crash; a synced one stays") {
  FilesSim files(Prng(1, "disk"), only_lost);
  {
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, "synced");
    REQUIRE(file->sync().ok());
    write(*file, 6, " and not");
    CHECK(files.contents("log") == "synced and not");
  }
  cycle_power(files);
  CHECK(files.contents("log") == "synced");
}

TEST_CASE("a file whose directory was not synced is gone after a crash, however well its data was synced") {
  FilesSim files(Prng(1, "disk"), only_lost);
  REQUIRE(files.create_directory("member").ok());
  REQUIRE(files.sync_directory("").ok());
  auto file = create(files, "member/log");
  write(*file, 0, "data");
  REQUIRE(file->sync().ok());
  cycle_power(files);
  CHECK(files.exists("member"));
  CHECK_FALSE(files.exists("member/log"));
  CHECK(files.counts().names_lost == 1);
}

TEST_CASE("a rename and a removal come undone unless their directory was synced, and a rename is never half done") {
  std::set<std::vector<std::string>> left;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    REQUIRE(create(files, "old")->sync().ok());
    REQUIRE(create(files, "doomed")->sync().ok());
    REQUIRE(files.sync_directory("").ok());
    REQUIRE(files.rename("old", "new").ok());
    REQUIRE(files.remove("doomed").ok());
    cycle_power(files);
    left.insert(files.list("").value());
  }
  CHECK(left == std::set<std::vector<std::string>>{{"new"}, {"old"}, {"doomed", "new"}, {"doomed", "old"}});
}

TEST_CASE("a rename replaces its target, and a sync of the directory makes that durable") {
  FilesSim files(Prng(1, "disk"), only_lost);
  REQUIRE(create(files, "target")->sync().ok());
  {
    auto file = create(files, "fresh");
    write(*file, 0, "fresh");
    REQUIRE(file->sync().ok());
  }
  REQUIRE(files.rename("fresh", "target").ok());
  REQUIRE(files.sync_directory("").ok());
  cycle_power(files);
  CHECK(files.list("").value() == std::vector<std::string>{"target"});
  CHECK(files.contents("target") == "fresh");
}

TEST_CASE("a long write tears at sectors and nowhere else") {
  const std::string before(4 * sector_bytes, 'a');
  const std::string after(4 * sector_bytes, 'b');
  std::set<std::string> left;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, before);
    REQUIRE(file->sync().ok());
    write(*file, 0, after);
    cycle_power(files);
    std::string pattern;
    const std::string contents = files.contents("log");
    REQUIRE(contents.size() == before.size());
    for (std::size_t s = 0; s < 4; ++s) {
      const std::string_view sector = std::string_view(contents).substr(s * sector_bytes, sector_bytes);
      CHECK(std::count(sector.begin(), sector.end(), sector[0]) == static_cast<std::ptrdiff_t>(sector_bytes));
      pattern += sector[0];
    }
    left.insert(pattern);
  }
  CHECK(left.size() == 16);
}

TEST_CASE("a sector keeps the bytes of all writes up to the last that reached it") {
  std::set<std::string> left;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, "....");
    REQUIRE(file->sync().ok());
    write(*file, 0, "1");
    write(*file, 1, "2");
    write(*file, 2, "3");
    cycle_power(files);
    left.insert(files.contents("log"));
  }
  CHECK(left == std::set<std::string>{"....", "1...", "12..", "123."});
}

TEST_CASE("writes to different sectors are kept without earlier ones if they may be reordered, in order otherwise") {
  const auto patterns = [](const CrashWeights& weights) {
    std::set<std::string> left;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      FilesSim files(Prng(seed, "disk"), weights);
      auto file = create(files, "log");
      REQUIRE(files.sync_directory("").ok());
      write(*file, 2 * sector_bytes, ".");
      REQUIRE(file->sync().ok());
      for (std::uint64_t s = 0; s < 3; ++s) write(*file, s * sector_bytes, "x");
      cycle_power(files);
      const std::string contents = files.contents("log");
      left.insert({contents[0], contents[sector_bytes], contents[2 * sector_bytes]});
    }
    return left;
  };
  using Patterns = std::set<std::string>;
  CHECK(patterns(only_kept) == Patterns{"xxx"});
  CHECK(patterns(only_lost) == Patterns{std::string("\0\0.", 3)});
  CHECK(patterns(only_prefix) ==
        Patterns{std::string("\0\0.", 3), std::string("x\0.", 3), std::string("xx.", 3), std::string("xxx", 3)});
  CHECK(patterns(only_reordered).size() == 8);
}

TEST_CASE("a size is metadata: it may be kept while the bytes are lost, and then they read as zeros") {
  std::set<std::string> left;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, "ab");
    cycle_power(files);
    left.insert(files.contents("log"));
  }
  CHECK(left == std::set<std::string>{"", "ab", std::string(2, '\0')});
}

TEST_CASE("a shrink cuts off its bytes for good or not at all") {
  std::set<std::string> left;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, "secret");
    REQUIRE(file->sync().ok());
    REQUIRE(file->truncate(2).ok());
    REQUIRE(file->truncate(6).ok());
    cycle_power(files);
    left.insert(files.contents("log"));
  }
  CHECK(left == std::set<std::string>{"secret", "se", std::string("se\0\0\0\0", 6)});
}

TEST_CASE("with the power off, and through a handle of before, every call is refused") {
  FilesSim files(Prng(1, "disk"), only_kept);
  auto file = create(files, "log");
  files.power_off();
  const std::array<BytesView, 1> parts = {"x"};
  std::array<char, 1> buffer = {};
  for (const bool is_back : {false, true}) {
    if (is_back) files.power_on();
    CHECK_FALSE(file->size().ok());
    CHECK_FALSE(file->read_at(0, buffer).ok());
    CHECK(file->write_at(0, parts).error().message == "write \"log\": the power is off");
    CHECK_FALSE(file->sync().ok());
    CHECK_FALSE(file->truncate(0).ok());
    CHECK(files.exists("log") == is_back);
    CHECK(files.open("log", port::OpenMode::read).ok() == is_back);
    CHECK(files.list("").ok() == is_back);
    CHECK(files.sync_directory("").ok() == is_back);
  }
  CHECK(files.contents("log").empty());
}

TEST_CASE("power goes at the ordered operation, which may be done in part") {
  std::set<std::string> left;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, "....");
    REQUIRE(file->sync().ok());
    const std::uint64_t operations = files.operations();
    CHECK(operations == 4);
    files.power_off_at(operations + 2);
    write(*file, 0, "1");
    const std::array<BytesView, 1> parts = {"2"};
    CHECK_FALSE(file->write_at(1, parts).ok());
    CHECK_FALSE(files.powered());
    files.power_on();
    left.insert(files.contents("log"));
  }
  CHECK(left == std::set<std::string>{"....", "1...", "12.."});
}

TEST_CASE("nothing synced is ever lost, whatever else happens around it") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    FilesSim files(Prng(seed, "disk"), every_fate);
    Prng draws(seed, "test");
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    // `certain` is what the platter must hold; bytes touched since the last sync are not certain.
    std::string seen;
    std::string certain;
    std::vector<bool> is_certain;
    for (int round = 0; round < 60; ++round) {
      switch (draws.below(8)) {
        case 0:
          REQUIRE(file->sync().ok());
          certain = seen;
          is_certain.assign(seen.size(), true);
          break;
        case 1: {
          cycle_power(files);
          file = std::move(files.open("log", port::OpenMode::read_write)).value();
          const std::string left = files.contents("log");
          for (std::size_t i = 0; i < is_certain.size(); ++i) {
            if (is_certain[i]) REQUIRE(left.at(i) == certain[i]);
          }
          // Everything that is left was on the platter: a second crash takes nothing more.
          cycle_power(files);
          REQUIRE(files.contents("log") == left);
          file = std::move(files.open("log", port::OpenMode::read_write)).value();
          seen = certain = left;
          is_certain.assign(left.size(), true);
          break;
        }
        case 2: {
          const std::uint64_t size = draws.below(3000);
          REQUIRE(file->truncate(size).ok());
          for (std::size_t i = size; i < is_certain.size(); ++i) is_certain[i] = false;
          seen.resize(size, '\0');
          break;
        }
        default: {
          const std::uint64_t offset = draws.below(3000);
          const std::string bytes(draws.below(1200) + 1, static_cast<char>('a' + draws.below(26)));
          write(*file, offset, bytes);
          if (seen.size() < offset + bytes.size()) seen.resize(offset + bytes.size(), '\0');
          seen.replace(offset, bytes.size(), bytes);
          for (std::size_t i = offset; i < std::min(offset + bytes.size(), is_certain.size()); ++i)
            is_certain[i] = false;
        }
      }
      REQUIRE(files.contents("log") == seen);
    }
  }
}

TEST_CASE("a failed sync keeps no promise, and a second one, which succeeds, does not mend it") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    FilesSim files(Prng(seed, "disk"), only_lost);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    write(*file, 0, "first ");
    REQUIRE(file->sync().ok());
    write(*file, 6, "second");
    files.break_at(files.operations() + 1, DiskFault::sync_error);
    CHECK(file->sync().error().message == "sync \"log\": Input/output error");
    CHECK(files.has_broken());
    CHECK_FALSE(files.has_retried());
    CHECK(files.contents("log") == "first second");
    CHECK(file->sync().ok());
    CHECK(files.has_retried());
    files.repair();
    CHECK_FALSE(files.has_broken());
    file.reset();
    cycle_power(files);
    seen.insert(files.contents("log").substr(0, 7));
    CHECK(files.fault_counts().sync_errors == 1);
  }
  CHECK(seen == std::set<std::string>{std::string("first \0", 7), "first s"});
}

TEST_CASE("a failed write is done in part, and the next one succeeds; what was synced before stays") {
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    FilesSim files(Prng(seed, "disk"), only_kept);
    auto file = create(files, "log");
    files.break_at(files.operations() + 1, DiskFault::write_error);
    const std::array<BytesView, 1> parts = {"four"};
    CHECK(file->write_at(0, parts).error().message == "write \"log\": Input/output error");
    sizes.insert(files.contents("log").size());
    write(*file, 0, "four");
    CHECK(files.contents("log") == "four");
    files.repair();
    files.break_at(0, DiskFault::write_error);
    CHECK_FALSE(files.rename("log", "other").ok());
    CHECK(files.exists("log"));
  }
  CHECK(sizes == std::set<std::size_t>{0, 1, 2, 3, 4});
}

TEST_CASE("on a full disk nothing grows until it is repaired, and what has its place is written") {
  FilesSim files(Prng(1, "disk"));
  auto file = create(files, "log");
  write(*file, 0, "0123456789");
  files.break_at(files.operations() + 1, DiskFault::full);
  write(*file, 2, "xx");
  CHECK_FALSE(files.has_broken());
  const std::array<BytesView, 1> parts = {"yyyy"};
  CHECK(file->write_at(8, parts).error().message == "write \"log\": No space left on device");
  CHECK(files.contents("log") == "01xx4567yy");
  CHECK_FALSE(file->truncate(20).ok());
  CHECK_FALSE(files.open("other", port::OpenMode::create).ok());
  CHECK(file->sync().ok());
  CHECK(files.fault_counts().full == 1);
  files.repair();
  CHECK(files.open("other", port::OpenMode::create).ok());
  CHECK(file->truncate(20).ok());
}

TEST_CASE("a bit that turns over does so durably, in a file that the disk names") {
  FilesSim files(Prng(1, "disk"), only_lost);
  REQUIRE(files.create_directory("member").ok());
  REQUIRE(files.sync_directory("").ok());
  auto file = create(files, "member/log");
  write(*file, 0, "abc");
  REQUIRE(file->sync().ok());
  REQUIRE(files.sync_directory("member").ok());
  CHECK(files.all_files() == std::vector<std::string>{"member/log"});
  files.flip("member/log", 1, 0);
  CHECK(files.contents("member/log") == "acc");
  file.reset();
  cycle_power(files);
  CHECK(files.contents("member/log") == "acc");
}

TEST_CASE("another hand writes over what is there, durably, and nothing grows") {
  FilesSim files(Prng(1, "files"), {0, 1, 0, 0, 0});
  auto file = std::move(files.open("file", port::OpenMode::create)).value();
  const BytesView text[] = {"0123456789"};
  REQUIRE(file->write_at(0, text).ok());
  CHECK_FALSE(files.is_synced("file"));
  REQUIRE(file->sync().ok());
  REQUIRE(files.sync_directory("").ok());
  CHECK(files.is_synced("file"));
  files.overwrite("file", 8, "abc");
  files.overwrite("file", 10, "abc");
  files.power_off();
  files.power_on();
  CHECK(files.contents("file") == "01234567ab");
}

TEST_CASE("the same seed forgets the same") {
  const auto run = [] {
    FilesSim files(Prng(5, "disk"), every_fate);
    auto file = create(files, "log");
    REQUIRE(files.sync_directory("").ok());
    for (std::uint64_t i = 0; i < 50; ++i) write(*file, i * 300, std::string(400, static_cast<char>('a' + i % 26)));
    cycle_power(files);
    return files.contents("log");
  };
  CHECK(run() == run());
}

}  // namespace
}  // namespace metastore::sim
