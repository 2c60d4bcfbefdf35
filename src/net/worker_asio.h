// A real helper thread (design D7): jobs go in through one queue, their completions come back to the loop through
// another; nothing else is shared. Destroying the worker waits for the job under way, which then has no `done`; jobs
// behind it are forgotten. Destroy it on the loop's thread, before the jobs and before the loop.
#ifndef METASTORE_NET_WORKER_ASIO_H_
#define METASTORE_NET_WORKER_ASIO_H_

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "core/host/port/loop.h"
#include "net/loop_asio.h"

namespace metastore::net {

class WorkerAsio final : public port::Worker {
 public:
  explicit WorkerAsio(LoopAsio& loop);
  ~WorkerAsio() override;
  WorkerAsio(const WorkerAsio&) = delete;
  WorkerAsio& operator=(const WorkerAsio&) = delete;

  void submit(port::Job& job) override;

 private:
  struct Returned;

  void work();

  LoopAsio& loop_;
  std::shared_ptr<Returned> returned_;  ///< Shared with handlers that may run after this worker is gone.
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<port::Job*> jobs_;  ///< Under mutex_.
  bool stopping_ = false;        ///< Under mutex_.
  std::thread thread_;
};

}  // namespace metastore::net

#endif  // METASTORE_NET_WORKER_ASIO_H_
