// O9: what each member's disk holds for certain, so that a run in which nobody is served any more can say whether it
// could have been: no member can be blamed for what is on no disk. Told at the boundary of each replica: what it wants
// written, what it hears is durable, what it says is committed. What a crash may have left besides is not counted.
#ifndef METASTORE_SIM_CHECKERS_ATLAS_H_
#define METASTORE_SIM_CHECKERS_ATLAS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/base/tagged.h"
#include "sim/checkers/log_outline.h"

namespace metastore::sim {

class Atlas {
 public:
  /// The member was started. Its log begins behind this entry, which a checkpoint holds,
  void on_boot(MemberId member, LogIndex marked, Term term);
  /// and this is in it.
  void on_found(MemberId member, LogIndex index, Term term);
  /// A write that is to put this entry into the log. What stood there and behind it may go.
  void on_entry(MemberId member, LogWriteId write, LogIndex index, Term term);
  /// A write that says that everything up to this entry is in a durable checkpoint, or image.
  void on_mark(MemberId member, LogWriteId write, LogIndex index, Term term);
  /// All writes up to this one are durable.
  void on_written(MemberId member, LogWriteId write);
  /// The member says that everything up to here is committed. Its log has it, durable or not.
  void on_committed(MemberId member, LogIndex index);
  /// What was not durable may be gone, until it is found.
  void on_crash(MemberId member);

  /// As the member wants it written.
  const LogOutline& log_of(MemberId member) const { return disks_.at(member).log; }
  /// Whether this entry, or a checkpoint behind it, is durable there.
  bool holds(MemberId member, LogIndex index, Term term) const;

  /// "recoverable: ..." or "not recoverable: ...", if these members run and may write, and each of these sets of voters
  /// may rule.
  std::string verdict(const std::vector<MemberId>& running,
                      const std::vector<std::vector<MemberId>>& configurations) const;

 private:
  struct Write {
    LogWriteId id;
    LogIndex last;
  };
  struct Disk {
    LogOutline log;  ///< From the newest mark on.
    LogIndex marked;
    LogIndex durable;
    std::deque<Write> writes;  ///< Not durable yet.
  };

  static bool holds(const Disk& disk, LogIndex index, Term term);

  std::map<MemberId, Disk> disks_;
  LogIndex committed_;
  Term committed_term_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_ATLAS_H_
