#include "storage/environment_lmdb.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "storage/remedy.h"
#include "storage/remedy_posix.h"

namespace metastore::storage {

using port::StorageError;
using port::StorageResult;

StorageError damaged(const std::string& path, std::string_view what) {
  return StorageError{path + " is damaged: " + std::string(what) + remedy_for_damage};
}

StorageError failed(std::string_view operation, const std::string& path, int code) {
  switch (code) {
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
      return damaged(path, std::string(::mdb_strerror(code)) + " (LMDB " + std::to_string(code) + ")");
    default:
      break;
  }
  return StorageError{"cannot " + std::string(operation) + " " + path + ": " + ::mdb_strerror(code) + remedy_for(code)};
}

StorageResult<std::unique_ptr<Environment>> Environment::open(const std::string& path, std::uint64_t map_bytes) {
  MDB_env* created = nullptr;
  if (const int code = ::mdb_env_create(&created); code != 0) return failed("open", path, code);
  std::unique_ptr<Environment> environment(new Environment(path, created));
  constexpr unsigned handles = tables.size() + 2;
  if (const int code = ::mdb_env_set_maxdbs(created, handles); code != 0) return failed("open", path, code);
  if (const int code = ::mdb_env_set_mapsize(created, map_bytes); code != 0) return failed("map", path, code);
  const int code = ::mdb_env_open(created, path.c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0600);
  if (code != 0) return failed("open", path, code);
  return environment;
}

int Environment::copy_compactly(const std::string& path) const {
  const int out = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (out < 0) return errno;
  int code = ::mdb_env_copyfd2(environment_, out, MDB_CP_COMPACT);
  if (code == 0 && ::fsync(out) != 0) code = errno;
  if (::close(out) != 0 && code == 0) code = errno;
  return code;
}

int open_tables(const Transaction& transaction, unsigned flags, TableHandles& handles) {
  const auto open = [&](std::string_view name, MDB_dbi& handle) {
    const int code = ::mdb_dbi_open(transaction.get(), std::string(name).c_str(), flags, &handle);
    if (code != MDB_NOTFOUND) return code;
    handle = TableHandles::absent;
    return 0;
  };
  for (const Table table : tables) {
    if (const int code = open(table_name(table), handles.rows[static_cast<std::size_t>(table)]); code != 0) return code;
  }
  if (const int code = open(parts_name, handles.parts); code != 0) return code;
  return open(format_name, handles.format);
}

}  // namespace metastore::storage
