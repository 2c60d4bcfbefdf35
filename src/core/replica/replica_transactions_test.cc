// Transactions that look at many keys: each is done in one piece, so they take turns.
#include <doctest/doctest.h>

#include <string>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using testing::Driver;
using testing::encoded;
using testing::put;

constexpr int written_keys = 2'000;

/// Compares all keys twice; where it writes, it puts `key`.
Bytes large(const std::string& key, bool writes) {
  etcdserverpb::TxnRequest txn;
  for (int i = 0; i < 2; ++i) {
    etcdserverpb::Compare& compare = *txn.add_compare();
    compare.set_target(etcdserverpb::Compare::VERSION);
    compare.set_result(etcdserverpb::Compare::GREATER);
    compare.set_key("key/");
    compare.set_range_end("key0");
    compare.set_version(0);
  }
  if (writes) txn.add_success()->mutable_request_put()->set_key(key);
  return encoded(txn);
}

struct Crowded : Driver {
  Crowded() {
    checks_invariants = false;  // They look at every key, and there are many steps.
    lead();
    std::vector<Event> puts;
    for (int i = 0; i < written_keys; ++i) {
      puts.push_back(
          request(static_cast<std::uint64_t>(10'000 + i), kv::Method::put, put("key/" + std::to_string(i), "v")));
    }
    turn(std::move(puts));
    settle();
  }

  void turn_and_write(std::vector<Event> events) {
    turn(std::move(events));
    if (written == log.size()) return turn();
    written = log.size();
    turn({LogWritten{log.back().id}});
  }

  /// Until nobody proposes any more, and the rests that were begun are over.
  void rest_and_settle() {
    now = now + Duration::milliseconds(500);
    settle();
  }

  int answered(std::uint64_t from, std::uint64_t to) const {
    return static_cast<int>(std::count_if(replies.begin(), replies.end(), [&](const Reply& reply) {
      return reply.id.value() >= from && reply.id.value() < to && std::holds_alternative<Bytes>(reply.result);
    }));
  }
};

TEST_CASE("large transactions come one by one, and small requests pass them") {
  for (const bool writes : {true, false}) {
    Crowded driver;
    std::vector<Event> events;
    for (std::uint64_t i = 1; i <= 3; ++i) {
      events.push_back(driver.request(i, kv::Method::txn, large("a" + std::to_string(i), writes)));
    }
    for (std::uint64_t i = 100; i < 150; ++i) events.push_back(driver.request(i, kv::Method::put, put("b", "v")));
    driver.turn_and_write(std::move(events));
    CHECK(driver.answered(100, 150) == 50);
    CHECK(driver.answered(1, 4) == 1);
    // While clients propose, there is a rest behind each.
    driver.turn_and_write({driver.request(150, kv::Method::put, put("b", "v"))});
    CHECK(driver.answered(150, 151) == 1);
    CHECK(driver.answered(1, 4) == 1);
    driver.settle();
    CHECK(driver.answered(1, 4) == 1);
    driver.rest_and_settle();
    CHECK(driver.answered(1, 4) == 3);
  }
}

TEST_CASE("only so many large transactions wait") {
  for (const bool writes : {true, false}) {
    Crowded driver;
    std::vector<Event> events;
    const std::uint64_t refused = Limits().large_txns_pending_max;
    for (std::uint64_t i = 0; i <= refused; ++i) {
      events.push_back(driver.request(i + 1, kv::Method::txn, large("a", writes)));
    }
    driver.turn(std::move(events));
    driver.settle();
    for (std::uint64_t i = 0; i < refused; ++i) driver.rest_and_settle();
    // Reads are known to be large once they may be served, when the first of them already had its turn.
    CHECK(driver.answered(1, refused + 1) == refused);
    CHECK(driver.error(refused + 1) == ErrorCode::too_many_requests);
  }
}

TEST_CASE("a transaction that has waited too long does not happen") {
  Crowded driver;
  const Instant deadline = driver.now + Duration::milliseconds(10);
  driver.turn({driver.request(1, kv::Method::txn, large("a", true)),
               driver.request(2, kv::Method::txn, large("b", true)),
               driver.request(4, kv::Method::txn, large("late", true), deadline)});
  driver.now = deadline;
  driver.turn();
  CHECK(driver.error(4).has_value());
  driver.settle();
  CHECK(driver.answered(1, 3) == 2);
  driver.turn({driver.request(3, kv::Method::range, testing::range("late", true))});
  driver.settle();
  CHECK(driver.answer<etcdserverpb::RangeResponse>(3)->kvs_size() == 0);
}

}  // namespace
}  // namespace metastore
