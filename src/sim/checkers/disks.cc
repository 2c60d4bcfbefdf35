#include "sim/checkers/disks.h"

#include <string>

namespace metastore::sim {

std::optional<Violation> DiskChecker::on_refused(Instant now, std::string_view message, std::string_view damaged,
                                                 bool works) const {
  // Where a whole segment stands in another's place, each file is as it was once written: the log is named then.
  const bool is_log = damaged.starts_with("member/wal/");
  const bool is_refused_by_name =
      !damaged.empty() && (message.find(damaged) != std::string_view::npos ||
                           (is_log && message.find("the log in member/wal ends at") != std::string_view::npos));
  if (!works || is_refused_by_name) return std::nullopt;
  return Violation{"O11", now, "a boot was refused: " + std::string(message)};
}

std::optional<Violation> DiskChecker::on_failure(Instant now, std::string_view message, bool works) const {
  if (!works) return std::nullopt;
  return Violation{"O11", now, "storage failed on a disk that works: " + std::string(message)};
}

std::optional<Violation> DiskChecker::on_broken(Instant now, bool has_retried) {
  if (broken_since_ == Instant::never()) broken_since_ = now;
  if (has_retried) return Violation{"O11", now, "what failed on the disk is tried again"};
  // The helper thread knows at once, the loop when the job is reported.
  if (now <= broken_since_ + report_max_ * 2) return std::nullopt;
  return Violation{"O11", now, "the member goes on, though its disk has failed"};
}

void DiskChecker::on_paused(Duration length) { broken_since_ = broken_since_ + length; }

}  // namespace metastore::sim
