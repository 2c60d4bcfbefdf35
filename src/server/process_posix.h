// The figures of this process, from /proc and the limits of the system (proc(5), getrlimit(2)). Each
// call looks anew; nothing is kept.
#ifndef METASTORE_SERVER_PROCESS_POSIX_H_
#define METASTORE_SERVER_PROCESS_POSIX_H_

#include "core/host/port/process.h"

namespace metastore::server {

class ProcessPosix final : public port::Process {
 public:
  port::ProcessUse use() const override;
};

}  // namespace metastore::server

#endif  // METASTORE_SERVER_PROCESS_POSIX_H_
