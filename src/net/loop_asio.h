// The loop of a real member: Asio's io_context on one thread, the machine's clocks and its entropy.
// Tasks asked for "soon" run as one batch behind the handlers that are ready already, so that everything which arrived
// in this turn is in the host's inbox before the host steps. Only submitting to a queue of its own kind (worker_asio)
// may happen on another thread.
#ifndef METASTORE_NET_LOOP_ASIO_H_
#define METASTORE_NET_LOOP_ASIO_H_

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/host/port/loop.h"

namespace metastore::net {

class LoopAsio final : public port::Loop {
 public:
  LoopAsio();

  /// Runs handlers until stop().
  void run();
  /// To be called from a handler: run() returns after it.
  void stop();

  Instant now() const override;
  WallTime wall_now() const override;
  std::array<std::uint64_t, 2> entropy() override;
  void run_soon(port::Task& task) override;
  void run_at(port::Task& task, Instant at) override;
  void cancel(port::Task& task) override;

  boost::asio::io_context& context() { return context_; }
  /// Where a connection reads to; another one's bytes come next. Large enough for what clients ask in one turn, so that
  /// it shares one sync, and no more than a turn should step.
  std::span<char> read_buffer() { return read_buffer_; }

 private:
  void run_batch();
  void clear_deadline(port::Task& task);
  void arm();
  void on_timer();

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;
  std::vector<port::Task*> soon_;  ///< In order; a cancelled task leaves a null. Task::Place::soon is its index + 1.
  std::set<std::pair<Instant, port::Task*>> deadlines_;
  std::array<char, 64 * 1024> read_buffer_;
  Instant armed_at_ = Instant::never();  ///< When the timer fires; it may be earlier than the first deadline.
};

}  // namespace metastore::net

#endif  // METASTORE_NET_LOOP_ASIO_H_
