#include <doctest/doctest.h>

#include <string>

#include "core/base/prng.h"
#include "core/raft/types.h"

namespace metastore::raft {
namespace {

template <typename T>
std::string encoded(const T& value) {
  std::string out;
  Encoder encoder(out);
  encode(encoder, value);
  return out;
}

const Entry put{Term(2), LogIndex(7), EntryType::normal, Bytes::copy_of("kv")};

Envelope from_1_to_2(Message message) { return {MemberId(1), MemberId(2), std::move(message)}; }

TEST_CASE("the canonical encodings are these bytes") {
  CHECK(encoded(put) == std::string("\x02\x07\x00\x02kv", 6));
  CHECK(encoded(HardState{Term(1), MemberId(200), LogIndex(3)}) == "\x01\xc8\x01\x03");
  CHECK(encoded(ConfState{{MemberId(1), MemberId(2)}, {MemberId(3)}, {}, {}, true}) ==
        std::string("\x02\x01\x02\x01\x03\x00\x00\x01", 8));
  CHECK(encoded(LogWrite{LogWriteId(4), HardState{Term(1), MemberId(2), LogIndex(3)}, {put}}) ==
        std::string("\x04\x01\x01\x02\x03\x01\x02\x07\x00\x02kv\x00\x00", 14));
  CHECK(encoded(LogWrite{LogWriteId(4), std::nullopt, {}}) == std::string("\x04\x00\x00\x00\x00", 5));
  CHECK(encoded(Envelope{MemberId(1), MemberId(2), VoteRequest{Term(3), LogIndex(4), Term(2), true, false}}) ==
        std::string("\x01\x02\x00\x03\x04\x02\x01\x00", 8));
  CHECK(encoded(Envelope{MemberId(1), MemberId(2), VoteReply{Term(3), Term(4), true, false}}) ==
        std::string("\x01\x02\x01\x03\x04\x01\x00", 7));
  CHECK(encoded(
            Envelope{MemberId(1), MemberId(2), AppendRequest{Term(3), LogIndex(6), Term(2), {put}, LogIndex(5), 9}}) ==
        std::string("\x01\x02\x02\x03\x06\x02\x01\x02\x07\x00\x02kv\x05\x09", 15));
  CHECK(encoded(Envelope{MemberId(1), MemberId(2),
                         AppendReply{Term(3), true, LogIndex(7), LogIndex(0), LogIndex(0), Term(0), 9}}) ==
        std::string("\x01\x02\x03\x03\x01\x07\x00\x00\x00\x09", 10));
}

TEST_CASE("the messages beside replication are these bytes") {
  CHECK(encoded(from_1_to_2(TimeoutNow{Term(3)})) == "\x01\x02\x04\x03");
  CHECK(encoded(from_1_to_2(ReadIndexRequest{Term(3), 5})) == "\x01\x02\x05\x03\x05");
  CHECK(encoded(from_1_to_2(ReadIndexReply{Term(3), 5, true, LogIndex(7)})) == "\x01\x02\x06\x03\x05\x01\x07");
  CHECK(encoded(from_1_to_2(ProposalForward{Term(3), 5, 6, EntryType::conf_change, Bytes::copy_of("kv")})) ==
        "\x01\x02\x07\x03\x05\x06\x01\x02kv");
  CHECK(encoded(from_1_to_2(ProposalRefused{Term(3), 5, 6, ErrorCode::no_leader})) ==
        "\x01\x02\x08\x03\x05\x06\x09no_leader");
  const Mark mark{LogIndex(9), Term(2), {{MemberId(1)}, {}, {}, {}, false}};
  CHECK(encoded(from_1_to_2(SnapshotOffer{Term(3), mark, 5, 6})) ==
        std::string("\x01\x02\x09\x03\x09\x02\x01\x01\x00\x00\x00\x00\x05\x06", 14));
  CHECK(encoded(from_1_to_2(SnapshotReply{Term(3), 5, true, 6, 7})) == "\x01\x02\x0a\x03\x05\x01\x06\x07");
  CHECK(encoded(from_1_to_2(LeaderCall{Term(3), 5, Bytes::copy_of("m"), Bytes::copy_of("kv")})) ==
        "\x01\x02\x0b\x03\x05\x01m\x02kv");
  CHECK(encoded(from_1_to_2(LeaderReply{Term(3), 5, true, ErrorCode::no_leader, Bytes::copy_of("kv")})) ==
        "\x01\x02\x0c\x03\x05\x01\x09no_leader\x02kv");
  CHECK(encoded(from_1_to_2(StateHash{Term(3), LogIndex(7), 5})) == "\x01\x02\x0d\x03\x07\x05");
  CHECK(encoded(from_1_to_2(SnapshotPart{Term(3), 5, 6, true, 7, 8, Bytes::copy_of("kv")})) ==
        "\x01\x02\x0e\x03\x05\x06\x01\x07\x08\x02kv");
}

/// Draws messages of every kind, with numbers of every length.
class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : prng_(seed, "messages") {}

  Envelope envelope() {
    const MemberId from(number());
    return {from, MemberId(number()), message(prng_.below(std::variant_size_v<Message>))};
  }

 private:
  std::uint64_t number() { return prng_.next() >> prng_.between(1, 63); }
  Term term() { return Term(number()); }
  LogIndex index() { return LogIndex(number()); }
  bool flag() { return prng_.chance(1, 2); }
  Bytes data() { return Bytes::copy_of(std::string(prng_.below(300), static_cast<char>(prng_.below(256)))); }
  EntryType type() { return static_cast<EntryType>(prng_.below(3)); }

  std::vector<MemberId> members() {
    std::vector<MemberId> ids;
    for (std::uint64_t count = prng_.below(4); count > 0; --count) ids.emplace_back(number());
    return ids;
  }

  Mark mark() {
    Mark drawn{index(), Term(prng_.below(9)), {members(), members(), members(), members(), flag()}};
    drawn.conf_state.voters.emplace_back(number());
    return drawn;
  }

  AppendRequest append() {
    AppendRequest request{Term(1ULL << 62), index(), Term(prng_.below(9)), {}, index(), number()};
    for (std::uint64_t count = prng_.below(4); count > 0; --count) {
      const bool is_first = request.entries.empty();
      const LogIndex previous = is_first ? request.previous_index : request.entries.back().index;
      const Term former = is_first ? request.previous_term : request.entries.back().term;
      request.entries.push_back({former.plus(prng_.below(3)), previous.next(), type(), data()});
    }
    return request;
  }

  Message message(std::uint64_t kind) {
    switch (kind) {
      case 0:
        return VoteRequest{term(), index(), term(), flag(), flag()};
      case 1:
        return VoteReply{term(), term(), flag(), flag()};
      case 2:
        return append();
      case 3:
        return AppendReply{term(), flag(), index(), index(), index(), term(), number()};
      case 4:
        return TimeoutNow{term()};
      case 5:
        return ReadIndexRequest{term(), number()};
      case 6:
        return ReadIndexReply{term(), number(), flag(), index()};
      case 7:
        return ProposalForward{term(), number(), number(), type(), data()};
      case 8:
        return ProposalRefused{term(), number(), number(), ErrorCode::too_many_requests};
      case 9:
        return SnapshotOffer{Term(1ULL << 62), mark(), number(), number()};
      case 10:
        return SnapshotReply{term(), number(), flag(), number(), number()};
      case 11:
        return LeaderCall{term(), number(), data(), data()};
      case 12:
        return LeaderReply{term(), number(), flag(), ErrorCode::lease_not_found, data()};
      case 13:
        return StateHash{term(), index(), number()};
      default:
        return SnapshotPart{term(), number(), number(), flag(), number(), number(), data()};
    }
  }

  Prng prng_;
};

TEST_CASE("what is decoded is what was encoded, for drawn messages of every kind") {
  Drawn drawn(1);
  for (int i = 0; i < 5'000; ++i) {
    const Envelope envelope = drawn.envelope();
    CAPTURE(describe(envelope));
    CHECK(decode_envelope(encoded(envelope)) == envelope);
  }
}

TEST_CASE("no bytes that are cut, lengthened, changed or drawn do harm, and no message has two spellings") {
  Drawn drawn(2);
  Prng prng(2, "damage");
  int refused = 0;
  const auto check = [&refused](const std::string& bytes) {
    const std::optional<Envelope> envelope = decode_envelope(bytes);
    if (envelope.has_value()) CHECK(encoded(*envelope) == bytes);
    if (!envelope.has_value()) ++refused;
  };
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes = encoded(drawn.envelope());
    CHECK_FALSE(decode_envelope(bytes + '\0').has_value());
    CHECK_FALSE(decode_envelope(BytesView(bytes).substr(0, prng.below(bytes.size()))).has_value());
    for (int flips = 0; flips < 3; ++flips) {
      bytes[prng.below(bytes.size())] = static_cast<char>(prng.below(256));
      check(bytes);
    }
    std::string garbage(prng.below(40), '\0');
    for (char& byte : garbage) byte = static_cast<char>(prng.below(256));
    check(garbage);
  }
  CHECK(refused > 2'000);
}

TEST_CASE("what no correct member says is not decoded") {
  const auto is_decoded = [](Message message) { return decode_envelope(encoded(from_1_to_2(message))).has_value(); };
  CHECK(is_decoded(AppendRequest{Term(3), LogIndex(6), Term(2), {put}, LogIndex(5), 9}));
  CHECK_FALSE(is_decoded(AppendRequest{Term(3), LogIndex(5), Term(2), {put}, LogIndex(5), 9}));
  CHECK_FALSE(is_decoded(AppendRequest{Term(3), LogIndex(6), Term(3), {put}, LogIndex(5), 9}));
  CHECK_FALSE(is_decoded(AppendRequest{Term(1), LogIndex(6), Term(1), {put}, LogIndex(5), 9}));
  CHECK_FALSE(is_decoded(TimeoutNow{Term(1ULL << 63)}));
  // Entries, lists and data that claim to be longer than what came.
  CHECK_FALSE(decode_envelope(std::string("\x01\x02\x02\x03\x06\x02\xff\xff\xff\xff\x0f\x02\x07\x00\x02kv", 16)));
  CHECK_FALSE(decode_envelope(std::string("\x01\x02\x07\x03\x05\x06\x00\xff\xff\xff\xff\x0fkv", 14)));
  CHECK_FALSE(decode_envelope("\x01\x02\x0b\x03"));
  CHECK_FALSE(decode_envelope(""));
}

}  // namespace
}  // namespace metastore::raft
