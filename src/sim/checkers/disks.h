// O11: every disk that the faults can leave boots, or is refused by the name of a file that another hand has changed; a
// member whose disk has failed ends, and tries nothing again; and no disk that works is said to have failed.
#ifndef METASTORE_SIM_CHECKERS_DISKS_H_
#define METASTORE_SIM_CHECKERS_DISKS_H_

#include <optional>
#include <string_view>

#include "core/base/time.h"
#include "sim/checkers/violation.h"

namespace metastore::sim {

/// Of one machine. Its disk works as long as it has power and nothing on it has failed.
class DiskChecker {
 public:
  /// The loop hears within that time of what its helper thread has seen.
  explicit DiskChecker(Duration report_max) : report_max_(report_max) {}

  /// A start was refused in these words. `damaged`: the file that is not as it was written, "" if all are.
  std::optional<Violation> on_refused(Instant now, std::string_view message, std::string_view damaged,
                                      bool works) const;
  /// A member that runs says that its storage has failed.
  std::optional<Violation> on_failure(Instant now, std::string_view message, bool works) const;
  /// After each event, while a member runs whose disk has failed.
  std::optional<Violation> on_broken(Instant now, bool has_retried);
  /// It was paused for so long, and could not end.
  void on_paused(Duration length);
  /// It runs no more.
  void on_down() { broken_since_ = Instant::never(); }

 private:
  Duration report_max_;
  Instant broken_since_ = Instant::never();
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_DISKS_H_
