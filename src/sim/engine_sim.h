// The engine on a simulated disk: one file, in which rows stand behind one another, and two slots that say
// how many of them count; when most of it is waste, it is written anew beside the old one, synced and renamed.
// So a write is many operations at which the power may go, and all of it or nothing is left, as LMDB promises. How LMDB
// keeps that promise is tested with the real one (tests/engine).
#ifndef METASTORE_SIM_ENGINE_SIM_H_
#define METASTORE_SIM_ENGINE_SIM_H_

#include <cstdint>
#include <memory>

#include "core/host/port/engine.h"
#include "core/host/port/files.h"

namespace metastore::sim {

struct EngineCounts {
  std::uint64_t checkpoints = 0;  ///< Written durably.
  std::uint64_t reopened = 0;     ///< Openings that found one.
  std::uint64_t installed = 0;    ///< Of snapshots.
};

class EnginesSim final : public port::Engines {
 public:
  explicit EnginesSim(port::Files& files) : files_(files) {}
  port::StorageResult<std::unique_ptr<port::Engine>> open() override;
  const EngineCounts& counts() const { return counts_; }

 private:
  port::Files& files_;
  EngineCounts counts_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_ENGINE_SIM_H_
