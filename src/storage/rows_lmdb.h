// Reads rows out of an open transaction and checks each on the way: key order, checksums, parts. The engine's reading
// and the check at boot are this one walk. A row that cannot be trusted ends it with a sentence that names file, table
// and row; the walk itself changes nothing.
#ifndef METASTORE_STORAGE_ROWS_LMDB_H_
#define METASTORE_STORAGE_ROWS_LMDB_H_

#include <string>

#include "core/host/port/engine.h"
#include "storage/environment_lmdb.h"
#include "storage/schema.h"

namespace metastore::storage {

class Rows {
 public:
  Rows(const Environment& environment, const Transaction& transaction, const TableHandles& handles)
      : path_(environment.path()), transaction_(transaction), handles_(handles) {}

  /// What the file says it holds.
  port::StorageResult<Summary> format() const;
  /// Gives all rows of `table` to `visitor` and adds their items to `found`, which may not exceed `bound`: a tree with
  /// a cycle in it has no end.
  port::StorageStatus read(Table table, Summary& found, const Summary& bound, port::RowVisitor& visitor);

 private:
  port::StorageStatus add_parts(Table table, BytesView key, const Head& head, Summary& found);

  const std::string& path_;
  const Transaction& transaction_;
  const TableHandles& handles_;
  std::string value_;  ///< One that has parts.
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_ROWS_LMDB_H_
