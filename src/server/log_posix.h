// The log of a running member: trace lines at or above its level go to standard error, and nothing else ever does
// after the start. A line that cannot be written is lost; the member does not stop for its log.
#ifndef METASTORE_SERVER_LOG_POSIX_H_
#define METASTORE_SERVER_LOG_POSIX_H_

#include <string>
#include <vector>

#include "core/host/port/executors.h"
#include "core/host/port/loop.h"

namespace metastore::server {

class LogPosix final : public port::TraceSink {
 public:
  LogPosix(const port::Loop& loop, TraceLevel least, int descriptor)
      : loop_(loop), least_(least), descriptor_(descriptor) {}

  void trace(const std::vector<TraceLine>& lines) override;

 private:
  const port::Loop& loop_;
  TraceLevel least_;
  int descriptor_;
  std::string text_;  ///< Of one call; kept for its memory.
};

}  // namespace metastore::server

#endif  // METASTORE_SERVER_LOG_POSIX_H_
