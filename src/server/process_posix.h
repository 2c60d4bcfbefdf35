// What this process is to the system: its figures, from /proc and the limits (proc(5), getrlimit(2)), each call looking
// anew; and how it holds memory (mallopt(3)).
#ifndef METASTORE_SERVER_PROCESS_POSIX_H_
#define METASTORE_SERVER_PROCESS_POSIX_H_

#include "core/host/port/process.h"

namespace metastore::server {

class ProcessPosix final : public port::Process {
 public:
  port::ProcessUse use() const override;
};

/// Some memory that is freed stays with the process: with connections that come and go it would be given back and
/// fetched again without end, a page fault for each of its pages. To be called before anything else.
void hold_freed_memory();

}  // namespace metastore::server

#endif  // METASTORE_SERVER_PROCESS_POSIX_H_
