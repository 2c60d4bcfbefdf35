// What the engine is to hold, as data: tables of rows, each a key and a value whose meaning belongs to the core. A
// Checkpoint is one atomic change of them, encoded once into one block. The engine never looks inside a value.
#ifndef METASTORE_CORE_REPLICA_CHECKPOINT_H_
#define METASTORE_CORE_REPLICA_CHECKPOINT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/encoder.h"
#include "core/base/tagged.h"

namespace metastore {

/// The numbers and names stand in the engine's file: none is ever given a new meaning.
enum class Table : std::uint8_t {
  state = 0,    ///< One row a fact: what is applied, revisions, configuration.
  records = 1,  ///< MVCC records by (main, sub), each 8 bytes, big-endian: new keys rise.
  leases = 2,
  members = 3,
  alarms = 4,
};

struct Row {
  Table table = Table::state;
  BytesView key;
  std::optional<BytesView> value;  ///< None: the row is deleted; one that is not there is no error.
};

/// One atomic change of the engine's tables. Rows take effect in their order.
struct Checkpoint {
  LogIndex applied_index;  ///< The engine holds what entries up to here left, once this is durable.
  Bytes rows;              ///< Written by RowWriter, read by RowReader.
  bool operator==(const Checkpoint&) const = default;
};

class RowWriter {
 public:
  void put(Table table, BytesView key, BytesView value) { put(table, key, {}, value); }
  /// A value in two parts.
  void put(Table table, BytesView key, BytesView value_head, BytesView value_tail);
  void erase(Table table, BytesView key);
  std::size_t size() const { return rows_.size(); }
  /// All rows so far as one block; the writer is empty afterwards, and keeps its room.
  Bytes take();

 private:
  std::string rows_;
};

/// Whether a RowReader can read it: for rows that another member sent, each with a value.
bool are_rows(BytesView bytes);

class RowReader {
 public:
  explicit RowReader(BytesView rows) : in_(rows) {}
  /// The next row, viewing the bytes; none at the end.   Requires: written by RowWriter.
  std::optional<Row> next();

 private:
  Decoder in_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_CHECKPOINT_H_
