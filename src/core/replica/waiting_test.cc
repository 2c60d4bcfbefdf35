#include "core/replica/waiting.h"

#include <doctest/doctest.h>

namespace metastore {
namespace {

constexpr Instant epoch = Instant::from_nanoseconds(1'000);

TEST_CASE("a waiting request is taken out once") {
  Waiting waiting(Duration::seconds(7));
  const Waiting::Key key = waiting.add(RequestId(5), Waiting::For::read, epoch, Instant::never());
  CHECK(waiting.size() == 1);
  CHECK(waiting.take(key) == RequestId(5));
  CHECK_FALSE(waiting.take(key).has_value());
  CHECK(waiting.empty());
  CHECK(waiting.next_deadline() == Instant::never());
}

TEST_CASE("proposals that wait are counted, however they end") {
  Waiting waiting(Duration::seconds(7));
  const Waiting::Key answered = waiting.add(RequestId(1), Waiting::For::proposal, epoch, Instant::never());
  waiting.add(RequestId(2), Waiting::For::read, epoch, Instant::never());
  waiting.add(RequestId(3), Waiting::For::proposal, epoch, epoch + Duration::seconds(1));
  CHECK(waiting.proposals() == 2);
  waiting.take(answered);
  CHECK(waiting.proposals() == 1);
  CHECK(waiting.take_expired(epoch + Duration::seconds(7))->what == Waiting::For::proposal);
  CHECK(waiting.proposals() == 0);
  CHECK(waiting.take_expired(epoch + Duration::seconds(7))->what == Waiting::For::read);
}

TEST_CASE("the sooner of the client's and our own deadline decides, and says whose it was") {
  Waiting waiting(Duration::seconds(7));
  waiting.add(RequestId(1), Waiting::For::read, epoch, Instant::never());
  waiting.add(RequestId(2), Waiting::For::read, epoch, epoch + Duration::seconds(1));
  waiting.add(RequestId(3), Waiting::For::read, epoch, epoch + Duration::seconds(70));
  CHECK(waiting.next_deadline() == epoch + Duration::seconds(1));

  CHECK(!waiting.take_expired(epoch + Duration::milliseconds(999)).has_value());
  const auto clients = waiting.take_expired(epoch + Duration::seconds(1));
  REQUIRE(clients.has_value());
  CHECK(clients->request == RequestId(2));
  CHECK(clients->error == ErrorCode::deadline_exceeded);
  CHECK(!waiting.take_expired(epoch + Duration::seconds(1)).has_value());

  const auto ours = waiting.take_expired(epoch + Duration::seconds(7));
  REQUIRE(ours.has_value());
  CHECK(ours->request == RequestId(1));
  CHECK(ours->error == ErrorCode::timeout);
  CHECK(waiting.take_expired(epoch + Duration::seconds(7))->error == ErrorCode::timeout);
  CHECK(waiting.empty());
}

}  // namespace
}  // namespace metastore
