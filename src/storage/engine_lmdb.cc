#include "storage/engine_lmdb.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/base/assert.h"
#include "storage/engine_check_lmdb.h"
#include "storage/environment_lmdb.h"
#include "storage/rows_lmdb.h"
#include "storage/schema.h"
#include "storage/stopwatch_posix.h"

namespace metastore::storage {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

constexpr std::string_view parent = "member";
constexpr std::string_view directory = "member/db";
constexpr std::string_view file = "member/db/data.mdb";
constexpr std::string_view file_before = "member/db/next.tmp";
constexpr std::string_view file_staged = "member/db/staged.mdb";

constexpr std::uint64_t map_bytes_min = 1 << 20;

std::uint64_t size_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

struct Opened {
  std::unique_ptr<Environment> environment;
  TableHandles handles{};
};

/// One transaction's changes.
class Writer {
 public:
  Writer(const Opened& opened, const Summary& summary)
      : environment_(*opened.environment), handles_(opened.handles), summary_(summary) {}

  int write(BytesView rows) {
    if (const int code = transaction_.begin(environment_, 0); code != 0) return code;
    RowReader reader(rows);
    while (const std::optional<Row> row = reader.next()) {
      ASSERT(!row->key.empty() && row->key.size() <= row_key_bytes_max);
      if (const int code = row->value ? put(row->table, row->key, *row->value) : erase(row->table, row->key);
          code != 0) {
        return code;
      }
    }
    const std::string format = encode_format(summary_);
    MDB_val key = to_value(format_name);
    MDB_val item = to_value(format);
    if (const int code = ::mdb_put(transaction_.get(), handles_.format, &key, &item, 0); code != 0) return code;
    return transaction_.commit();
  }

  const Summary& summary() const { return summary_; }

 private:
  /// A table's largest key, or one that is larger.
  struct Last {
    bool known = false;
    std::string key;
  };

  /// Makes room for an item of `size` bytes under `key`, which must be new if `key` is larger than `last`.
  int reserve(MDB_dbi table, Last& last, BytesView key, std::size_t size, char*& out) {
    const bool is_new = key > last.key;
    MDB_val name = to_value(key);
    MDB_val item{size, nullptr};
    const unsigned flags = MDB_RESERVE | (is_new ? MDB_APPEND : 0U);
    if (const int code = ::mdb_put(transaction_.get(), table, &name, &item, flags); code != 0) return code;
    if (is_new) last.key = key;
    out = static_cast<char*>(item.mv_data);
    return 0;
  }

  int find_last(MDB_dbi table, Last& last) {
    if (last.known) return 0;
    Cursor cursor;
    if (const int code = cursor.open(transaction_, table); code != 0) return code;
    MDB_val key{};
    MDB_val item{};
    const int code = cursor.last(key, item);
    if (code != 0 && code != MDB_NOTFOUND) return code;
    if (code == 0) last.key = to_view(key);
    last.known = true;
    return 0;
  }

  int put(Table table, BytesView key, BytesView value) {
    Last& last = last_[static_cast<std::size_t>(table)];
    if (const int code = find_last(handles_.of(table), last); code != 0) return code;
    if (key <= last.key) {
      if (const int code = erase(table, key); code != 0) return code;
    }
    char* out = nullptr;
    const std::size_t size = head_size(value.size());
    if (const int code = reserve(handles_.of(table), last, key, size, out); code != 0) return code;
    summary_.add(write_head(table, key, value, out));
    const std::size_t count = part_count(value.size());
    if (count == 0) return 0;
    if (const int code = find_last(handles_.parts, last_part_); code != 0) return code;
    for (std::size_t number = 0; number < count; ++number) {
      const std::string name = part_key(table, key, number);
      const BytesView part = part_of(value, number);
      const std::size_t part_size = part.size() + part_header_bytes;
      if (const int code = reserve(handles_.parts, last_part_, name, part_size, out); code != 0) return code;
      summary_.add(write_part(name, part, out));
    }
    return 0;
  }

  int erase(Table table, BytesView key) {
    MDB_val name = to_value(key);
    MDB_val item{};
    int code = ::mdb_get(transaction_.get(), handles_.of(table), &name, &item);
    if (code == MDB_NOTFOUND) return 0;
    if (code != 0) return code;
    // Its checksum must leave the sum, so it must be right.
    const Result<Head, std::string_view> head = read_head(table, key, to_view(item));
    if (!head) return MDB_CORRUPTED;
    summary_.remove(head.value().crc);
    const std::size_t count = part_count(head.value().value_size);
    if (code = ::mdb_del(transaction_.get(), handles_.of(table), &name, nullptr); code != 0) return code;
    for (std::size_t number = 0; number < count; ++number) {
      const std::string part_name = part_key(table, key, number);
      name = to_value(part_name);
      code = ::mdb_get(transaction_.get(), handles_.parts, &name, &item);
      if (code != 0) return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
      const Result<Part, std::string_view> part = read_part(part_name, to_view(item));
      if (!part) return MDB_CORRUPTED;
      summary_.remove(part.value().crc);
      if (code = ::mdb_del(transaction_.get(), handles_.parts, &name, nullptr); code != 0) return code;
    }
    return 0;
  }

  const Environment& environment_;
  const TableHandles& handles_;
  Summary summary_;
  Transaction transaction_;
  std::array<Last, tables.size()> last_;
  Last last_part_;
};

class EngineLmdb final : public port::Engine {
 public:
  /// `name` is that of the file within `data_directory`.
  EngineLmdb(port::Files& files, std::string data_directory, std::string_view name, const EngineOptions& options)
      : files_(files),
        data_directory_(std::move(data_directory)),
        path_(full_path(name)),
        options_(options),
        map_bytes_(map_bytes_for(size_of(path_))) {}

  /// Makes the tables of a new file durable, and a format row that says that they are empty.
  StorageStatus create() {
    const StorageResult<Opened> opened = open();
    if (!opened) return opened.error();
    Writer writer(opened.value(), summary_);
    const int code = writer.write({});
    if (code != 0) return failed("write", path_, code);
    return Done{};
  }

  /// To be called once before any reading and writing of a file that there is.
  StorageStatus load() {
    const StorageResult<Opened> opened = open();
    if (!opened) return opened.error();
    Transaction transaction;
    const int code = transaction.begin(*opened.value().environment, MDB_RDONLY);
    if (code != 0) return failed("read", path_, code);
    const StorageResult<Summary> summary = rows(opened.value(), transaction).format();
    if (!summary) return summary.error();
    summary_ = summary.value();
    return Done{};
  }

  StorageStatus write(const Checkpoint& checkpoint) override {
    const Stopwatch stopwatch(write_took);
    const StorageResult<Opened> opened = open();
    if (!opened) return opened.error();
    if (const StorageStatus status = check_unchanged(opened.value()); !status) return status;
    int code = write(opened.value(), checkpoint);
    while (code == MDB_MAP_FULL && map_bytes_ < options_.file_bytes_max) {
      // The transaction was aborted: nothing of it counts.
      map_bytes_ = std::min(2 * map_bytes_, options_.file_bytes_max);
      code = opened.value().environment->grow_map(map_bytes_);
      if (code == 0) code = write(opened.value(), checkpoint);
    }
    if (code == MDB_MAP_FULL) {
      return StorageError{path_ + " is full: it may grow to " + std::to_string(options_.file_bytes_max) +
                          " bytes; start again with more: --limits=engine_file_bytes_max=BYTES"};
    }
    if (code != 0) return failed("write", path_, code);
    return Done{};
  }

  StorageStatus read(Table table, port::RowVisitor& visitor) override {
    const StorageResult<Opened> opened = open();
    if (!opened) return opened.error();
    Transaction transaction;
    const int code = transaction.begin(*opened.value().environment, MDB_RDONLY);
    if (code != 0) return failed("read", path_, code);
    Summary found;
    return rows(opened.value(), transaction).read(table, found, summary_, visitor);
  }

  StorageResult<std::string> defragment() override {
    const std::string path_before = full_path(file_before);
    const auto give_up = [&](const StorageError& error) -> StorageResult<std::string> {
      if (!files_.exists(file_before)) return error.message;
      const StorageStatus removed = files_.remove(file_before);
      return removed ? error.message : error.message + "; " + removed.error().message;
    };
    if (files_.exists(file_before)) {
      if (const StorageStatus removed = files_.remove(file_before); !removed) return removed.error().message;
    }
    {
      const StorageResult<Opened> opened = open();
      if (!opened) return opened.error();
      if (const StorageStatus status = check_unchanged(opened.value()); !status) return status.error();
      const int code = opened.value().environment->copy_compactly(path_before);
      if (code != 0) return give_up(failed("write", path_before, code));
    }
    // What replaces the file is trusted no more than at boot.
    if (const StorageStatus status = metastore::storage::check(path_before); !status) return give_up(status.error());
    if (const StorageStatus status = files_.rename(file_before, file); !status) return give_up(status.error());
    // From here on this is the file: were it not, after a power cut, it would lack what the log lets go of.
    if (const StorageStatus status = files_.sync_directory(directory); !status) return status.error();
    return std::string();
  }

  StorageResult<std::unique_ptr<port::Engine>> stage() override {
    if (const StorageStatus status = drop_staged(); !status) return status.error();
    auto engine = std::make_unique<EngineLmdb>(files_, data_directory_, file_staged, options_);
    if (const StorageStatus status = engine->create(); !status) return status.error();
    if (const StorageStatus status = files_.sync_directory(directory); !status) return status.error();
    return std::unique_ptr<port::Engine>(std::move(engine));
  }

  StorageResult<std::unique_ptr<port::Engine>> staged() override {
    if (!files_.exists(file_staged)) return std::unique_ptr<port::Engine>();
    const std::string path = full_path(file_staged);
    const StorageStatus checked = options_.checks_in_child ? check_in_child(path) : metastore::storage::check(path);
    if (!checked) return checked.error();
    auto engine = std::make_unique<EngineLmdb>(files_, data_directory_, file_staged, options_);
    if (const StorageStatus status = engine->load(); !status) return status.error();
    return std::unique_ptr<port::Engine>(std::move(engine));
  }

  StorageStatus check() override { return metastore::storage::check(path_); }

  StorageStatus install(std::unique_ptr<port::Engine> staged) override {
    // Its file is open only while a call lasts.
    staged.reset();
    if (const StorageStatus status = files_.rename(file_staged, file); !status) return status;
    if (const StorageStatus status = files_.sync_directory(directory); !status) return status;
    map_bytes_ = map_bytes_for(size_of(path_));
    return load();
  }

  StorageStatus drop_staged() override {
    if (!files_.exists(file_staged)) return Done{};
    return files_.remove(file_staged);
  }

  std::uint64_t file_bytes() override { return size_of(path_); }

 private:
  std::string full_path(std::string_view name) const { return data_directory_ + "/" + std::string(name); }
  std::uint64_t map_bytes_for(std::uint64_t bytes) const {
    const std::uint64_t most = options_.file_bytes_max;
    return std::clamp(2 * bytes, std::min(map_bytes_min, most), most);
  }

  StorageResult<Opened> open() const {
    StorageResult<std::unique_ptr<Environment>> environment = Environment::open(path_, map_bytes_);
    if (!environment) return environment.error();
    Opened opened{.environment = std::move(environment).value()};
    // Makes the tables that are missing: all of a new file's, and those which a newer build brought.
    Transaction transaction;
    int code = transaction.begin(*opened.environment, 0);
    if (code == 0) code = open_tables(transaction, MDB_CREATE, opened.handles);
    if (code == 0) code = transaction.commit();
    if (code != 0) return failed("open", path_, code);
    return opened;
  }

  Rows rows(const Opened& opened, const Transaction& transaction) const {
    return Rows(*opened.environment, transaction, opened.handles);
  }

  /// LMDB makes a file that somebody took away anew, and would then keep part of the state in it.
  StorageStatus check_unchanged(const Opened& opened) const {
    Transaction transaction;
    const int code = transaction.begin(*opened.environment, MDB_RDONLY);
    if (code != 0) return failed("read", path_, code);
    const StorageResult<Summary> summary = rows(opened, transaction).format();
    if (!summary) return summary.error();
    if (summary.value() != summary_) return damaged(path_, "another process has written to it");
    return Done{};
  }

  int write(const Opened& opened, const Checkpoint& checkpoint) {
    Writer writer(opened, summary_);
    const int code = writer.write(checkpoint.rows.view());
    if (code == 0) summary_ = writer.summary();
    return code;
  }

  port::Files& files_;
  const std::string data_directory_;
  const std::string path_;
  const EngineOptions options_;
  std::uint64_t map_bytes_;
  Summary summary_;  ///< Of what is durable.
};

}  // namespace

StorageStatus EnginesLmdb::create() {
  EngineLmdb engine(files_, directory_, file_before, options_);
  if (const StorageStatus status = engine.create(); !status) return status;
  if (const StorageStatus status = files_.rename(file_before, file); !status) return status;
  return files_.sync_directory(directory);
}

StorageResult<std::unique_ptr<port::Engine>> EnginesLmdb::open() {
  // The directories before the file: each is durable in its own parent.
  if (const StorageStatus status = files_.create_directory(parent); !status) return status.error();
  if (const StorageStatus status = files_.sync_directory(""); !status) return status.error();
  if (const StorageStatus status = files_.create_directory(directory); !status) return status.error();
  if (const StorageStatus status = files_.sync_directory(parent); !status) return status.error();
  if (files_.exists(file_before)) {
    if (const StorageStatus status = files_.remove(file_before); !status) return status.error();
  }
  if (!files_.exists(file)) {
    if (const StorageStatus status = create(); !status) return status.error();
  }
  const std::string path = full_path(file);
  if (const StorageStatus status = options_.checks_in_child ? check_in_child(path) : check(path); !status) {
    return status.error();
  }
  auto engine = std::make_unique<EngineLmdb>(files_, directory_, file, options_);
  if (const StorageStatus status = engine->load(); !status) return status.error();
  return std::unique_ptr<port::Engine>(std::move(engine));
}

}  // namespace metastore::storage
