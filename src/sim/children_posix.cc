#include "sim/children_posix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <vector>

namespace metastore::sim {
namespace {

using Clock = std::chrono::steady_clock;

class Child {
 public:
  Child(std::size_t number, int seconds_max, const std::function<void(std::size_t, std::FILE*)>& body)
      : number_(number), deadline_(Clock::now() + std::chrono::seconds(seconds_max)) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    std::fflush(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      std::FILE* const out = ::fdopen(ends[1], "w");
      body(number, out);
      std::fclose(out);
      ::_exit(0);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    ::close(pipe_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::size_t number() const { return number_; }
  int pipe() const { return pipe_; }
  bool has_ended() const { return process_ < 0; }
  const ChildEnd& end() const { return end_; }

  void read() {
    char bytes[65536];
    const ssize_t count = ::read(pipe_, bytes, sizeof(bytes));
    if (count > 0) end_.output.append(bytes, static_cast<std::size_t>(count));
    if (count == 0) reap();
  }
  void check_time() {
    if (Clock::now() < deadline_ || has_ended()) return;
    end_.is_late = true;
    ::kill(process_, SIGKILL);
    reap();
  }

 private:
  void reap() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    end_.is_killed = WIFSIGNALED(status);
  }

  std::size_t number_;
  Clock::time_point deadline_;
  pid_t process_ = -1;
  int pipe_ = -1;
  ChildEnd end_;
};

/// Waits until one of them has said something, or for a moment.
void listen(std::vector<std::unique_ptr<Child>>& children) {
  std::vector<pollfd> pipes;
  for (const auto& child : children) pipes.push_back({child->has_ended() ? -1 : child->pipe(), POLLIN, 0});
  constexpr int moment_ms = 50;
  if (::poll(pipes.data(), pipes.size(), moment_ms) > 0) {
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].revents != 0) children[i]->read();
    }
  }
  for (const auto& child : children) child->check_time();
}

}  // namespace

std::optional<std::size_t> first_child(std::size_t count, std::size_t jobs, int seconds_max,
                                       const std::function<void(std::size_t, std::FILE*)>& body,
                                       const std::function<bool(const ChildEnd&)>& wanted) {
  std::vector<std::unique_ptr<Child>> children;  // In the order of their numbers.
  for (std::size_t next = 0; next < count || !children.empty();) {
    const auto running = std::count_if(children.begin(), children.end(), [](const auto& c) { return !c->has_ended(); });
    if (next < count && static_cast<std::size_t>(running) < jobs) {
      children.push_back(std::make_unique<Child>(next++, seconds_max, body));
      continue;
    }
    listen(children);
    while (!children.empty() && children.front()->has_ended()) {
      if (wanted(children.front()->end())) return children.front()->number();
      children.erase(children.begin());
    }
  }
  return std::nullopt;
}

ChildEnd run_child(int seconds_max, const std::function<void(std::FILE*)>& body) {
  ChildEnd end;
  first_child(
      1, 1, seconds_max, [&body](std::size_t, std::FILE* out) { body(out); },
      [&end](const ChildEnd& child) {
        end = child;
        return true;
      });
  return end;
}

}  // namespace metastore::sim
