#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "net/loop_asio.h"

namespace metastore::net {
namespace {

struct Call final : port::Task {
  explicit Call(std::function<void()> what) : call(std::move(what)) {}
  void run() override { call(); }
  std::function<void()> call;
};

TEST_CASE("a task asked for soon runs once, later, and in the order of asking") {
  LoopAsio loop;
  std::string order;
  Call a([&] { order += 'a'; });
  Call b([&] { order += 'b'; });
  loop.run_soon(b);
  loop.run_soon(a);
  loop.run_soon(b);
  CHECK(order.empty());
  loop.context().poll();
  CHECK(order == "ba");
}

TEST_CASE("a task that asks for itself waits for the next batch, behind handlers that are ready") {
  LoopAsio loop;
  std::string order;
  Call again([&] {
    order += 't';
    if (order.size() < 4) loop.run_soon(again);
  });
  Call handler([&] { order += 'h'; });
  Call first([&] {
    loop.run_soon(again);
    loop.run_soon(handler);
  });
  loop.run_soon(first);
  loop.context().poll();
  CHECK(order == "thtt");
}

TEST_CASE("a cancelled task has neither its turn nor its deadline, also when cancelled by one of its own batch") {
  LoopAsio loop;
  int runs = 0;
  Call victim([&] { ++runs; });
  Call killer([&] {
    loop.cancel(victim);
    loop.stop();
  });
  loop.run_soon(killer);
  loop.run_soon(victim);
  loop.run_at(victim, loop.now() - Duration::seconds(1));
  loop.run();
  CHECK(runs == 0);
}

TEST_CASE("a task has one deadline, and the latest call decides it") {
  LoopAsio loop;
  const Instant start = loop.now();
  Instant ran_at;
  Call late([&] {
    ran_at = loop.now();
    loop.stop();
  });
  loop.run_at(late, start + Duration::milliseconds(1));
  loop.run_at(late, start + Duration::milliseconds(30));
  loop.run();
  CHECK(ran_at - start >= Duration::milliseconds(30));

  loop.context().restart();
  loop.run_at(late, loop.now() + Duration::seconds(3600));
  loop.run_at(late, loop.now() + Duration::milliseconds(1));
  loop.run();
  CHECK(ran_at - start < Duration::seconds(3600));
}

TEST_CASE("deadlines run in the order of their times, and never() clears one") {
  LoopAsio loop;
  std::string order;
  Call a([&] { order += 'a'; });
  Call b([&] { order += 'b'; });
  Call c([&] {
    order += 'c';
    loop.stop();
  });
  Call cleared([&] { order += '!'; });
  const Instant start = loop.now();
  loop.run_at(c, start + Duration::milliseconds(6));
  loop.run_at(cleared, start + Duration::milliseconds(3));
  loop.run_at(b, start + Duration::milliseconds(4));
  loop.run_at(a, start + Duration::milliseconds(2));
  loop.run_at(cleared, Instant::never());
  loop.run();
  CHECK(order == "abc");
}

TEST_CASE("entropy differs from call to call and time does not fall") {
  LoopAsio loop;
  CHECK(loop.entropy() != loop.entropy());
  const Instant before = loop.now();
  CHECK(loop.now() >= before);
  CHECK(loop.wall_now().unix_nanoseconds > 1'700'000'000'000'000'000);
}

}  // namespace
}  // namespace metastore::net
