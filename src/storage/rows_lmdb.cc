#include "storage/rows_lmdb.h"

#include <utility>

namespace metastore::storage {

using port::StorageResult;
using port::StorageStatus;

StorageResult<Summary> Rows::format() const {
  if (handles_.format == TableHandles::absent) return damaged(path_, "it has no format row");
  MDB_val key = to_value(format_name);
  MDB_val item{};
  const int code = ::mdb_get(transaction_.get(), handles_.format, &key, &item);
  if (code == MDB_NOTFOUND) return damaged(path_, "it has no format row");
  if (code != 0) return failed("read", path_, code);
  Result<Summary, std::string> summary = decode_format(to_view(item));
  if (!summary) return port::StorageError{path_ + " cannot be served: " + summary.error()};
  return summary.value();
}

StorageStatus Rows::read(Table table, Summary& found, const Summary& bound, port::RowVisitor& visitor) {
  if (handles_.of(table) == TableHandles::absent) return Done{};
  Cursor cursor;
  if (const int code = cursor.open(transaction_, handles_.of(table)); code != 0) return failed("read", path_, code);
  MDB_val key{};
  MDB_val item{};
  std::string last;
  while (true) {
    const int code = cursor.next(key, item);
    if (code == MDB_NOTFOUND) return Done{};
    if (code != 0) return failed("read", path_, code);
    const BytesView row = to_view(key);
    if (row <= last) return damaged(path_, describe_row(table, row) + " is not in its place");
    last = row;
    const Result<Head, std::string_view> head = read_head(table, row, to_view(item));
    if (!head) return damaged(path_, describe_row(table, row) + ": " + std::string(head.error()));
    found.add(head.value().crc);
    BytesView value = head.value().first;
    if (value.size() < head.value().value_size) {
      if (const StorageStatus status = add_parts(table, row, head.value(), found); !status) return status;
      value = value_;
    }
    if (found.items > bound.items) return damaged(path_, "it has more rows than were written");
    if (const StorageStatus status = visitor.row(row, value); !status) return status;
  }
}

StorageStatus Rows::add_parts(Table table, BytesView key, const Head& head, Summary& found) {
  value_ = head.first;
  for (std::size_t number = 0; number < part_count(head.value_size); ++number) {
    const std::string part_name = part_key(table, key, number);
    MDB_val lookup = to_value(part_name);
    MDB_val item{};
    const int code = handles_.parts == TableHandles::absent
                         ? MDB_NOTFOUND
                         : ::mdb_get(transaction_.get(), handles_.parts, &lookup, &item);
    if (code == MDB_NOTFOUND) return damaged(path_, describe_row(table, key) + ": a part of it is missing");
    if (code != 0) return failed("read", path_, code);
    const Result<Part, std::string_view> part = read_part(part_name, to_view(item));
    if (!part) return damaged(path_, describe_row(table, key) + ": " + std::string(part.error()));
    found.add(part.value().crc);
    value_ += part.value().bytes;
  }
  if (value_.size() == head.value_size) return Done{};
  return damaged(path_, describe_row(table, key) + ": its parts do not make up its value");
}

}  // namespace metastore::storage
