// Ranges of many steps through a whole replica: their slices, their credit, and what compactions make of them.
#include "core/replica/ranges.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "core/replica/driver_test.h"

namespace metastore {
namespace {

using testing::Driver;
using testing::encoded;
using testing::put;
using testing::test_config;

constexpr int listed_keys = 200;

std::string key(int number) { return "key/" + std::to_string(1'000 + number); }

Config small_steps() {
  Config config = test_config();
  config.limits.range_keys_a_step = 50;
  config.limits.range_bytes_a_step = 2'000;
  config.limits.range_chunk_bytes = 500;
  config.limits.stream_credit_bytes = 1'000;
  return config;
}

Bytes all(std::int64_t limit = 0, bool serializable = false) {
  etcdserverpb::RangeRequest request;
  request.set_key("key/");
  request.set_range_end("key0");
  request.set_limit(limit);
  request.set_serializable(serializable);
  return encoded(request);
}

/// A member with 200 keys of 50 bytes, about 16 kB in all.
struct Listed : Driver {
  explicit Listed(const Config& limited = small_steps()) : Driver(limited) {
    lead();
    std::vector<Event> puts;
    for (int i = 0; i < listed_keys; ++i)
      puts.push_back(request(1 + i, kv::Method::put, put(key(i), std::string(50, 'v'))));
    turn(std::move(puts));
    settle();
    replies.clear();
    // Nobody has proposed anything for a while.
    now = now + Duration::seconds(1);
    turn({});
  }
  void compact(std::uint64_t id, std::int64_t revision) {
    etcdserverpb::CompactionRequest request_;
    request_.set_revision(revision);
    request_.set_physical(true);
    turn({request(id, kv::Method::compact, encoded(request_))});
    settle();
  }
  /// Bytes of the chunks that came for it.
  std::uint64_t sent(std::uint64_t id) const {
    std::uint64_t bytes = 0;
    for (const Chunk& chunk : chunks) {
      if (chunk.id != RequestId(id)) continue;
      for (const Bytes& part : chunk.parts) bytes += part.size();
    }
    return bytes;
  }
  bool has_ended(std::uint64_t id) const {
    return std::any_of(stream_ends.begin(), stream_ends.end(),
                       [&](const StreamEnd& e) { return e.id == RequestId(id); });
  }
  std::optional<ErrorCode> end_of(std::uint64_t id) const {
    for (const StreamEnd& end : stream_ends) {
      if (end.id == RequestId(id)) return end.error;
    }
    return std::nullopt;
  }
  /// Takes what comes, again and again, until the answer is complete.
  void take(std::uint64_t id) {
    std::uint64_t taken = 0;
    while (!has_ended(id)) {
      settle();
      const std::uint64_t now_sent = sent(id);
      REQUIRE(now_sent > taken);
      if (has_ended(id)) return;
      turn({StreamDrained{RequestId(id), now_sent - taken}});
      taken = now_sent;
    }
  }
};

TEST_CASE("a list that fits into a step is one reply") {
  Listed driver;
  driver.turn({driver.request(1'000, kv::Method::range, all(10, true))});
  const auto reply = driver.answer<etcdserverpb::RangeResponse>(1'000);
  REQUIRE(reply.has_value());
  CHECK(reply->kvs_size() == 10);
  CHECK(reply->count() == listed_keys);
  CHECK(reply->more());
  CHECK(driver.chunks.empty());
}

TEST_CASE("a large list comes in chunks of one message, as far as they are taken") {
  for (const bool serializable : {false, true}) {
    Listed driver;
    driver.turn({driver.request(1'000, kv::Method::range, all(0, serializable))});
    driver.settle();
    CHECK(driver.replies.empty());
    const std::uint64_t credit = driver.config.limits.stream_credit_bytes;
    CHECK(driver.sent(1'000) > credit / 2);
    CHECK(driver.sent(1'000) <= credit);
    CHECK_FALSE(driver.replica.status().is_idle);
    // What is written from now on is not seen.
    driver.turn({driver.request(1'001, kv::Method::put, put("key/new", "x"))});
    driver.take(1'000);
    CHECK(driver.end_of(1'000) == std::nullopt);
    const auto messages = driver.received<etcdserverpb::RangeResponse>(RequestId(1'000));
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].kvs_size() == listed_keys);
    CHECK(messages[0].count() == listed_keys);
    CHECK(messages[0].header().revision() == listed_keys + 1);
    CHECK(driver.error(1'000) == std::nullopt);
    CHECK_FALSE(driver.answer<etcdserverpb::RangeResponse>(1'000).has_value());
    CHECK(driver.replica.status().is_idle);
  }
}

TEST_CASE("a range stream is messages, however small the range") {
  Listed driver;
  driver.turn({driver.request(1'000, kv::Method::range_stream, all())});
  driver.take(1'000);
  const auto messages = driver.received<etcdserverpb::RangeStreamResponse>(RequestId(1'000));
  REQUIRE(messages.size() > 10);
  CHECK_FALSE(messages.front().range_response().has_header());
  CHECK(messages.back().range_response().header().revision() == listed_keys + 1);
  CHECK(messages.back().range_response().count() == listed_keys);
  const int shown = std::accumulate(messages.begin(), messages.end(), 0, [](int sum, const auto& message) {
    return sum + message.range_response().kvs_size();
  });
  CHECK(shown == listed_keys);

  driver.turn({driver.request(1'001, kv::Method::range_stream, testing::range("nothing"))});
  driver.settle();
  const auto none = driver.received<etcdserverpb::RangeStreamResponse>(RequestId(1'001));
  REQUIRE(none.size() == 1);
  CHECK(none[0].range_response().count() == 0);
  CHECK(driver.has_ended(1'001));
}

TEST_CASE("a step looks at so many keys and answers so many bytes, however many ask") {
  Listed driver;
  std::vector<Event> lists;
  for (std::uint64_t i = 0; i < 20; ++i) lists.push_back(driver.request(1'000 + i, kv::Method::range, all(5, true)));
  driver.turn(std::move(lists));
  // Five records of some 80 bytes each, and the chunk that the others get in any case.
  const std::uint64_t at_once = driver.replies.size();
  CHECK(at_once >= 3);
  CHECK(at_once <= 10);
  for (int i = 0; i < 10; ++i) driver.turn();
  CHECK(driver.replies.size() == 20);
  CHECK(driver.chunks.empty());
}

TEST_CASE("while clients propose, a step does less for lists that are under way") {
  const auto turns_of_a_list = [](bool is_proposed) {
    Config config = small_steps();
    config.limits.range_bytes_a_step = config.limits.stream_credit_bytes = 100'000;
    Listed driver(config);
    driver.turn({driver.request(1'000, kv::Method::range, all(0, true))});
    int turns = 0;
    for (; driver.replies.empty() && driver.stream_ends.empty() && turns < 1'000; ++turns) {
      if (!is_proposed) driver.now = driver.now + Duration::milliseconds(3);
      std::vector<Event> events;
      if (is_proposed) events.push_back(driver.request(2'000 + turns, kv::Method::put, put("a", "x")));
      driver.turn(std::move(events));
      std::erase_if(driver.replies, [](const Reply& reply) { return reply.id >= RequestId(2'000); });
    }
    return turns;
  };
  const int alone = turns_of_a_list(false);
  CHECK(alone > 3);
  CHECK(turns_of_a_list(true) > 5 * alone);
}

TEST_CASE("stalled lists hold no more than their credit, and a small one is answered beside them") {
  Config config = small_steps();
  config.limits.stream_credit_bytes = 4'000;
  config.limits.ranges_credit_bytes = 32'000;
  Listed driver(config);
  std::vector<Event> lists;
  for (std::uint64_t i = 0; i < 50; ++i) lists.push_back(driver.request(1'000 + i, kv::Method::range, all()));
  driver.turn(std::move(lists));
  driver.settle();
  std::uint64_t sent = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    CHECK(driver.sent(1'000 + i) > 0);
    CHECK(driver.sent(1'000 + i) <= 4'000);
    sent += driver.sent(1'000 + i);
  }
  CHECK(sent <= 32'000 + 50 * 500);
  driver.turn({driver.request(2'000, kv::Method::range, all(5))});
  driver.settle();
  CHECK(driver.answer<etcdserverpb::RangeResponse>(2'000).has_value());
  // One that is taken is not held up by the others.
  const std::uint64_t before = driver.sent(1'000);
  driver.turn({StreamDrained{RequestId(1'000), before}});
  driver.settle();
  CHECK(driver.sent(1'000) > before);
}

TEST_CASE("a list that nobody waits for is forgotten") {
  Listed driver;
  driver.turn({driver.request(1'000, kv::Method::range, all())});
  driver.settle();
  const std::size_t chunks = driver.chunks.size();
  driver.turn({StreamClosed{RequestId(1'000)}});
  driver.turn({StreamDrained{RequestId(1'000), driver.sent(1'000)}});
  driver.settle();
  CHECK(driver.chunks.size() == chunks);
  CHECK(driver.stream_ends.empty());
  CHECK(driver.replica.status().is_idle);
}

TEST_CASE("a list ends at its deadline: by a reply before its first chunk, by the end of its stream behind it") {
  Listed driver;
  const Instant deadline = driver.now + Duration::milliseconds(5);
  driver.turn({driver.request(1'000, kv::Method::range, all(), deadline)});
  driver.settle();
  REQUIRE(driver.sent(1'000) > 0);
  // Its first pass takes four steps.
  driver.turn({driver.request(1'001, kv::Method::range, all(0, true), driver.now + Duration::milliseconds(1))});
  CHECK(driver.wake_at <= driver.now);
  driver.now = deadline;
  driver.turn();
  CHECK(driver.end_of(1'000) == ErrorCode::deadline_exceeded);
  CHECK(driver.error(1'001) == ErrorCode::deadline_exceeded);
  CHECK(driver.replica.status().is_idle);
}

TEST_CASE("a compaction waits for lists that read behind it, and not without end") {
  Listed driver;
  driver.turn({driver.request(1'000, kv::Method::range, all())});
  driver.settle();
  REQUIRE(driver.sent(1'000) > 0);
  for (int i = 0; i < listed_keys; ++i) driver.turn({driver.request(2'000 + i, kv::Method::put, put(key(i), "new"))});
  driver.settle();
  // A newer one reads nothing that the compaction gives up.
  driver.turn({driver.request(1'001, kv::Method::range, all())});
  driver.settle();
  driver.compact(3'000, 2 * listed_keys + 1);
  CHECK_FALSE(driver.answer<etcdserverpb::CompactionResponse>(3'000).has_value());
  CHECK(driver.wake_at > driver.now);
  SUBCASE("it is done once they are") {
    driver.take(1'000);
    const auto messages = driver.received<etcdserverpb::RangeResponse>(RequestId(1'000));
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].kvs_size() == listed_keys);
    CHECK(std::all_of(messages[0].kvs().begin(), messages[0].kvs().end(),
                      [](const auto& kv) { return kv.value() == std::string(50, 'v'); }));
  }
  SUBCASE("those that take too long end with an error") {
    driver.now = driver.now + Duration::seconds(3);
    driver.settle();
    CHECK(driver.end_of(1'000) == ErrorCode::compacted);
  }
  driver.settle();
  CHECK(driver.answer<etcdserverpb::CompactionResponse>(3'000).has_value());
  driver.take(1'001);
  CHECK(driver.end_of(1'001) == std::nullopt);
  CHECK(driver.received<etcdserverpb::RangeResponse>(RequestId(1'001)).at(0).kvs(7).value() == "new");
}

TEST_CASE("a reply that no client takes is refused before any of it is sent") {
  Config config = small_steps();
  config.limits.reply_bytes_max = 10'000;
  Listed driver(config);
  driver.turn({driver.request(1'000, kv::Method::range, all())});
  driver.settle();
  CHECK(driver.error(1'000) == ErrorCode::reply_too_large);
  CHECK(driver.chunks.empty());
  driver.turn({driver.request(1'001, kv::Method::range_stream, all())});
  driver.take(1'001);
  CHECK(driver.end_of(1'001) == std::nullopt);
}

TEST_CASE("lists to be sorted are refused once all together keep too much, others are not") {
  Config config = small_steps();
  config.limits.ranges_held_bytes = 4'096;
  Listed driver(config);
  etcdserverpb::RangeRequest sorted;
  sorted.set_key("key/");
  sorted.set_range_end("key0");
  sorted.set_sort_target(etcdserverpb::RangeRequest::VALUE);
  sorted.set_sort_order(etcdserverpb::RangeRequest::DESCEND);
  driver.turn({driver.request(1'000, kv::Method::range, encoded(sorted))});
  driver.settle();
  CHECK(driver.sent(1'000) > 0);
  // 200 keys of 8 bytes each are not much; a request may be.
  sorted.set_key("key/" + std::string(5'000, '\0'));
  driver.turn(
      {driver.request(1'001, kv::Method::range, encoded(sorted)), driver.request(1'002, kv::Method::range, all())});
  driver.settle();
  CHECK(driver.error(1'001) == ErrorCode::too_many_requests);
  CHECK(driver.sent(1'002) > 0);
  driver.take(1'000);
  CHECK(driver.end_of(1'000) == std::nullopt);
}

TEST_CASE("so many lists may be under way") {
  Config config = small_steps();
  config.limits.reads_pending_max = 3;
  Listed driver(config);
  std::vector<Event> lists;
  for (std::uint64_t i = 0; i < 5; ++i) lists.push_back(driver.request(1'000 + i, kv::Method::range, all(0, true)));
  driver.turn(std::move(lists));
  CHECK(driver.error(1'003) == ErrorCode::too_many_requests);
  CHECK(driver.error(1'004) == ErrorCode::too_many_requests);
  CHECK(driver.replies.size() == 2);
}

TEST_CASE("reads that come all at once are answered in the order they came, a step's worth at a time") {
  Listed listed;
  listed.turn({listed.request(1'000, kv::Method::put, put("big", std::string(1'500, 'v')))});
  listed.settle();
  listed.replies.clear();
  std::vector<Event> reads;
  for (int i = 0; i < 20; ++i) {
    reads.push_back(listed.request(2'000 + i, kv::Method::range, testing::range("big", i % 2 == 0)));
  }
  listed.turn(std::move(reads));
  std::size_t answered = 0;
  for (int turns = 0; answered < 20; ++turns) {
    REQUIRE(turns < 20);
    CHECK(listed.replies.size() <= answered + 2);
    answered = listed.replies.size();
    if (answered < 20) CHECK(listed.wake_at <= listed.now);
    listed.turn();
  }
  listed.settle();
  CHECK(listed.replies.size() == 20);
  CHECK(listed.replica.status().is_idle);
}

TEST_CASE("what was applied is answered a step's worth at a time, too") {
  Config config = small_steps();
  config.limits.apply_bytes_a_step = 10'000;
  Listed listed(config);
  etcdserverpb::TxnRequest txn;
  for (int i = 0; i < 50; ++i) txn.add_success()->mutable_request_range()->set_key(key(i));
  txn.add_success()->mutable_request_put()->set_key("other");
  std::vector<Event> txns;
  for (int i = 0; i < 10; ++i) txns.push_back(listed.request(3'000 + i, kv::Method::txn, encoded(txn)));
  listed.turn(std::move(txns));
  listed.turn({LogWritten{listed.log.back().id}});
  listed.written = listed.log.size();
  CHECK(listed.replies.size() < 10);
  listed.settle();
  CHECK(listed.replies.size() == 10);
}

}  // namespace
}  // namespace metastore
