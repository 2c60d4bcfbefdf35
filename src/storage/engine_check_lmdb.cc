#include "storage/engine_check_lmdb.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "storage/environment_lmdb.h"
#include "storage/rows_lmdb.h"

namespace metastore::storage {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

/// A file cannot be mapped smaller than it is; this is only where LMDB begins.
constexpr std::uint64_t map_bytes = 1 << 20;
constexpr std::size_t sentence_bytes_max = 2048;

struct NoVisitor final : port::RowVisitor {
  StorageStatus row(BytesView, BytesView) override { return Done{}; }
};

[[noreturn]] void die_by_assertion(MDB_env*, const char* text) {
  // What the child prints ends up in the parent's sentence and nowhere else.
  static_cast<void>(text);
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
  ::_exit(2);
}

/// Writes what `check` says into `out` and leaves; nothing of the parent's may run on the way.
[[noreturn]] void be_child(const std::string& path, int out) {
  constexpr rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int number : {SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL}) std::signal(number, SIG_DFL);
  const StorageStatus status = check(path);
  if (status) ::_exit(0);
  const std::string_view sentence = std::string_view(status.error().message).substr(0, sentence_bytes_max);
  const bool written = ::write(out, sentence.data(), sentence.size()) == static_cast<ssize_t>(sentence.size());
  ::_exit(written ? 1 : 2);
}

std::string read_all(int in) {
  std::string text;
  char part[sentence_bytes_max];
  while (true) {
    const ssize_t got = ::read(in, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(part, static_cast<std::size_t>(got));
  }
}

StorageError no_child(std::string_view what) {
  const int error = errno;
  return StorageError{"cannot " + std::string(what) + " for the check of the engine's file: " + std::strerror(error)};
}

}  // namespace

StorageStatus check(const std::string& path) {
  StorageResult<std::unique_ptr<Environment>> environment = Environment::open(path, map_bytes);
  if (!environment) return environment.error();
  ::mdb_env_set_assert(environment.value()->get(), die_by_assertion);
  Transaction transaction;
  int code = transaction.begin(*environment.value(), MDB_RDONLY);
  TableHandles handles;
  if (code == 0) code = open_tables(transaction, 0, handles);
  if (code != 0) return failed("read", path, code);
  Rows rows(*environment.value(), transaction, handles);
  const StorageResult<Summary> format = rows.format();
  if (!format) return format.error();
  Summary found;
  NoVisitor visitor;
  for (const Table table : tables) {
    if (const StorageStatus status = rows.read(table, found, format.value(), visitor); !status) return status;
  }
  if (found == format.value()) return Done{};
  return damaged(path, "its rows are not those that were written (" + std::to_string(found.items) + " items of " +
                           std::to_string(format.value().items) + ")");
}

StorageStatus check_in_child(const std::string& path) {
  int ends[2];
  if (::pipe(ends) != 0) return no_child("make a pipe");
  const pid_t child = ::fork();
  if (child < 0) {
    const StorageError error = no_child("fork");
    ::close(ends[0]);
    ::close(ends[1]);
    return error;
  }
  if (child == 0) {
    ::close(ends[0]);
    be_child(path, ends[1]);
  }
  ::close(ends[1]);
  const std::string sentence = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return no_child("wait");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Done{};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) return StorageError{sentence};
  const char* const name = WIFSIGNALED(status) ? ::sigabbrev_np(WTERMSIG(status)) : nullptr;
  return damaged(path,
                 "reading it ended in " + (name != nullptr ? "SIG" + std::string(name) : std::string("a failure")));
}

}  // namespace metastore::storage
