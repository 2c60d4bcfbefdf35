#include "tests/crash/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>

#include "tests/crash/model.h"

namespace metastore::crash {

namespace {

using Clock = std::chrono::steady_clock;

/// The records that each segment begins with.
constexpr int head_records = 3;

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) return names;
  while (const dirent* entry = ::readdir(stream)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

std::string beginning_of(const std::string& path) {
  std::array<char, 1024> bytes;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t size = file < 0 ? 0 : ::read(file, bytes.data(), bytes.size());
  if (file >= 0) ::close(file);
  return std::string(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
}

/// The size of the frame at `offset`; 0 if there is none.
std::size_t frame_bytes(const std::string& bytes, std::size_t offset) {
  std::uint64_t word = 0;
  if (offset + sizeof word > bytes.size()) return 0;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  if (word == 0) return 0;
  const std::uint64_t padding = word >> 56 & 0x7;
  return sizeof word + (word & 0xff'ffff'ffff'ffff) + padding;
}

bool is_write_or_sync(long call) {
  return call == SYS_pwrite64 || call == SYS_pwritev || call == SYS_writev || call == SYS_write || call == SYS_lseek ||
         call == SYS_fdatasync || call == SYS_fsync;
}

}  // namespace

std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::recovery:
      return "recovery";
    case Phase::log_write:
      return "log write";
    case Phase::segment_cut:
      return "segment cut";
    case Phase::segment_release:
      return "segment release";
    case Phase::checkpoint:
      return "checkpoint";
    case Phase::engine_write:
      return "LMDB write";
  }
  return {};
}

Process::~Process() {
  if (id_ > 0) kill();
}

void Process::start() {
  // What the member forks and leaves behind becomes ours, so that kill() can wait for it.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Broken("cannot make a pipe");
  std::vector<char*> words;
  for (const std::string& word : command_) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  id_ = ::fork();
  if (id_ < 0) throw Broken("cannot fork");
  if (id_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  output_ = ends[0];
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
  ready_ = false;
  said_.clear();
}

void Process::hear() {
  std::array<char, 4096> bytes;
  ssize_t size = 0;
  while ((size = ::read(output_, bytes.data(), bytes.size())) > 0) {
    said_.append(bytes.data(), static_cast<std::size_t>(size));
  }
  if (size == 0) throw Broken("the member ended by itself");
  ready_ = ready_ || said_.find("ready to serve client requests") != std::string::npos;
}

bool Process::is_ready_within(std::int64_t microseconds) {
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(microseconds);
  for (hear(); !ready_; hear()) {
    const std::int64_t left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
    pollfd wanted{output_, POLLIN, 0};
    ::ppoll(&wanted, 1, &wait, nullptr);
  }
  return true;
}

std::set<Phase> Process::stop_and_look() {
  int status = 0;
  ::kill(id_, SIGSTOP);
  if (::waitpid(id_, &status, WUNTRACED) != id_ || !WIFSTOPPED(status)) {
    id_ = -1;
    throw Broken("the member ended by itself");
  }
  const Descriptors open = descriptors();
  const auto has_open = [&](const std::string& name) {
    return std::any_of(open.begin(), open.end(), [&](const auto& one) { return one.second == name; });
  };
  hear();
  if (!ready_) return has_open("lock") ? std::set{Phase::recovery} : std::set<Phase>();
  std::set<Phase> found;
  const std::string threads = "/proc/" + std::to_string(id_) + "/task/";
  for (const std::string& thread : names_in(threads)) look_at_thread(threads + thread, open, found);
  if (is_cutting()) found.insert(Phase::segment_cut);
  // The cut writes, syncs and names what the release and the batches do, too.
  if (found.contains(Phase::segment_cut)) {
    found.erase(Phase::log_write);
    found.erase(Phase::segment_release);
  }
  if (has_open("member/db/data.mdb")) found.insert(Phase::checkpoint);
  return found;
}

/// Relative to the data directory, where they are in it.
Process::Descriptors Process::descriptors() const {
  Descriptors open;
  const std::string directory = "/proc/" + std::to_string(id_) + "/fd/";
  for (const std::string& number : names_in(directory)) {
    std::array<char, 4096> path;
    const ssize_t size = ::readlink((directory + number).c_str(), path.data(), path.size());
    if (size <= 0) continue;
    std::string name(path.data(), static_cast<std::size_t>(size));
    if (name.starts_with(data_directory_ + "/")) name.erase(0, data_directory_.size() + 1);
    open.emplace(std::stoi(number), std::move(name));
  }
  return open;
}

/// A thread that was stopped in a system call, or on its way out of it, still shows it.
void Process::look_at_thread(const std::string& thread, const Descriptors& open, std::set<Phase>& found) const {
  std::ifstream file(thread + "/syscall");
  long call = -1;
  std::string first;
  if (!(file >> call >> first) || call < 0) return;
  if (call == SYS_ftruncate || call == SYS_renameat) found.insert(Phase::segment_cut);
  if (call == SYS_unlinkat) found.insert(Phase::segment_release);
  if (!is_write_or_sync(call)) return;
  const auto descriptor = open.find(static_cast<int>(std::stoul(first, nullptr, 16)));
  if (descriptor == open.end()) return;
  const std::string& path = descriptor->second;
  if (path == "member/db/data.mdb") found.insert(Phase::engine_write);
  if (path == "member/wal") found.insert(Phase::segment_release);
  if (path.starts_with("member/wal/")) found.insert(Phase::log_write);
}

/// The segment to come has its head under its old name, or has its name and holds nothing but its head.
bool Process::is_cutting() const {
  const std::string directory = data_directory_ + "/member/wal/";
  if (frame_bytes(beginning_of(directory + "next.tmp"), 0) > 0) return true;
  std::string newest;
  for (const std::string& name : names_in(directory)) {
    if (name.ends_with(".wal")) newest = name;
  }
  const std::string bytes = beginning_of(directory + newest);
  std::size_t offset = 0;
  for (int i = 0; i < head_records; ++i) offset += frame_bytes(bytes, offset);
  return frame_bytes(bytes, offset) == 0;
}

void Process::go_on() { ::kill(id_, SIGCONT); }

void Process::kill() {
  ::kill(id_, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  ::close(output_);
  id_ = -1;
}

}  // namespace metastore::crash
