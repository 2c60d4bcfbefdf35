// Writes the deeds of a drawn run into a file, each before it is done: the run may not survive it.
// It must never change what it writes down.
#ifndef METASTORE_SIM_DEED_WRITER_POSIX_H_
#define METASTORE_SIM_DEED_WRITER_POSIX_H_

#include <cstdio>

#include "core/host/port/loop.h"
#include "sim/scenario.h"

namespace metastore::sim {

class DeedWriter final : public port::Task {
 public:
  explicit DeedWriter(std::FILE* out) : out_(out) {}
  void set(Simulation& simulation) { simulation_ = &simulation; }
  void run() override {
    for (const Deed& deed : simulation_->take_deeds()) std::fputs(deed_line(deed).c_str(), out_);
    std::fflush(out_);
  }

 private:
  std::FILE* out_;
  Simulation* simulation_ = nullptr;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_DEED_WRITER_POSIX_H_
