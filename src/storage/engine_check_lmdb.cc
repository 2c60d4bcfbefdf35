#include "storage/engine_check_lmdb.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/environment_lmdb.h"
#include "storage/remedy_posix.h"
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
  // The parent may be killed meanwhile, and its successor must find nothing of it held: not the directory's lock, above
  // all.
  ::dup2(out, STDIN_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  constexpr rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int number : {SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL}) std::signal(number, SIG_DFL);
  const StorageStatus status = check(path);
  if (status) ::_exit(0);
  const std::string_view sentence = std::string_view(status.error().message).substr(0, sentence_bytes_max);
  const bool written = ::write(STDIN_FILENO, sentence.data(), sentence.size()) == static_cast<ssize_t>(sentence.size());
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
  return StorageError{"cannot " + std::string(what) + " for the check of the engine's file: " + std::strerror(error) +
                      remedy_for(error)};
}

}  // namespace

namespace {

/// The handle of LMDB's own table of pages that are free: lists by the transaction that freed them.
constexpr MDB_dbi free_table = 0;
/// The first two pages are LMDB's roots.
constexpr std::uint64_t pages_before = 2;

/// That no page with a row in it counts as free, and no page twice: what is written next would go there.
class PageCheck {
 public:
  PageCheck(const Environment& environment, const Transaction& transaction)
      : path_(environment.path()), transaction_(transaction) {
    MDB_envinfo info{};
    ::mdb_env_info(environment.get(), &info);
    MDB_stat status{};
    ::mdb_env_stat(environment.get(), &status);
    page_bytes_ = status.ms_psize;
    free_.resize(info.me_last_pgno + 1);
  }

  StorageStatus take_free_pages() {
    return walk(free_table, [this](const MDB_val&, const MDB_val& item) {
      // Their number, then so many pages, falling.
      const std::uint64_t words = item.mv_size / sizeof(std::uint64_t);
      std::uint64_t last = free_.size();
      if (words == 0 || word(item, 0) >= words) return false;
      for (std::uint64_t i = 1; i <= word(item, 0); ++i) {
        const std::uint64_t page = word(item, i);
        if (page < pages_before || page >= last || free_[page]) return false;
        free_[page] = true;
        last = page;
      }
      return true;
    });
  }

  StorageStatus check_table(MDB_dbi table) {
    if (table == TableHandles::absent) return Done{};
    return walk(table, [this](const MDB_val& key, const MDB_val& item) {
      return is_used(key.mv_data) && is_used(item.mv_data);
    });
  }

 private:
  template <typename Visit>
  StorageStatus walk(MDB_dbi table, Visit visit) {
    Cursor cursor;
    if (const int code = cursor.open(transaction_, table); code != 0) return failed("read", path_, code);
    MDB_val key{};
    MDB_val item{};
    int code = 0;
    while ((code = cursor.next(key, item)) == 0) {
      if (!visit(key, item)) return damaged(path_, "its list of free pages contradicts itself or its rows");
    }
    if (code != MDB_NOTFOUND) return failed("read", path_, code);
    return Done{};
  }

  static std::uint64_t word(const MDB_val& item, std::uint64_t number) {
    std::uint64_t value = 0;
    std::memcpy(&value, static_cast<const char*>(item.mv_data) + number * sizeof value, sizeof value);
    return value;
  }

  /// A page begins with its own number.
  bool is_used(const void* place) const {
    const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(place);
    std::uint64_t page = 0;
    std::memcpy(&page, reinterpret_cast<const void*>(address - address % page_bytes_), sizeof page);
    return page >= pages_before && page < free_.size() && !free_[page];
  }

  const std::string& path_;
  const Transaction& transaction_;
  std::uint64_t page_bytes_ = 0;
  std::vector<bool> free_;
};

StorageStatus check_pages(const Environment& environment, const Transaction& transaction, const TableHandles& handles) {
  PageCheck pages(environment, transaction);
  if (const StorageStatus status = pages.take_free_pages(); !status) return status;
  for (const MDB_dbi table : handles.rows) {
    if (const StorageStatus status = pages.check_table(table); !status) return status;
  }
  if (const StorageStatus status = pages.check_table(handles.parts); !status) return status;
  return pages.check_table(handles.format);
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
  if (found == format.value()) return check_pages(*environment.value(), transaction, handles);
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
