#include "net/loop_asio.h"

#include <sys/random.h>

#include <boost/asio/post.hpp>
#include <chrono>

#include "core/base/assert.h"

namespace metastore::net {

LoopAsio::LoopAsio() : work_(context_.get_executor()), timer_(context_) {}

void LoopAsio::run() {
  context_.run();
  // So that it can be run again.
  context_.restart();
}

void LoopAsio::stop() { context_.stop(); }

Instant LoopAsio::now() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Instant::from_nanoseconds(std::chrono::nanoseconds(since).count());
}

WallTime LoopAsio::wall_now() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return WallTime{std::chrono::nanoseconds(since).count()};
}

std::array<std::uint64_t, 2> LoopAsio::entropy() {
  std::array<std::uint64_t, 2> bits;
  // Up to 256 bytes come whole or not at all (getrandom(2)).
  ASSERT(getrandom(bits.data(), sizeof bits, 0) == sizeof bits);
  return bits;
}

void LoopAsio::run_soon(port::Task& task) {
  if (task.place.soon != 0) return;
  if (soon_.empty()) boost::asio::post(context_, [this] { run_batch(); });
  soon_.push_back(&task);
  task.place.soon = soon_.size();
}

void LoopAsio::run_batch() {
  // Tasks that are asked for during the batch wait for the next one, behind the sockets.
  const std::size_t batch = soon_.size();
  for (std::size_t i = 0; i < batch; ++i) {
    port::Task* task = std::exchange(soon_[i], nullptr);
    if (task == nullptr) continue;
    task->place.soon = 0;
    task->run();
  }
  soon_.erase(soon_.begin(), soon_.begin() + static_cast<std::ptrdiff_t>(batch));
  for (std::size_t i = 0; i < soon_.size(); ++i) {
    if (soon_[i] != nullptr) soon_[i]->place.soon = i + 1;
  }
  if (!soon_.empty()) boost::asio::post(context_, [this] { run_batch(); });
}

void LoopAsio::run_at(port::Task& task, Instant at) {
  if (task.place.deadline == at) return;
  if (at == Instant::never()) return clear_deadline(task);
  if (task.place.deadline == Instant::never()) {
    deadlines_.emplace(at, &task);
  } else {
    auto node = deadlines_.extract({task.place.deadline, &task});
    node.value().first = at;
    deadlines_.insert(std::move(node));
  }
  task.place.deadline = at;
  arm();
}

void LoopAsio::cancel(port::Task& task) {
  if (task.place.soon != 0) {
    soon_[task.place.soon - 1] = nullptr;
    task.place.soon = 0;
  }
  clear_deadline(task);
}

void LoopAsio::clear_deadline(port::Task& task) {
  if (task.place.deadline == Instant::never()) return;
  deadlines_.erase({task.place.deadline, &task});
  task.place.deadline = Instant::never();
}

void LoopAsio::arm() {
  // A deadline that moved away leaves the timer as it is: firing once too early costs less than setting it anew.
  if (deadlines_.empty() || armed_at_ <= deadlines_.begin()->first) return;
  armed_at_ = deadlines_.begin()->first;
  timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(armed_at_.nanoseconds())));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error != boost::asio::error::operation_aborted) on_timer();
  });
}

void LoopAsio::on_timer() {
  armed_at_ = Instant::never();
  const Instant reached = now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= reached) {
    port::Task& task = *deadlines_.begin()->second;
    clear_deadline(task);
    run_soon(task);
  }
  arm();
}

}  // namespace metastore::net
