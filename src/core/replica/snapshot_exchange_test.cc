// Sender and receiver face to face: what is under way is bounded, and what is not right is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/replica/snapshot_receiver.h"
#include "core/replica/snapshot_sender.h"

namespace metastore {
namespace {

constexpr MemberId leader(1);
constexpr MemberId follower(2);
constexpr std::uint64_t value_bytes = 100;
/// What a row takes besides its value, at most.
constexpr std::uint64_t row_overhead = 60;

Limits small_limits() {
  Limits limits;
  limits.snapshot_part_bytes = 1'000;
  limits.snapshot_window_bytes = 8'000;
  limits.snapshot_bytes_a_step = 3'000;
  limits.snapshot_keys_a_step = 100;
  return limits;
}

const raft::Mark mark{LogIndex(9), Term(2), {{leader, follower}, {}, {}, {}, false}};

struct Exchange {
  explicit Exchange(int keys, const Limits& limits_ = small_limits())
      : limits(limits_),
        sender(leader, 1, Duration::seconds(1), limits),
        receiver(follower, 1, limits),
        now(Instant::from_nanoseconds(0)) {
    for (int key = 0; key < keys; ++key) {
      mvcc::Transaction transaction(applier.store());
      transaction.put("k" + std::to_string(key), std::string(value_bytes, 'v'), LeaseId());
      transaction.commit();
    }
    sender.open(now, Term(3), follower, ImageReader(mark, applier, Members(), ""), 0);
  }

  /// One step of the sender, whose messages the receiver gets.
  void send() {
    std::vector<raft::Envelope> out;
    sender.run(now, applier.store(), out);
    sent_bytes = 0;
    for (raft::Envelope& envelope : out) {
      if (auto* part = std::get_if<raft::SnapshotPart>(&envelope.message)) {
        sent_bytes += part->rows.size();
        largest_part = std::max<std::uint64_t>(largest_part, part->rows.size());
        if (change) change(*part);
        receiver.on_part(leader, *part);
      } else {
        receiver.on_offer(leader, std::get<raft::SnapshotOffer>(envelope.message));
      }
    }
  }
  /// One step of the receiver, whose engine has `staged` of its parts afterwards.
  void receive(bool stages = true) {
    Effects effects;
    std::vector<raft::Envelope> out;
    receiver.run(effects, out);
    staged_bytes = 0;
    for (const ImageStep& step : effects.image_steps) {
      staged_bytes += step.rows.size();
      if (step.kind == ImageStep::Kind::drop) {
        ++drops;
      } else if (stages) {
        receiver.on_staged({step.image, step.parts});
      }
    }
    for (const TraceLine& line : effects.trace) {
      for (const TraceField& field : line.fields) {
        if (field.key == "error") refusal = std::get<std::string>(field.value);
      }
    }
    for (const raft::Envelope& envelope : out) {
      is_unwanted = sender.on_reply(now, follower, std::get<raft::SnapshotReply>(envelope.message)) || is_unwanted;
    }
  }
  /// Until the image is complete or refused.
  void exchange() {
    for (int step = 0; step < 10'000 && !receiver.complete().has_value() && !is_unwanted; ++step) {
      send();
      receive();
    }
  }

  const Limits limits;
  kv::Applier applier;
  SnapshotSender sender;
  SnapshotReceiver receiver;
  Instant now;
  std::function<void(raft::SnapshotPart&)> change;
  std::uint64_t sent_bytes = 0;    ///< In the last step,
  std::uint64_t staged_bytes = 0;  ///< as these.
  std::uint64_t largest_part = 0;
  int drops = 0;
  bool is_unwanted = false;
  std::string refusal;
};

TEST_CASE("parts, bytes under way, and work a step have their limits on both sides") {
  Exchange exchange(3'000);
  const Limits& limits = exchange.limits;
  const std::uint64_t part_max = limits.snapshot_part_bytes + value_bytes + row_overhead;
  std::uint64_t total = 0;
  while (!exchange.receiver.complete().has_value()) {
    exchange.send();
    CHECK(exchange.sent_bytes <= limits.snapshot_bytes_a_step + part_max);
    CHECK(exchange.sender.unacknowledged_bytes() <= limits.snapshot_window_bytes + part_max);
    CHECK(exchange.receiver.waiting_bytes() <= limits.snapshot_window_bytes + part_max);
    exchange.receive();
    CHECK(exchange.staged_bytes <= limits.snapshot_bytes_a_step + part_max);
    total += exchange.staged_bytes;
    exchange.now = exchange.now + Duration::milliseconds(1);
  }
  CHECK(exchange.largest_part > limits.snapshot_part_bytes / 2);
  CHECK(exchange.largest_part <= part_max);
  CHECK(total > 3'000 * value_bytes);
  CHECK(exchange.receiver.complete() == mark);
  CHECK(exchange.receiver.take().applier->hash() == exchange.applier.hash());
}

TEST_CASE("no more is under way than may wait for one peer") {
  Limits limits = small_limits();
  limits.peer_bulk_bytes_max = 4'000;
  Exchange exchange(3'000, limits);
  while (!exchange.receiver.complete().has_value()) {
    exchange.send();
    CHECK(exchange.sender.unacknowledged_bytes() <= limits.peer_bulk_bytes_max);
    exchange.receive();
  }
  CHECK(exchange.receiver.complete() == mark);
}

TEST_CASE("while the receiver's engine takes nothing, no more than a window is sent, and read") {
  Exchange exchange(3'000);
  std::uint64_t sent = 0;
  for (int step = 0; step < 100; ++step) {
    exchange.send();
    sent += exchange.sent_bytes;
    exchange.receive(false);
  }
  CHECK(sent <= exchange.limits.snapshot_window_bytes + exchange.largest_part);
  CHECK_FALSE(exchange.sender.has_more());
}

TEST_CASE("a row that is larger than a part, and than a window, is sent alone") {
  Exchange exchange(0);
  for (int i = 0; i < 3; ++i) {
    mvcc::Transaction transaction(exchange.applier.store());
    transaction.put("large" + std::to_string(i), std::string(20'000, 'v'), LeaseId());
    transaction.commit();
  }
  exchange.sender.open(exchange.now, Term(3), follower, ImageReader(mark, exchange.applier, Members(), ""), 0);
  exchange.exchange();
  CHECK(exchange.receiver.complete() == mark);
  CHECK(exchange.largest_part < 20'000 + 1'000 + row_overhead);
}

TEST_CASE("a silent peer is given up, and so is one that comes back without what it had") {
  Exchange silent(100);
  silent.send();
  silent.now = silent.now + Duration::seconds(9);
  CHECK(silent.sender.take_lost(silent.now).empty());
  silent.now = silent.now + Duration::seconds(2);
  CHECK(silent.sender.take_lost(silent.now) == std::vector<MemberId>{follower});
  CHECK(silent.sender.empty());

  Exchange restarted(100);
  for (int step = 0; step < 3; ++step) {
    restarted.send();
    restarted.receive();
  }
  const raft::SnapshotReply reply{Term(3), restarted.receiver.image(), true, 0, 2};
  CHECK_FALSE(restarted.sender.on_reply(restarted.now, follower, reply));
  CHECK(restarted.sender.take_lost(restarted.now) == std::vector<MemberId>{follower});
}

TEST_CASE("whatever a part has wrong, the image is refused, dropped and not asked for again") {
  const auto refusal = [](const std::function<void(raft::SnapshotPart&)>& change) {
    Exchange exchange(200);
    exchange.change = change;
    exchange.exchange();
    CHECK(exchange.is_unwanted);
    CHECK(exchange.drops <= 1);
    CHECK_FALSE(exchange.receiver.complete().has_value());
    // It takes nothing more of that one, and the next one as if nothing had been.
    exchange.change = nullptr;
    exchange.is_unwanted = false;
    exchange.sender.open(exchange.now, Term(3), follower, ImageReader(mark, exchange.applier, Members(), ""), 0);
    exchange.exchange();
    CHECK(exchange.receiver.complete() == mark);
    return exchange.refusal;
  };
  const auto replace = [](raft::SnapshotPart& part, std::uint64_t checksum_before, const std::string& rows) {
    part.rows = Bytes::copy_of(rows);
    part.checksum = checksum_of(checksum_before, rows);
  };
  CHECK(refusal([](raft::SnapshotPart& part) {
          if (part.number == 4) ++part.checksum;
        }) == "a part has another checksum");
  std::uint64_t before = 0;
  CHECK(refusal([&](raft::SnapshotPart& part) {
          if (part.number == 4) replace(part, before, "\1\2");
          before = part.checksum;
        }) == "a part is no list of rows");
  CHECK(refusal([&](raft::SnapshotPart& part) {
          RowWriter rows;
          rows.put(Table::leases, "k", "v");
          if (part.number == 4) replace(part, before, std::string(rows.take().view()));
          before = part.checksum;
        }) == "the row 6b of table leases cannot be read");
  // A deletion has no place there.
  CHECK(refusal([&](raft::SnapshotPart& part) {
          RowWriter rows;
          rows.erase(Table::leases, "12345678");
          if (part.number == 4) replace(part, before, std::string(rows.take().view()));
          before = part.checksum;
        }) == "a part is no list of rows");
  CHECK(refusal([](raft::SnapshotPart& part) {
          if (part.is_last) ++part.state_hash;
        }) == "its state has another hash");
  CHECK(refusal([](raft::SnapshotPart& part) {
          if (part.number == 3) part.is_last = true;
        }) == "it stands for another entry");
}

TEST_CASE("parts of nobody's image, out of their order, or from somebody else change nothing") {
  Exchange exchange(100);
  SnapshotReceiver idle(follower, 1, exchange.limits);
  idle.on_part(leader, {.term = Term(3), .image = 1, .rows = Bytes::copy_of("rows")});
  CHECK(idle.image() == 0);
  CHECK(idle.waiting_bytes() == 0);
  exchange.send();
  const std::uint64_t image = exchange.receiver.image();
  REQUIRE(image != 0);
  exchange.receiver.on_part(leader, {.term = Term(3), .image = image, .number = 1, .rows = Bytes::copy_of("rows")});
  exchange.receiver.on_part(leader, {.term = Term(3), .image = image + 1, .rows = Bytes::copy_of("rows")});
  exchange.receiver.on_part(leader, {.term = Term(2), .image = image, .rows = Bytes::copy_of("rows")});
  exchange.receiver.on_part(MemberId(3), {.term = Term(3), .image = image, .rows = Bytes::copy_of("rows")});
  CHECK(exchange.receiver.waiting_bytes() == 0);
  exchange.exchange();
  CHECK(exchange.receiver.complete() == mark);
}

}  // namespace
}  // namespace metastore
