#include "server/log_posix.h"

#include <unistd.h>

#include <cerrno>

#include "server/log_lines.h"

namespace metastore::server {

void LogPosix::trace(const std::vector<TraceLine>& lines) {
  text_.clear();
  for (const TraceLine& line : lines) {
    if (line.level >= least_) append_log_line(text_, loop_.wall_now(), line);
  }
  std::size_t written = 0;
  while (written < text_.size()) {
    const ssize_t size = write(descriptor_, text_.data() + written, text_.size() - written);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    written += static_cast<std::size_t>(size);
  }
}

}  // namespace metastore::server
