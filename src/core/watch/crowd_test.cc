#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/proto/rpc.pb.h"
#include "core/watch/hub.h"

namespace metastore::watch {
namespace {

const std::string open_end(1, '\0');

/// Streams with so many watchers each, all of all keys, whose clients drain as a test says.
struct Crowd {
  Crowd(const Limits& crowd_limits, std::uint64_t streams, int watchers)
      : limits(crowd_limits), hub(crowd_limits, Duration::seconds(10), 1) {
    for (std::uint64_t stream = 1; stream <= streams; ++stream) {
      hub.open(RequestId(stream));
      for (int i = 0; i < watchers; ++i) {
        hub.request(RequestId(stream), CreateRequest{.key = open_end, .range_end = open_end}, store, header, Instant(),
                    out);
      }
      seen[stream].resize(static_cast<std::size_t>(watchers));
    }
    flush();
    for (auto& [stream, bytes] : undrained) drain(stream, bytes);
  }

  void put() {
    mvcc::Transaction transaction(store);
    transaction.put("key", std::string(100, 'v'), LeaseId());
    transaction.commit();
    hub.on_applied(store);
  }
  bool flush() {
    const bool has_more = hub.flush(store, header, Instant(), out);
    for (const Response& response : std::exchange(out, {})) take(response);
    return has_more;
  }
  void take(const Response& response) {
    std::string bytes;
    for (const Bytes& part : response.parts) bytes += part.view();
    const std::uint64_t stream = response.stream.value();
    // A stream that has credit left may exceed it by one response.
    CHECK(undrained[stream] < limits.stream_credit_bytes);
    undrained[stream] += bytes.size();
    etcdserverpb::WatchResponse decoded;
    REQUIRE(decoded.ParseFromString(bytes));
    for (const auto& event : decoded.events()) {
      std::int64_t& last = seen[stream].at(static_cast<std::size_t>(decoded.watch_id()));
      // The first put makes revision 2, and each makes one event.
      CHECK(event.kv().mod_revision() == (last == 0 ? 2 : last + 1));
      last = event.kv().mod_revision();
    }
  }
  void drain(std::uint64_t stream, std::uint64_t bytes) {
    bytes = std::min(bytes, undrained[stream]);
    if (bytes == 0) return;
    undrained[stream] -= bytes;
    hub.drained(RequestId(stream), bytes);
  }
  bool has_seen_all(std::uint64_t stream) {
    for (const std::int64_t last : seen[stream]) {
      if (last != store.current_revision().value()) return false;
    }
    return true;
  }

  Limits limits;
  mvcc::Store store;
  Hub hub;
  kv::Header header{ClusterId(1), MemberId(2), Term(3)};
  std::vector<Response> out;
  std::map<std::uint64_t, std::uint64_t> undrained;
  std::map<std::uint64_t, std::vector<std::int64_t>> seen;  ///< The last revision of each watcher of each stream.
};

TEST_CASE("a hundred watchers see each of a thousand events once, in order") {
  Crowd crowd({}, 10, 10);
  for (int i = 0; i < 1'000; ++i) {
    crowd.put();
    if (i % 7 == 0) crowd.flush();
    for (auto& [stream, bytes] : crowd.undrained) crowd.drain(stream, bytes);
  }
  while (crowd.flush()) {
  }
  for (std::uint64_t stream = 1; stream <= 10; ++stream) CHECK(crowd.has_seen_all(stream));
}

TEST_CASE("of ten thousand watchers the sick are owed no more than their credit, and delay nobody") {
  Limits limits;
  limits.stream_credit_bytes = 60'000;
  Crowd crowd(limits, 100, 100);
  for (int i = 0; i < 20; ++i) {
    crowd.put();
    crowd.flush();
    for (std::uint64_t stream = 1; stream <= 100; ++stream) {
      if (stream <= 80) {
        CHECK(crowd.has_seen_all(stream));
        crowd.drain(stream, crowd.undrained[stream]);
      } else if (stream <= 90) {
        crowd.drain(stream, 1'000);
      }
    }
  }
  for (std::uint64_t stream = 81; stream <= 100; ++stream) CHECK(!crowd.has_seen_all(stream));
  crowd.hub.check_invariants();
  for (bool has_more = true; has_more;) {
    for (auto& [stream, bytes] : crowd.undrained) crowd.drain(stream, bytes);
    has_more = crowd.flush();
    for (const auto& [stream, bytes] : crowd.undrained) has_more = has_more || bytes > 0;
  }
  for (std::uint64_t stream = 1; stream <= 100; ++stream) CHECK(crowd.has_seen_all(stream));
}

}  // namespace
}  // namespace metastore::watch
