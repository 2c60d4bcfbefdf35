// The real process under ./dev crash: started, stopped where it is, looked at from outside, and killed. What it was
// doing at that moment is told by the system calls in which its threads are, by the files that it holds open, and by
// the log's directory: nothing in the product knows of this.
#ifndef METASTORE_TESTS_CRASH_PROCESS_H_
#define METASTORE_TESTS_CRASH_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::crash {

enum class Phase : std::uint8_t {
  recovery,         ///< From the lock on the data directory until it says that it serves.
  log_write,        ///< Writing or syncing a batch, or zeros ahead of it.
  segment_cut,      ///< From the end of one segment to the first batch of the next.
  segment_release,  ///< Removing a segment that a mark stands for.
  checkpoint,       ///< The engine's file is open: rows are put into a transaction, written, or were just committed.
  engine_write,     ///< Of a checkpoint: LMDB writes or syncs its pages or its root.
};
constexpr Phase phases[] = {Phase::recovery,        Phase::log_write,  Phase::segment_cut,
                            Phase::segment_release, Phase::checkpoint, Phase::engine_write};
std::string_view name(Phase phase);

class Process {
 public:
  /// `data_directory`: absolute, without links in it.
  Process(std::vector<std::string> command, std::string data_directory)
      : command_(std::move(command)), data_directory_(std::move(data_directory)) {}
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void start();
  /// Whether it says that it serves before so long is over. Throws Broken if it has ended by itself.
  bool is_ready_within(std::int64_t microseconds);
  /// Stops it. What its two workers do at that moment can be two phases, or none.
  std::set<Phase> stop_and_look();
  void go_on();
  /// With SIGKILL, and waits until it and whatever it has forked is gone.
  void kill();
  /// Of this start.
  const std::string& said() const { return said_; }

 private:
  void hear();
  using Descriptors = std::map<int, std::string>;
  Descriptors descriptors() const;
  void look_at_thread(const std::string& thread, const Descriptors& open, std::set<Phase>& found) const;
  bool is_cutting() const;

  const std::vector<std::string> command_;
  const std::string data_directory_;
  pid_t id_ = -1;
  int output_ = -1;
  bool ready_ = false;
  std::string said_;
};

}  // namespace metastore::crash

#endif  // METASTORE_TESTS_CRASH_PROCESS_H_
