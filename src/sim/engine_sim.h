// The engine on a simulated disk: all rows in one file, written anew beside the old one, synced and renamed. So a write
// is many operations at which the power may go, and all of it or nothing is left, as LMDB promises. How LMDB keeps that
// promise is tested with the real one (tests/engine).
#ifndef METASTORE_SIM_ENGINE_SIM_H_
#define METASTORE_SIM_ENGINE_SIM_H_

#include <memory>

#include "core/host/port/engine.h"
#include "core/host/port/files.h"

namespace metastore::sim {

class EnginesSim final : public port::Engines {
 public:
  explicit EnginesSim(port::Files& files) : files_(files) {}
  port::StorageResult<std::unique_ptr<port::Engine>> open() override;

 private:
  port::Files& files_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_ENGINE_SIM_H_
