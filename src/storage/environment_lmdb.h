// LMDB as the engine uses it: an environment and transactions that close themselves, and sentences for LMDB's answers.
// Default flags, since every weaker mode lost data in a crash rig; no lock file, since the data directory is held by
// one process and the engine makes one call at a time.
#ifndef METASTORE_STORAGE_ENVIRONMENT_LMDB_H_
#define METASTORE_STORAGE_ENVIRONMENT_LMDB_H_

#include <lmdb.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/bytes.h"
#include "core/host/port/files.h"
#include "storage/schema.h"

namespace metastore::storage {

inline MDB_val to_value(BytesView bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
inline BytesView to_view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

/// Handles of all tables. One that the file lacks is `absent`.
struct TableHandles {
  static constexpr MDB_dbi absent = ~MDB_dbi{0};
  std::array<MDB_dbi, tables.size()> rows;
  MDB_dbi parts = absent;
  MDB_dbi format = absent;

  MDB_dbi of(Table table) const { return rows[static_cast<std::size_t>(table)]; }
};

class Environment {
 public:
  /// Makes the file if it is not there.
  static port::StorageResult<std::unique_ptr<Environment>> open(const std::string& path, std::uint64_t map_bytes);
  ~Environment() { ::mdb_env_close(environment_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  MDB_env* get() const { return environment_; }
  const std::string& path() const { return path_; }
  /// Writes what is in use into a new file, durable when it returns; LMDB's code or errno's.
  int copy_compactly(const std::string& path) const;
  /// Requires: no transaction is open.
  int grow_map(std::uint64_t map_bytes) { return ::mdb_env_set_mapsize(environment_, map_bytes); }

 private:
  Environment(std::string path, MDB_env* environment) : path_(std::move(path)), environment_(environment) {}

  const std::string path_;
  MDB_env* const environment_;
};

/// Aborts unless it was committed.
class Transaction {
 public:
  Transaction() = default;
  ~Transaction() { ::mdb_txn_abort(transaction_); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  int begin(const Environment& environment, unsigned flags) {
    return ::mdb_txn_begin(environment.get(), nullptr, flags, &transaction_);
  }
  int commit() { return ::mdb_txn_commit(std::exchange(transaction_, nullptr)); }
  MDB_txn* get() const { return transaction_; }

 private:
  MDB_txn* transaction_ = nullptr;
};

class Cursor {
 public:
  Cursor() = default;
  ~Cursor() {
    if (cursor_ != nullptr) ::mdb_cursor_close(cursor_);
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  int open(const Transaction& transaction, MDB_dbi table) {
    return ::mdb_cursor_open(transaction.get(), table, &cursor_);
  }
  /// MDB_NOTFOUND at the end.
  int next(MDB_val& key, MDB_val& item) { return ::mdb_cursor_get(cursor_, &key, &item, MDB_NEXT); }
  int last(MDB_val& key, MDB_val& item) { return ::mdb_cursor_get(cursor_, &key, &item, MDB_LAST); }

 private:
  MDB_cursor* cursor_ = nullptr;
};

/// `flags`: MDB_CREATE makes those that are missing.
int open_tables(const Transaction& transaction, unsigned flags, TableHandles& handles);

/// "cannot write member/db/data.mdb: No space left on device; ..."
port::StorageError failed(std::string_view operation, const std::string& path, int code);
/// The file tells what it cannot have been told.
port::StorageError damaged(const std::string& path, std::string_view what);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_ENVIRONMENT_LMDB_H_
