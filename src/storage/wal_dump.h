// A log as text for people: one line a record, a segment's name before its own. Reads what etcd writes as well as what
// we write, and changes nothing. It judges frames and checksums, but not what Raft makes of them.
#ifndef METASTORE_STORAGE_WAL_DUMP_H_
#define METASTORE_STORAGE_WAL_DUMP_H_

#include <string>
#include <utility>

#include "core/host/port/files.h"
#include "storage/wal_reader.h"

namespace metastore::storage {

class WalDump {
 public:
  /// The log in the root of `files`, or in its member/wal if it is a data directory. Errors: there is none.
  static port::StorageResult<WalDump> open(port::Files& files);

  /// Appends the next record's line to `out`; false behind the last one. Errors: the log is damaged.
  port::StorageResult<bool> next(std::string& out);

 private:
  explicit WalDump(WalReader reader) : reader_(std::move(reader)) {}

  WalReader reader_;
  bool ended_ = false;
};

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_WAL_DUMP_H_
