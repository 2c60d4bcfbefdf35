#include "core/replica/checkpoint.h"

#include <utility>

#include "core/base/assert.h"

namespace metastore {

void RowWriter::put(Table table, BytesView key, BytesView value) {
  Encoder out(rows_);
  out.u64(static_cast<std::uint64_t>(table));
  out.bytes(key);
  out.boolean(true);
  out.bytes(value);
}

void RowWriter::erase(Table table, BytesView key) {
  Encoder out(rows_);
  out.u64(static_cast<std::uint64_t>(table));
  out.bytes(key);
  out.boolean(false);
}

Bytes RowWriter::take() { return Bytes::copy_of(std::exchange(rows_, {})); }

std::optional<Row> RowReader::next() {
  if (in_.at_end()) return std::nullopt;
  Row row;
  row.table = static_cast<Table>(in_.u64());
  row.key = in_.bytes();
  if (in_.boolean()) row.value = in_.bytes();
  ASSERT(in_.ok());
  return row;
}

}  // namespace metastore
