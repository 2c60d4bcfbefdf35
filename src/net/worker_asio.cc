#include "net/worker_asio.h"

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

namespace metastore::net {

/// Jobs that ran and whose `done` is due on the loop.
struct WorkerAsio::Returned {
  std::mutex mutex;
  std::vector<port::Job*> jobs;  ///< Under the mutex.
  bool open = true;              ///< Only the loop's thread touches it.

  void deliver() {
    std::vector<port::Job*> ready;
    {
      const std::lock_guard lock(mutex);
      ready.swap(jobs);
    }
    for (port::Job* job : ready) {
      if (open) job->done();
    }
  }
};

WorkerAsio::WorkerAsio(LoopAsio& loop)
    : loop_(loop), returned_(std::make_shared<Returned>()), thread_([this] { work(); }) {}

WorkerAsio::~WorkerAsio() {
  returned_->open = false;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_one();
  thread_.join();
}

void WorkerAsio::submit(port::Job& job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
  }
  wanted_.notify_one();
}

void WorkerAsio::work() {
  for (;;) {
    port::Job* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = jobs_.front();
      jobs_.pop_front();
    }
    job->run();
    bool first = false;
    {
      const std::lock_guard lock(returned_->mutex);
      first = returned_->jobs.empty();
      returned_->jobs.push_back(job);
    }
    if (first) boost::asio::post(loop_.context(), [returned = returned_] { returned->deliver(); });
  }
}

}  // namespace metastore::net
