#include "server/process_posix.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace metastore::server {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

/// So much stays; what is larger than the second is mapped by itself and given back at once.
constexpr int freed_bytes_held = 33'554'432;
constexpr int mapped_bytes_min = 1'048'576;

std::string content_of(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::uint64_t limit_of(int resource) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max() : limit.rlim_cur;
}

/// Seconds since 1970 at which the machine started: the line "btime" of /proc/stat.
std::uint64_t boot_second() {
  std::istringstream lines(content_of("/proc/stat"));
  std::string word;
  std::uint64_t value = 0;
  while (lines >> word) {
    if (word == "btime" && lines >> value) return value;
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

std::uint64_t open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator directory("/proc/self/fd", error);
  if (error) return 0;
  // One of them reads this directory.
  return static_cast<std::uint64_t>(std::distance(begin(directory), end(directory))) - 1;
}

}  // namespace

port::ProcessUse ProcessPosix::use() const {
  port::ProcessUse use;
  // The name in the second field may hold anything; behind its last parenthesis fields are counted from 3.
  const std::string stat = content_of("/proc/self/stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string state;
  fields >> state;
  std::uint64_t field[25] = {};
  for (int number = 4; number <= 24; ++number) {
    std::int64_t value = 0;
    fields >> value;
    field[number] = static_cast<std::uint64_t>(value);
  }
  const auto ticks_a_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  const auto nanoseconds = [&](std::uint64_t ticks) { return ticks * (second / ticks_a_second); };
  use.cpu = Duration::nanoseconds(static_cast<std::int64_t>(nanoseconds(field[14] + field[15])));
  use.started.unix_nanoseconds = static_cast<std::int64_t>(boot_second() * second + nanoseconds(field[22]));
  use.virtual_bytes = field[23];
  use.resident_bytes = field[24] * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  use.virtual_bytes_max = limit_of(RLIMIT_AS);
  use.descriptors = open_descriptors();
  use.descriptors_max = limit_of(RLIMIT_NOFILE);
  return use;
}

void hold_freed_memory() {
  // Refused, it is as slow as it was.
  static_cast<void>(::mallopt(M_TRIM_THRESHOLD, freed_bytes_held));
  static_cast<void>(::mallopt(M_MMAP_THRESHOLD, mapped_bytes_min));
}

}  // namespace metastore::server
