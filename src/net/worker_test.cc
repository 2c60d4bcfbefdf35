// Also built with ThreadSanitizer: the values that jobs and loop hand to each other are plain on purpose.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "net/worker_asio.h"

namespace metastore::net {
namespace {

struct Square final : port::Job {
  void run() override { result = value * value; }
  void done() override {
    if (on_done) on_done(*this);
  }
  std::uint64_t value = 0;
  std::uint64_t result = 0;
  std::function<void(Square&)> on_done;
};

TEST_CASE("jobs run in order away from the loop and are done on it in order") {
  LoopAsio loop;
  WorkerAsio worker(loop);
  const std::thread::id here = std::this_thread::get_id();
  std::vector<std::uint64_t> seen;
  std::vector<Square> jobs(100);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].value = i;
    jobs[i].on_done = [&](Square& job) {
      CHECK(std::this_thread::get_id() == here);
      seen.push_back(job.result);
      if (seen.size() == jobs.size()) loop.stop();
    };
    worker.submit(jobs[i]);
  }
  CHECK(seen.empty());
  loop.run();
  REQUIRE(seen.size() == jobs.size());
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == i * i);
}

TEST_CASE("a worker that is destroyed under load calls nothing afterwards") {
  for (std::uint64_t round = 0; round < 50; ++round) {
    LoopAsio loop;
    auto worker = std::make_unique<WorkerAsio>(loop);
    std::uint64_t finished = 0;
    std::vector<Square> jobs(64);
    for (Square& job : jobs) {
      job.value = round;
      job.on_done = [&](Square& again) {
        CHECK(worker != nullptr);
        CHECK(again.result == again.value * again.value);
        ++again.value;
        if (++finished == 37 * (round + 1)) {
          worker.reset();
          loop.stop();
        } else if (worker != nullptr) {
          worker->submit(again);
        }
      };
      worker->submit(job);
    }
    loop.run();
    CHECK(finished == 37 * (round + 1));
    loop.context().restart();
    loop.context().poll();
    CHECK(finished == 37 * (round + 1));
  }
}

}  // namespace
}  // namespace metastore::net
