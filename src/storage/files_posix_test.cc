#include "storage/files_posix.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "storage/temp_directory_posix.h"

namespace metastore::storage {
namespace {

mode_t permissions_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

TEST_CASE("a data directory is made with its parents, for its owner alone, and held by one process") {
  TempDirectory directory;
  const std::string path = directory.path() + "/a/b.metastore";
  auto files = PosixFiles::open_exclusively(path);
  REQUIRE(files.ok());
  CHECK(permissions_of(path) == 0700);
  REQUIRE(files.value()->create_directory("member").ok());
  REQUIRE(files.value()->create_directory("member").ok());
  CHECK(permissions_of(path + "/member") == 0700);

  const auto second = PosixFiles::open_exclusively(path);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message.find("another process is using the data directory " + path) != std::string::npos);
  CHECK(PosixFiles::open_existing(path).ok());
  files.value().reset();
  CHECK(PosixFiles::open_exclusively(path).ok());
}

TEST_CASE("parts are gathered, however many, and read back") {
  TempDirectory directory;
  const auto files = PosixFiles::open_existing(directory.path());
  REQUIRE(files.ok());
  auto file = files.value()->open("file", port::OpenMode::create);
  REQUIRE(file.ok());
  CHECK(permissions_of(directory.path() + "/file") == 0600);
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < 1000; ++i) pieces.push_back(std::string(i % 7, static_cast<char>('a' + i % 26)));
  std::string all;
  std::vector<BytesView> parts;
  for (const std::string& piece : pieces) {
    all += piece;
    parts.push_back(piece);
  }
  REQUIRE(file.value()->write_at(10, parts).ok());
  REQUIRE(file.value()->sync().ok());
  CHECK(file.value()->size().value() == 10 + all.size());
  std::string got(all.size() + 100, '?');
  CHECK(file.value()->read_at(10, got).value() == all.size());
  CHECK(got.substr(0, all.size()) == all);
  REQUIRE(file.value()->truncate(3).ok());
  CHECK(file.value()->size().value() == 3);
}

TEST_CASE("names are listed in order, renamed and removed") {
  TempDirectory directory;
  const auto files = PosixFiles::open_existing(directory.path());
  REQUIRE(files.ok());
  for (const std::string_view name : {"b", "a", "c"}) REQUIRE(files.value()->open(name, port::OpenMode::create).ok());
  REQUIRE(files.value()->rename("c", "a").ok());
  REQUIRE(files.value()->sync_directory("").ok());
  CHECK(files.value()->list("").value() == std::vector<std::string>{"a", "b"});
  CHECK(files.value()->exists("a"));
  REQUIRE(files.value()->remove("a").ok());
  CHECK_FALSE(files.value()->exists("a"));
}

TEST_CASE("an error says what was attempted, on which path, the system's answer and what to do") {
  TempDirectory directory;
  const auto files = PosixFiles::open_existing(directory.path());
  REQUIRE(files.ok());
  const std::string root = directory.path();
  CHECK(files.value()->open("x", port::OpenMode::read).error().message ==
        "cannot open " + root + "/x: No such file or directory; put it right, or choose another data directory");
  REQUIRE(files.value()->open("x", port::OpenMode::create).ok());
  CHECK(files.value()->open("x", port::OpenMode::create).error().message ==
        "cannot create " + root + "/x: File exists; mend that and start again");
  CHECK(files.value()->list("x").error().message ==
        "cannot open the directory " + root + "/x: Not a directory; put it right, or choose another data directory");
  CHECK(files.value()->remove("y").error().message ==
        "cannot remove " + root + "/y: No such file or directory; put it right, or choose another data directory");
  const BytesView part = "bytes";
  auto read_only = files.value()->open("x", port::OpenMode::read);
  CHECK(read_only.value()->write_at(5, {&part, 1}).error().message ==
        "cannot write at offset 5 of " + root + "/x: Bad file descriptor; mend that and start again");
  CHECK(PosixFiles::open_existing(root + "/none").error().message ==
        "cannot open the directory " + root +
            "/none: No such file or directory; put it right, or choose another data directory");
}

}  // namespace
}  // namespace metastore::storage
