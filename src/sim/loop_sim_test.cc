#include "sim/loop_sim.h"

#include <doctest/doctest.h>

#include <string>

#include "sim/note_test.h"
#include "sim/world.h"

namespace metastore::sim {
namespace {

TEST_CASE("a loop runs a task once however often it was asked, keeps its latest deadline, and forgets on cancel") {
  World world;
  LoopSim loop(world, Prng(1, "loop"));
  std::string log;
  Note a(log, 'a'), b(log, 'b'), c(log, 'c');
  loop.run_soon(a);
  loop.run_soon(a);
  loop.run_at(b, loop.now() + Duration::milliseconds(5));
  loop.run_at(b, loop.now() + Duration::milliseconds(9));
  loop.run_soon(c);
  loop.run_at(c, loop.now());
  loop.cancel(c);
  const Instant before = loop.now();
  while (world.step()) {
  }
  CHECK(log == "ab");
  CHECK(loop.now() - before == Duration::milliseconds(9));
}

TEST_CASE("a clock may be fast or slow, and what waits for it is never early by it, nor late by more than a tick") {
  std::int64_t fast = 0;
  std::int64_t slow = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    World world;
    std::string log;
    Note warm_up(log, 'w'), a(log, 'a');
    world.at(at_ms(77'777), warm_up);
    world.step();
    LoopSim loop(world, Prng(seed, "loop"), 100'000);
    const Instant before = loop.now();
    const Instant due = before + Duration::nanoseconds(123'456'789'123);
    loop.run_at(a, due);
    while (world.step()) {
    }
    CHECK(log == "wa");
    CHECK(loop.now() >= due);
    CHECK(loop.now() <= due + Duration::nanoseconds(2));
    const Duration elapsed = world.now() - at_ms(77'777);
    CHECK(elapsed >= Duration::seconds(112));
    CHECK(elapsed <= Duration::seconds(138));
    ++(elapsed < loop.now() - before ? fast : slow);
  }
  CHECK(fast > 20);
  CHECK(slow > 20);
}

TEST_CASE("a paused loop does nothing, its clock goes on, and what became due comes in its order when it goes on") {
  World world;
  LoopSim loop(world, Prng(1, "loop"));
  std::string log;
  Note a(log, 'a'), b(log, 'b'), c(log, 'c'), d(log, 'd');
  const Instant before = loop.now();
  loop.run_at(b, before + Duration::milliseconds(5));
  loop.run_at(a, before + Duration::milliseconds(9));
  loop.run_at(c, before + Duration::milliseconds(3));
  loop.run_at(d, before + Duration::milliseconds(50));
  loop.pause();
  loop.run_soon(d);
  while (world.now() < at_ms(9)) REQUIRE(world.step());
  loop.run_soon(d);
  loop.cancel(c);
  CHECK(log.empty());
  CHECK(loop.now() - before == Duration::milliseconds(9));
  loop.resume();
  while (world.now() < at_ms(50)) REQUIRE(world.step());
  CHECK(log == "dbad");
  CHECK_FALSE(world.step());
}

TEST_CASE("a wall clock jumps, and no other clock with it") {
  World world;
  LoopSim loop(world, Prng(1, "loop"));
  const Instant now = loop.now();
  const WallTime before = loop.wall_now();
  loop.jump(Duration::seconds(-5));
  CHECK(loop.wall_now().unix_nanoseconds - before.unix_nanoseconds == -5'000'000'000);
  CHECK(loop.now() == now);
}

TEST_CASE("a loop that is destroyed runs nothing any more") {
  World world;
  std::string log;
  Note a(log, 'a');
  {
    LoopSim loop(world, Prng(1, "loop"));
    loop.run_soon(a);
    loop.run_at(a, loop.now() + Duration::seconds(1));
  }
  CHECK_FALSE(world.step());
  CHECK(log.empty());
}

struct Noted final : port::Job {
  Noted(std::string& log, char letter) : log_(log), letter_(letter) {}
  void run() override { log_ += letter_; }
  void done() override { log_ += static_cast<char>(letter_ - 'a' + 'A'); }
  std::string& log_;
  char letter_;
};

TEST_CASE("a worker does its jobs in order, reports in order, and a destroyed one does neither") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world;
    std::string log;
    Noted a(log, 'a'), b(log, 'b'), c(log, 'c');
    const WorkerLatency latency = {.work_min = Duration::microseconds(10),
                                   .work_max = Duration::microseconds(90),
                                   .report_max = Duration::microseconds(200)};
    {
      WorkerSim worker(world, Prng(seed, "worker"), latency);
      worker.submit(a);
      worker.submit(b);
      CHECK(log.empty());
      while (world.step()) {
      }
      worker.submit(c);
    }
    while (world.step()) {
    }
    std::string worked, reported;
    for (const char letter : log) (letter >= 'a' ? worked : reported) += letter;
    CHECK(worked == "ab");
    CHECK(reported == "AB");
    CHECK(log.find('a') < log.find('A'));
    CHECK(log.find('b') < log.find('B'));
  }
}

TEST_CASE("a paused worker ends no job and reports none until it goes on, and then all in their order") {
  World world;
  std::string log;
  Noted a(log, 'a'), b(log, 'b'), c(log, 'c');
  const Duration moment = Duration::milliseconds(1);
  WorkerSim worker(world, Prng(1, "worker"), {.work_min = moment, .work_max = moment, .report_max = moment * 20});
  worker.submit(a);
  worker.submit(b);
  worker.submit(c);
  while (log.find('b') == log.npos) REQUIRE(world.step());
  const std::string done = log;
  worker.pause();
  while (world.step()) {
  }
  CHECK(log == done);
  worker.resume();
  while (world.step()) {
  }
  std::string worked, reported;
  for (const char letter : log) (letter >= 'a' ? worked : reported) += letter;
  CHECK(worked == "abc");
  CHECK(reported == "ABC");
}

}  // namespace
}  // namespace metastore::sim
