#include "core/watch/hub.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "core/proto/rpc.pb.h"

namespace metastore::watch {
namespace {

constexpr RequestId stream(1);
const std::string any_key(1, '\0');

/// A store, a hub, and clients that keep every response.
struct Driver {
  explicit Driver(const Limits& limits = {}) : hub(limits, Duration::seconds(10), 1) {}

  void put(const std::string& key, const std::string& value = "v") {
    mvcc::Transaction transaction(store);
    transaction.put(key, value, LeaseId());
    transaction.commit();
    hub.on_applied(store);
  }
  void erase(const std::string& key) {
    mvcc::Transaction transaction(store);
    transaction.delete_range({key, {}}, [](mvcc::Record) {});
    transaction.commit();
    hub.on_applied(store);
  }
  void compact(std::int64_t revision) {
    REQUIRE(store.compact(Revision(revision)).ok());
    while (!store.compact_some(100)) {
    }
    hub.on_applied(store);
  }
  void ask(const Request& request, RequestId id = stream) { hub.request(id, request, store, header, now, out); }
  void watch(CreateRequest request, RequestId id = stream) { ask(request, id); }

  /// Everything that is sent until there is nothing more to do, decoded.
  std::vector<etcdserverpb::WatchResponse> flush() {
    while (hub.flush(store, header, now, out)) {
      hub.check_invariants();
    }
    hub.check_invariants();
    std::vector<etcdserverpb::WatchResponse> responses;
    for (const Response& response : std::exchange(out, {})) {
      std::string bytes;
      for (const Bytes& part : response.parts) bytes += part.view();
      sent_bytes[response.stream] += bytes.size();
      REQUIRE(responses.emplace_back().ParseFromString(bytes));
    }
    return responses;
  }

  mvcc::Store store;
  Hub hub;
  kv::Header header{ClusterId(1), MemberId(2), Term(3)};
  Instant now = Instant::from_nanoseconds(1);
  std::vector<Response> out;
  std::map<RequestId, std::uint64_t> sent_bytes;
};

/// "1:put a=v@2, delete a@3" for each response.
std::string told(const std::vector<etcdserverpb::WatchResponse>& responses) {
  std::string text;
  for (const auto& response : responses) {
    text += std::to_string(response.watch_id()) + ":";
    if (response.created()) text += " created";
    if (response.canceled()) text += " canceled";
    if (response.compact_revision() != 0) text += " compacted@" + std::to_string(response.compact_revision());
    if (!response.cancel_reason().empty()) text += " (" + response.cancel_reason() + ")";
    for (const auto& event : response.events()) {
      text += event.type() == mvccpb::Event::DELETE ? " delete " : " put ";
      text += event.kv().key() + "@" + std::to_string(event.kv().mod_revision());
      if (event.has_prev_kv()) text += " was " + event.prev_kv().value();
    }
    text += " header@" + std::to_string(response.header().revision()) + "\n";
  }
  return text;
}

TEST_CASE("a watch from now on gets what comes, once, in order") {
  Driver driver;
  driver.put("a");
  driver.hub.open(stream);
  driver.watch({.key = "a"});
  driver.watch({.key = "a", .range_end = "c"});
  CHECK(told(driver.flush()) == "0: created header@2\n1: created header@2\n");
  driver.put("a");
  driver.put("b");
  driver.erase("a");
  CHECK(told(driver.flush()) == "0: put a@3 delete a@5 header@5\n1: put a@3 put b@4 delete a@5 header@5\n");
  CHECK(driver.flush().empty());
}

TEST_CASE("watchers are bounded by what they hold, and one that is gone leaves its room") {
  Limits limits;
  limits.watchers_bytes_max = 2'000;
  Driver driver(limits);
  driver.hub.open(stream);
  driver.watch({.key = std::string(400, 'k')});
  driver.watch({.key = "a", .range_end = std::string(300, 'z')});
  CHECK(told(driver.flush()) ==
        "0: created header@1\n"
        "-1: created canceled (metastore: too many watchers, or too long keys "
        "(watchers_bytes_max)) header@1\n");
  driver.watch({.key = "a"});
  driver.watch({.key = "a", .range_end = "z"});
  driver.watch({.key = "b"});
  driver.watch({.key = "c"});
  CHECK(driver.hub.watcher_count() == 4);
  driver.ask(CancelRequest{0});
  driver.watch({.key = "a", .range_end = std::string(300, 'z')});
  CHECK(driver.hub.watcher_count() == 4);
  driver.flush();
  driver.hub.close(stream);
  driver.hub.check_invariants();
}

TEST_CASE("a watch from the past gets history first, then what comes") {
  Driver driver;
  driver.put("a");
  driver.put("b");
  driver.put("a");
  driver.hub.open(stream);
  driver.watch({.key = any_key, .range_end = any_key, .start_revision = 3});
  driver.put("c");
  CHECK(told(driver.flush()) == "0: created header@4\n0: put b@3 put a@4 put c@5 header@5\n");
  driver.put("d");
  CHECK(told(driver.flush()) == "0: put d@6 header@6\n");
}

TEST_CASE("a watch from the future is silent until then") {
  Driver driver;
  driver.hub.open(stream);
  driver.watch({.key = "a", .start_revision = 4});
  driver.flush();
  driver.ask(ProgressRequest{});
  CHECK(driver.flush().empty());
  driver.put("a");
  driver.put("a");
  CHECK(driver.flush().empty());
  driver.put("a");
  CHECK(told(driver.flush()) == "0: put a@4 header@4\n");
}

TEST_CASE("filters drop events, and a batch left empty is not sent") {
  Driver driver;
  driver.hub.open(stream);
  driver.watch({.key = "a", .no_put = true});
  driver.watch({.key = "a", .no_delete = true});
  driver.flush();
  driver.put("a");
  CHECK(told(driver.flush()) == "1: put a@2 header@2\n");
  driver.erase("a");
  CHECK(told(driver.flush()) == "0: delete a@3 header@3\n");
}

TEST_CASE("the previous value is shown to those who asked, but not for creations") {
  Driver driver;
  driver.hub.open(stream);
  driver.watch({.key = "a", .prev_kv = true});
  driver.watch({.key = "a"});
  driver.flush();
  driver.put("a", "one");
  driver.put("a", "two");
  driver.erase("a");
  driver.put("a", "three");
  CHECK(told(driver.flush()) ==
        "0: put a@2 put a@3 was one delete a@4 was two put a@5 header@5\n"
        "1: put a@2 put a@3 delete a@4 put a@5 header@5\n");
}

TEST_CASE("a start that is compacted is created, then canceled by the compact revision and nothing else") {
  Driver driver;
  for (int i = 0; i < 5; ++i) driver.put("a");
  driver.erase("a");
  driver.compact(7);
  driver.hub.open(stream);
  driver.watch({.key = "a", .start_revision = 6});
  CHECK(told(driver.flush()) == "0: created header@7\n0: canceled compacted@7 header@0\n");
  driver.watch({.key = "a", .start_revision = 7});
  CHECK(told(driver.flush()) == "1: created header@7\n1: delete a@7 header@7\n");
}

TEST_CASE("requests that cannot be served are created and canceled at once, and the stream goes on") {
  Driver driver;
  driver.hub.open(stream);
  driver.watch({.key = "a", .start_revision = -1});
  driver.watch({.key = "b", .range_end = "a"});
  driver.watch({.key = "a", .watch_id = 5});
  driver.watch({.key = "a", .watch_id = 5});
  driver.watch({.key = "a"});
  CHECK(told(driver.flush()) ==
        "-1: created canceled (etcdserver: mvcc: required revision has been compacted) header@1\n"
        "-1: created canceled (mvcc: watcher range is empty) header@1\n"
        "5: created header@1\n"
        "-1: created canceled (mvcc: duplicate watch ID provided on the WatchStream) header@1\n"
        "0: created header@1\n");
  driver.ask(CancelRequest{5});
  driver.ask(CancelRequest{77});
  CHECK(told(driver.flush()) == "5: canceled header@1\n");
  CHECK(driver.hub.watcher_count() == 1);
}

TEST_CASE("progress is told only when every watcher of the stream is synced and started") {
  Driver driver;
  driver.hub.open(stream);
  driver.ask(ProgressRequest{});
  CHECK(driver.flush().empty());
  driver.watch({.key = "a"});
  driver.put("b");
  driver.ask(ProgressRequest{});
  CHECK(told(driver.flush()) == "0: created header@1\n-1: header@2\n");
  driver.put("a");
  driver.ask(ProgressRequest{});
  CHECK(told(driver.flush()) == "0: put a@3 header@3\n-1: header@3\n");
}

TEST_CASE("a quiet watcher is notified of progress once an interval, a busy one is not") {
  Driver driver;
  driver.hub.open(stream);
  driver.watch({.key = "a", .progress_notify = true});
  driver.watch({.key = "b", .progress_notify = true});
  driver.watch({.key = "c"});
  driver.put("b");
  driver.flush();
  const Instant due = driver.hub.wake_at();
  CHECK(due >= driver.now + Duration::seconds(10));
  CHECK(due <= driver.now + Duration::seconds(11));
  driver.now = due;
  CHECK(told(driver.flush()) == "0: header@2\n");
  driver.now = driver.hub.wake_at();
  CHECK(told(driver.flush()) == "0: header@2\n1: header@2\n");
}

TEST_CASE("a large batch is cut into fragments only for those who asked") {
  Limits limits;
  limits.request_bytes_max = 100;
  limits.receive_slack_bytes = 0;
  Driver driver(limits);
  driver.hub.open(stream);
  driver.watch({.key = "a", .fragment = true});
  driver.watch({.key = "a"});
  driver.flush();
  for (int i = 0; i < 3; ++i) driver.put("a", std::string(60, 'v'));
  const auto responses = driver.flush();
  REQUIRE(responses.size() == 4);
  CHECK(responses[0].fragment());
  CHECK(responses[1].fragment());
  CHECK_FALSE(responses[2].fragment());
  CHECK(responses[2].events_size() == 1);
  CHECK(responses[3].events_size() == 3);
}

TEST_CASE("watchers that are sent the same events share one block, unless it were a large one") {
  Driver driver;
  driver.hub.open(stream);
  driver.watch({.key = "a"});
  driver.watch({.key = "a"});
  driver.watch({.key = "a", .range_end = "c", .no_delete = true});
  driver.flush();
  const auto parts = [&] {
    driver.hub.flush(driver.store, driver.header, driver.now, driver.out);
    std::vector<std::vector<Bytes>> all;
    for (Response& response : std::exchange(driver.out, {})) all.push_back(std::move(response.parts));
    REQUIRE(all.size() == 3);
    return all;
  };
  driver.put("a", std::string(100'000, 'v'));
  driver.put("a");
  const auto same = parts();
  REQUIRE(same[0].size() == 2);
  CHECK(same[0][1].data() == same[1][1].data());
  CHECK(same[0][1].data() == same[2][1].data());
  driver.put("a");
  driver.erase("a");
  driver.put("a");
  const auto other = parts();
  CHECK(other[0][1].data() == other[1][1].data());
  CHECK(other[2][1].size() < other[0][1].size());
  for (int i = 0; i < 3; ++i) driver.put("a", std::string(100'000, 'v'));
  const auto large = parts();
  REQUIRE(large[0].size() == 4);
  CHECK(large[0][1].data() == large[2][1].data());
}

TEST_CASE("a stream without credit gets nothing, keeps nothing, and goes on where it was") {
  Limits limits;
  limits.stream_credit_bytes = 100;
  Driver driver(limits);
  driver.hub.open(stream);
  driver.watch({.key = "a"});
  driver.flush();
  for (int i = 0; i < 50; ++i) {
    driver.put("a", std::string(60, 'v'));
    driver.flush();
  }
  CHECK(driver.sent_bytes[stream] < 300);

  SUBCASE("once it drains") {
    std::vector<std::int64_t> revisions;
    for (std::int64_t next = 2; next < 52;) {
      driver.hub.drained(stream, 200);
      for (const auto& response : driver.flush()) {
        for (const auto& event : response.events()) revisions.push_back(event.kv().mod_revision());
      }
      next = revisions.empty() ? next : revisions.back() + 1;
    }
    // The first event was sent before this loop began.
    for (std::size_t i = 0; i < revisions.size(); ++i) {
      CHECK(revisions[i] == static_cast<std::int64_t>(i) + 52 - static_cast<std::int64_t>(revisions.size()));
    }
    CHECK(revisions.back() == 51);
  }
  SUBCASE("unless what it misses is compacted") {
    driver.compact(40);
    driver.hub.drained(stream, 10'000);
    CHECK(told(driver.flush()) == "0: canceled compacted@40 header@0\n");
  }
}

struct Expected {
  CreateRequest request;
  std::int64_t next = 0;
  bool ended = false;
};

TEST_CASE("whatever happens, every watcher gets exactly its events, in order, or is told that they are compacted") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Prng prng(seed, "watch hub test");
    Limits limits;
    limits.stream_credit_bytes = prng.below(400) + 1;
    limits.watch_catch_up_records = prng.below(6) + 1;
    limits.watch_response_bytes = prng.below(200) + 1;
    Driver driver(limits);
    std::vector<std::pair<std::int64_t, std::string>> history;  // (revision, key), deletions too
    std::map<std::pair<std::uint64_t, std::int64_t>, Expected> watchers;
    std::map<std::uint64_t, std::uint64_t> undrained;
    for (std::uint64_t s = 1; s <= 3; ++s) driver.hub.open(RequestId(s));

    const auto check = [&](std::uint64_t s, const etcdserverpb::WatchResponse& response) {
      if (response.created()) return;
      Expected& expected = watchers.at({s, response.watch_id()});
      REQUIRE_FALSE(expected.ended);
      if (response.canceled()) {
        REQUIRE(expected.next < response.compact_revision());
        expected.ended = true;
        return;
      }
      for (const auto& event : response.events()) {
        const auto wanted = std::find_if(history.begin(), history.end(), [&](const auto& change) {
          return change.first >= expected.next &&
                 mvcc::KeyRange{expected.request.key, expected.request.range_end}.contains(change.second);
        });
        REQUIRE(wanted != history.end());
        REQUIRE(wanted->first == event.kv().mod_revision());
        REQUIRE(wanted->second == event.kv().key());
        expected.next = wanted->first + 1;
        REQUIRE(response.header().revision() >= wanted->first);
      }
    };
    const auto deliver = [&] {
      driver.hub.check_invariants();
      for (const Response& response : std::exchange(driver.out, {})) {
        std::string bytes;
        for (const Bytes& part : response.parts) bytes += part.view();
        undrained[response.stream.value()] += bytes.size();
        etcdserverpb::WatchResponse decoded;
        REQUIRE(decoded.ParseFromString(bytes));
        check(response.stream.value(), decoded);
      }
    };

    for (int step = 0; step < 300; ++step) {
      const std::string key(1, static_cast<char>('a' + prng.below(3)));
      const std::uint64_t s = prng.below(3) + 1;
      switch (prng.below(8)) {
        case 0:
        case 1:
        case 2:
          driver.put(key);
          history.emplace_back(driver.store.current_revision().value(), key);
          break;
        case 3:
          if (driver.store.get(key, driver.store.current_revision())) {
            driver.erase(key);
            history.emplace_back(driver.store.current_revision().value(), key);
          }
          break;
        case 4: {
          const std::int64_t current = driver.store.current_revision().value();
          Expected expected{.request = {.key = key}};
          if (prng.chance(1, 2)) expected.request.range_end = any_key;
          if (prng.chance(1, 2)) expected.request.start_revision = prng.between(1, current + 3);
          expected.request.watch_id = 1'000 + step;
          expected.next = expected.request.start_revision == 0 ? current + 1 : expected.request.start_revision;
          watchers[{s, expected.request.watch_id}] = expected;
          driver.watch(expected.request, RequestId(s));
          break;
        }
        case 5:
          driver.hub.drained(RequestId(s), std::exchange(undrained[s], 0));
          break;
        case 6:
          if (prng.chance(1, 5) && driver.store.current_revision() > driver.store.compact_revision()) {
            driver.compact(prng.between(std::max<std::int64_t>(driver.store.compact_revision().value() + 1, 1),
                                        driver.store.current_revision().value()));
          }
          break;
        default:
          driver.hub.flush(driver.store, driver.header, driver.now, driver.out);
      }
      deliver();
    }
    // Everyone drains: nobody may be left behind.
    for (int round = 0; round < 2'000; ++round) {
      for (std::uint64_t s = 1; s <= 3; ++s) driver.hub.drained(RequestId(s), std::exchange(undrained[s], 0));
      driver.hub.flush(driver.store, driver.header, driver.now, driver.out);
      deliver();
    }
    for (const auto& [id, expected] : watchers) {
      if (expected.ended) continue;
      for (const auto& [revision, changed] : history) {
        const bool is_missed = revision >= expected.next &&
                               mvcc::KeyRange{expected.request.key, expected.request.range_end}.contains(changed);
        REQUIRE_FALSE(is_missed);
      }
    }
  }
}

}  // namespace
}  // namespace metastore::watch
