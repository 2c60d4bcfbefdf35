// The durable tables of the applied state (design D4, D5). Calls block; they are made at boot or on a Worker. Three
// implementations: LMDB (storage/engine_lmdb), none at all (--engine=memory), and the simulator's twin
// (sim/engine_sim). Nothing above this interface may behave differently on one of them.
#ifndef METASTORE_CORE_HOST_PORT_ENGINE_H_
#define METASTORE_CORE_HOST_PORT_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "core/host/port/files.h"
#include "core/replica/checkpoint.h"

namespace metastore::port {

/// Takes the rows of one table in the order of their keys; an error ends the reading.
class RowVisitor {
 public:
  virtual StorageStatus row(BytesView key, BytesView value) = 0;

 protected:
  ~RowVisitor() = default;
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// All of it or nothing; durable when it returns. A failed call is never retried (design, law 4).
  virtual StorageStatus write(const Checkpoint& checkpoint) = 0;
  /// Every row was checked: damage is an error that names the file and the row, never a wrong value.
  virtual StorageStatus read(Table table, RowVisitor& visitor) = 0;
  /// Rewrites the file without the room that nothing uses. What stood in it stands in it afterwards, also if the power
  /// goes meanwhile. The sentence tells why nothing was done, and is empty if it was; an error ends the member.
  virtual StorageResult<std::string> defragment() = 0;
  /// Another engine beside this one, empty, in place of whatever stands there (design, law 3).
  virtual StorageResult<std::unique_ptr<Engine>> stage() = 0;
  /// That which a former run has filled; none if nothing stands there. Nobody has looked at it since.
  virtual StorageResult<std::unique_ptr<Engine>> staged() = 0;
  /// Reads everything back, as open() does.
  virtual StorageStatus check() = 0;
  /// What `staged` holds takes the place of what this one held: all of it or nothing; durable when it returns.
  virtual StorageStatus install(std::unique_ptr<Engine> staged) = 0;
  /// Removes what stands beside this one, if anything does.
  virtual StorageStatus drop_staged() = 0;

  /// Of the file, for status pages; no decision may depend on it.
  virtual std::uint64_t file_bytes() = 0;

  /// How long the last write() took, as who did it says; for figures, never for decisions.
  Duration write_took;
};

class Engines {
 public:
  virtual ~Engines() = default;
  /// Opens the engine of this data directory, or makes an empty one. A file that cannot be trusted is refused by name.
  virtual StorageResult<std::unique_ptr<Engine>> open() = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_ENGINE_H_
