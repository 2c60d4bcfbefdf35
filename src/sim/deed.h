// What somebody outside of the members does at one moment: a client asks, the power goes, the network is cut. A drawn
// run is nothing but its deeds and the noise of disks and networks between them, so that it can be written down, edited
// and done again (scenario.h). Deeds are values; whoever does them ignores those that make no sense any more, because
// others were taken away: nobody kills a member that is down.
#ifndef METASTORE_SIM_DEED_H_
#define METASTORE_SIM_DEED_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "core/host/port/loop.h"
#include "sim/files_sim.h"
#include "sim/operation.h"

namespace metastore::sim {

/// A client asks, as soon as it has no other question open and the member takes questions.
struct Ask {
  std::uint64_t client = 0;
  std::uint64_t member = 0;
  Duration patience;
  Request request;
};

/// One bit of a file.
struct Flip {
  std::string path;
  std::uint64_t offset = 0;
  unsigned bit = 0;
};

/// A piece of a file is found in another place, too, over what had been written there: a write went astray.
struct Misplaced {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::string onto;
  std::uint64_t onto_offset = 0;
};

/// A machine that is down is started. The power may go again after so many file operations (0: it stays), a bit may
/// have turned over in the meantime, or a piece of a file have been found in the wrong place, and somebody may have
/// changed its settings (0: they are the plan's).
struct Boot {
  std::uint64_t member = 0;
  std::uint64_t power_off_after = 0;
  std::optional<Flip> flip;
  std::optional<Misplaced> misplaced = {};
  std::uint64_t configuration = 0;
};

/// The power goes: now, or during the so manieth file operation from now.
struct PowerOff {
  std::uint64_t member = 0;
  std::uint64_t after = 0;  ///< 0: now.
};

/// The process dies; what it wrote stays with the operating system.
struct Kill {
  std::uint64_t member = 0;
};

/// The process is asked to stop.
struct Stop {
  std::uint64_t member = 0;
};

/// The disk fails, from the so manieth file operation from now on.
struct BreakDisk {
  std::uint64_t member = 0;
  DiskFault fault = DiskFault::none;
  std::uint64_t after = 0;
};

/// The process dies if it runs, and another disk is put in: an empty one, or, if that is in, its own again.
struct SwapDisk {
  std::uint64_t member = 0;
};

/// The next thing that its disk does for the log, or for the engine, takes so much longer.
struct StallDisk {
  std::uint64_t member = 0;
  Duration longer;
  bool is_engine = false;
};

/// The process does nothing for so long, and then goes on as if nothing had been.
struct Pause {
  std::uint64_t member = 0;
  Duration length;
};

/// Its people set its wall clock forward, or back.
struct JumpClock {
  std::uint64_t member = 0;
  Duration forward;
  Duration back;
};

/// The operator asks a member to change who belongs to the cluster.
struct ChangeMembers {
  enum class Kind : std::uint8_t { add, add_learner, promote, update, remove };
  std::uint64_t member = 0;  ///< Who is asked.
  Kind kind = Kind::add;
  std::uint64_t target = 0;  ///< The number of the one that comes or goes, or whose URLs are told again.
};

/// A member is asked to let another one lead.
struct MoveLeader {
  std::uint64_t member = 0;
  std::uint64_t target = 0;  ///< The number of that other one.
};

/// A member is told so often to take back a lease that nobody was granted: entries of the log that change nothing.
struct Flood {
  std::uint64_t member = 0;
  std::uint64_t requests = 0;
};

/// Who was added is made ready to start, knowing whom it is to talk to.
struct Admit {
  std::uint64_t member = 0;
};

/// Nothing goes from the one to the other of each pair any more.
struct CutLinks {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> links;
};

/// All that was cut is whole again.
struct Mend {};

/// A watcher opens a stream, in place of the one that it has.
struct OpenStream {
  std::uint64_t watcher = 0;
  std::uint64_t member = 0;
  bool is_eager = false;         ///< It asks for progress behind every event.
  bool requires_leader = false;  ///< It shall end when the member knows of none.
};

/// It asks for one more watch on it.
struct AddWatch {
  std::uint64_t watcher = 0;
  KeyRange keys;
  std::int64_t start = 0;
  std::int64_t id = 0;
  bool wants_previous = false;
  bool without_puts = false;
  bool without_deletes = false;
  bool wants_fragments = false;
  bool wants_progress = false;
};

/// It ends the oldest watch.
struct CancelWatch {
  std::uint64_t watcher = 0;
};

struct AskProgress {
  std::uint64_t watcher = 0;
};

/// It takes what it was sent, or lets it lie from now on.
struct ReadStream {
  std::uint64_t watcher = 0;
  bool wants_more = true;
};

struct CloseStream {
  std::uint64_t watcher = 0;
};

/// A keeper renews a lease, on the stream that it has with this member or a new one.
struct Renew {
  std::uint64_t keeper = 0;
  std::uint64_t member = 0;
  std::int64_t lease = 0;
  bool requires_leader = false;  ///< A new one shall end when the member knows of none.
};

struct CloseKeeper {
  std::uint64_t keeper = 0;
};

using DeedKind = std::variant<Ask, Boot, PowerOff, Kill, Stop, BreakDisk, SwapDisk, StallDisk, Pause, JumpClock,
                              ChangeMembers, MoveLeader, Flood, Admit, CutLinks, Mend, OpenStream, AddWatch,
                              CancelWatch, AskProgress, ReadStream, CloseStream, Renew, CloseKeeper>;

struct Deed {
  Instant at;
  DeedKind kind;
};

/// Whether it harms a member or the way between them. What brings them back is no fault.
bool is_fault(const Deed& deed);

/// "put k value=v client=3 member=1 within=2s": a verb and its words, without the time.
std::string deed_text(const DeedKind& kind);
/// What such words say; none if they are no deed, and then `reason` says why.
std::optional<DeedKind> parse_deed(const std::vector<std::string>& words, std::string& reason);

/// The deeds of a drawn run, in order, for whoever wants to write them down.
class DeedLog {
 public:
  /// `told`, if any, is run for each deed before it is done: the run may not survive it. Null: nobody wants to know.
  explicit DeedLog(port::Task* told) : told_(told) {}

  void add(Instant at, const DeedKind& kind) {
    if (told_ == nullptr) return;
    deeds_.push_back({at, kind});
    told_->run();
  }
  std::deque<Deed> take() { return std::exchange(deeds_, {}); }

 private:
  port::Task* told_;
  std::deque<Deed> deeds_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_DEED_H_
