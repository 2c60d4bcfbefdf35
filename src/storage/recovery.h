// From a data directory to what a Replica starts from: the identity, the engine's checkpoint, the log's contents, and
// the log's writer behind them. Makes all of it for a new member. A crash at any file operation in here leaves
// something that boots again; what cannot be trusted is refused with a sentence that names it. Source: design D3 and
// laws 2 and 6.
#ifndef METASTORE_STORAGE_RECOVERY_H_
#define METASTORE_STORAGE_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/limits.h"
#include "core/host/port/engine.h"
#include "core/host/port/files.h"
#include "core/replica/config.h"
#include "storage/identity.h"
#include "storage/wal.h"
#include "storage/wal_record.h"

namespace metastore::storage {

/// What a member is made of if the data directory holds none yet; left aside if it does.
struct NewMember {
  std::uint64_t data_id = 0;  ///< Drawn at random.
  Metadata metadata;
  raft::LogWrite first;  ///< How its log begins: a new cluster's ConfChange entries, committed at term 1.
};

struct Recovery {
  bool created = false;
  Identity identity;  ///< Its incarnation is this boot's.
  Metadata metadata;  ///< The log's, whatever NewMember says.
  Recovered recovered;
  std::string torn;  ///< What was cut off the log's end, half a sentence for a log line; mostly empty.
  std::unique_ptr<Wal> wal;
  std::unique_ptr<port::Engine> engine;
};

/// Whether a member has begun there; otherwise recover() makes one.
port::StorageResult<bool> holds_member(port::Files& files);

port::StorageResult<Recovery> recover(port::Files& files, port::Engines& engines, const Limits& limits,
                                      const NewMember& new_member);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_RECOVERY_H_
