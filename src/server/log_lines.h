// Trace lines as the log lines that etcd's operators read: one JSON object a line, in zap's form, with the keys level,
// ts, caller, msg and then the fact's own fields (contract 4.3). The output is valid JSON whatever the fields hold.
#ifndef METASTORE_SERVER_LOG_LINES_H_
#define METASTORE_SERVER_LOG_LINES_H_

#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/base/trace.h"

namespace metastore::server {

/// Appends `line` with its newline. The time is written in UTC: "2026-01-02T15:04:05.000000Z".
void append_log_line(std::string& out, WallTime time, const TraceLine& line);

/// Of ids in log lines, as etcd writes them: hexadecimal without leading zeros.
std::string hexadecimal(std::uint64_t id);

}  // namespace metastore::server

#endif  // METASTORE_SERVER_LOG_LINES_H_
