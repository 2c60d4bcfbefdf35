#include "core/replica/checkpoint.h"

#include <limits>
#include <type_traits>

#include "core/base/assert.h"

namespace metastore {

void RowWriter::put(Table table, BytesView key, BytesView value_head, BytesView value_tail) {
  Encoder out(rows_);
  out.u64(static_cast<std::uint64_t>(table));
  out.bytes(key);
  out.boolean(true);
  out.u64(value_head.size() + value_tail.size());
  rows_.append(value_head);
  rows_.append(value_tail);
}

void RowWriter::erase(Table table, BytesView key) {
  Encoder out(rows_);
  out.u64(static_cast<std::uint64_t>(table));
  out.bytes(key);
  out.boolean(false);
}

Bytes RowWriter::take() {
  const Bytes rows = Bytes::copy_of(rows_);
  rows_.clear();
  return rows;
}

bool are_rows(BytesView bytes) {
  Decoder in(bytes);
  while (in.ok() && !in.at_end()) {
    if (in.u64() > std::numeric_limits<std::underlying_type_t<Table>>::max()) return false;
    in.bytes();
    if (!in.boolean()) return false;
    in.bytes();
  }
  return in.ok();
}

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
